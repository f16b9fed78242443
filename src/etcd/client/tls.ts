import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'

import { ConfigError } from '../../config/error.ts'
import type { EtcdAccess } from '../../config/options.ts'
import { hideSecret } from '../../config/secrets.ts'
import { storeError } from './errors.ts'
import { checkKey, readCertificates, validityOf, type PemFile, type Validity } from './certificates.ts'

/** PEM texts of a TLS client. */
export interface TlsCredentials {
  readonly rootCertificate: Buffer
  readonly privateKey?: Buffer
  readonly certChain?: Buffer
  /** Of those that were given, until when each is good. */
  readonly validities: readonly Validity[]
}

/** What a look at the files has shown. */
export interface TlsFilesState {
  /** What is the matter with them; undefined: nothing. */
  readonly problem: string | undefined
  /** Whether there are good ones from before, which stay in use. */
  readonly inUse: boolean
  readonly validities: readonly Validity[]
}

/** Where distributions keep the system's roots: Debian, Fedora, SUSE, Alpine. */
const SYSTEM_ROOTS = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** A file that somebody may still be about to bring. */
class MissingFileError extends Error {
  override readonly name = 'MissingFileError'
  constructor(flag: string, path: string, what: string) {
    super(`waiting for ${path} (${flag}), which ${what}`)
  }
}

/**
 * The certificates and the key that etcd is met with. They are read anew for every connection, so that renewed ones are taken up; while
 * what is there does not fit together, as in the middle of a rotation, the last that did stay in use.
 */
export class TlsFiles {
  readonly #options: EtcdAccess
  #inUse: TlsCredentials | undefined
  #problem: string | undefined
  /** Of servers, as they were seen last, by URL. */
  readonly #servers = new Map<string, Validity>()

  /** @throws {ConfigError} naming flag and file; one that is not there yet is waited for */
  constructor(options: EtcdAccess) {
    this.#options = options
    try {
      this.#inUse = readTlsCredentials(options)
    } catch (error) {
      if (!(error instanceof MissingFileError)) throw error
      this.#problem = error.message
    }
  }

  /** For a new connection. @throws {StoreError} while there were none that fit together */
  get(): TlsCredentials {
    this.look()
    if (this.#inUse !== undefined) return this.#inUse
    throw storeError({ op: 'connect' }, 'UNAVAILABLE', String(this.#problem), undefined, 'files')
  }

  /** A server has shown this certificate, and it was good. */
  sawServer(url: string, certificate: X509Certificate): void {
    this.#servers.set(url, validityOf(`the certificate of ${url}`, certificate))
  }

  /** Reads the files again. Never fails. */
  look(): TlsFilesState {
    try {
      this.#inUse = readTlsCredentials(this.#options)
      this.#problem = undefined
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error)
    }
    return this.known
  }

  /** As they were when they were last read. */
  get known(): TlsFilesState {
    const validities = [...(this.#inUse?.validities ?? []), ...this.#servers.values()]
    return { problem: this.#problem, inUse: this.#inUse !== undefined, validities }
  }
}

/**
 * @throws {ConfigError} naming the flag whose file is none, or does not fit the others
 * @throws {MissingFileError}
 */
function readTlsCredentials(options: EtcdAccess): TlsCredentials {
  const { caFile = '', certFile = '', keyFile = '' } = options
  const ca = caFile === '' ? undefined : readFile('--etcd-cafile', caFile)
  const authorities =
    ca === undefined ? [] : readCertificates(ca).map((one) => validityOf('the CA in --etcd-cafile', one))
  const trusted = { rootCertificate: ca?.pem ?? systemRoots(), validities: authorities }
  if (certFile === '' && keyFile === '') return trusted
  if (certFile === '')
    throw new ConfigError('--etcd-certfile', 'the certificate that belongs to --etcd-keyfile', certFile)
  if (keyFile === '') throw new ConfigError('--etcd-keyfile', 'the key that belongs to --etcd-certfile', keyFile)
  const [chain, key] = [readFile('--etcd-certfile', certFile), readFile('--etcd-keyfile', keyFile)]
  const [own, ...issuers] = readCertificates(chain)
  if (own !== undefined) checkKey(key, own)
  const certificates = own === undefined ? issuers : [own, ...issuers]
  const validities = certificates.map((one) => validityOf('the certificate in --etcd-certfile', one))
  return { ...trusted, certChain: chain.pem, privateKey: key.pem, validities: [...validities, ...authorities] }
}

function readFile(flag: string, path: string): PemFile {
  const shown = hideSecret(path)
  try {
    const pem = readFileSync(path)
    if (pem.length > 0) return { flag, path, pem }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new MissingFileError(flag, shown, 'is not there yet')
    throw new ConfigError(flag, `a file that can be read (${code})`, shown)
  }
  throw new MissingFileError(flag, shown, 'is empty')
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
