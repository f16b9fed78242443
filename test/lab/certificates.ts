import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files of a throw-away CA and what it signed. */
export interface Certificates {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  /** A CA that signed nothing of the above. */
  readonly otherCaFile: string
  /** As `certFile`, over since before now. */
  readonly expiredCertFile: string
  remove(): void
}

/** Makes a CA and a certificate for these addresses, good for servers and clients, with openssl. */
export function makeCertificates(addresses: readonly string[] = ['127.0.0.1']): Certificates {
  const directory = mkdtempSync(join(tmpdir(), 'flannel-tls-'))
  const file = (name: string): string => join(directory, name)
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const ca of ['ca', 'other'])
    openssl('req', '-x509', ...newKey, '-keyout', `${ca}.key`, '-out', `${ca}.pem`, '-days', '2', '-subj', `/CN=${ca}`)
  openssl('req', ...newKey, '-keyout', 'node.key', '-out', 'node.csr', '-subj', '/CN=node')
  const names = addresses.map((address) => `IP:${address}`).join(',')
  writeFileSync(file('node.ext'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`)
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'node.ext']
  openssl('x509', '-req', '-in', 'node.csr', '-out', 'node.pem', '-days', '2', ...signing)
  openssl('x509', '-req', '-in', 'node.csr', '-out', 'expired.pem', '-days', '0', ...signing)
  return {
    caFile: file('ca.pem'),
    certFile: file('node.pem'),
    keyFile: file('node.key'),
    otherCaFile: file('other.pem'),
    expiredCertFile: file('expired.pem'),
    remove: () => {
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
