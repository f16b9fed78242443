import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'

import { ConfigError } from '../../config/error.ts'
import type { EtcdAccess } from '../../config/options.ts'

/** PEM texts of a TLS client. */
export interface TlsCredentials {
  readonly rootCertificate: Buffer
  readonly privateKey?: Buffer
  readonly certChain?: Buffer
}

/** Where distributions keep the system's roots: Debian, Fedora, SUSE, Alpine. */
const SYSTEM_ROOTS = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/**
 * Reads the files anew at each call, so that renewed certificates are taken up with the next client.
 * @throws {ConfigError} naming the flag whose file is missing, or the one that lacks its partner
 */
export function readTlsCredentials(options: EtcdAccess): TlsCredentials {
  const { caFile, certFile, keyFile } = options
  const rootCertificate = isSet(caFile) ? readPem('--etcd-cafile', caFile) : systemRoots()
  if (!isSet(certFile) && !isSet(keyFile)) return { rootCertificate }
  if (!isSet(certFile))
    throw new ConfigError('--etcd-certfile', 'the certificate that belongs to --etcd-keyfile', certFile)
  if (!isSet(keyFile)) throw new ConfigError('--etcd-keyfile', 'the key that belongs to --etcd-certfile', keyFile)
  const certChain = readPem('--etcd-certfile', certFile)
  return { rootCertificate, certChain, privateKey: readPem('--etcd-keyfile', keyFile) }
}

/** An empty flag or environment variable means "not given", as upstream has it. */
const isSet = (path: string | undefined): path is string => path !== undefined && path !== ''

function readPem(flag: string, path: string): Buffer {
  const content = tryRead(path)
  if (content?.includes('-----BEGIN ') !== true) throw new ConfigError(flag, 'a readable PEM file', path)
  return content
}

/** What Go programs would trust: SSL_CERT_FILE, else the system's bundle; else the roots that come with Node. */
function systemRoots(): Buffer {
  const candidates = [process.env['SSL_CERT_FILE'] ?? '', ...SYSTEM_ROOTS]
  for (const path of candidates) {
    const content = path === '' ? undefined : tryRead(path)
    if (content !== undefined) return content
  }
  return Buffer.from(rootCertificates.join('\n'))
}

function tryRead(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
