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
  /** The key of `certFile`, behind a passphrase. */
  readonly lockedKeyFile: string
  /** Signs one as `certFile` that ends at this moment, with the seconds cut off. @returns its file */
  endingAt(end: Date): string
  remove(): void
}

/** What `openssl ca` wants to be told, and nothing more. */
const CA_SETTINGS = `[ca]
default_ca = own
[own]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
`

/** Makes a CA and a certificate for these addresses, good for servers and clients, with openssl. */
export function makeCertificates(addresses: readonly string[] = ['127.0.0.1']): Certificates {
  const directory = mkdtempSync(join(tmpdir(), 'flannel-tls-'))
  const file = (name: string): string => join(directory, name)
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const ca of ['ca', 'other'])
    openssl('req', '-x509', ...newKey, '-keyout', `${ca}.key`, '-out', `${ca}.pem`, '-days', '60', '-subj', `/CN=${ca}`)
  openssl('req', ...newKey, '-keyout', 'node.key', '-out', 'node.csr', '-subj', '/CN=node')
  const names = addresses.map((address) => `IP:${address}`).join(',')
  writeFileSync(file('node.ext'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`)
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'node.ext']
  openssl('x509', '-req', '-in', 'node.csr', '-out', 'node.pem', '-days', '60', ...signing)
  openssl('x509', '-req', '-in', 'node.csr', '-out', 'expired.pem', '-days', '0', ...signing)
  openssl('ec', '-in', 'node.key', '-aes256', '-passout', 'pass:phrase', '-out', 'locked.key')
  const endingAt = (end: Date): string => {
    const stamp = end.toISOString().replaceAll(/[-:T]|\..*/g, '')
    writeFileSync(file('ca.cnf'), CA_SETTINGS)
    writeFileSync(file('index'), '')
    const issue = ['-batch', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-create_serial', '-notext']
    openssl('ca', ...issue, '-in', 'node.csr', '-out', `${stamp}.pem`, '-enddate', `${stamp}Z`, '-extfile', 'node.ext')
    return file(`${stamp}.pem`)
  }
  return {
    caFile: file('ca.pem'),
    certFile: file('node.pem'),
    keyFile: file('node.key'),
    otherCaFile: file('other.pem'),
    expiredCertFile: file('expired.pem'),
    lockedKeyFile: file('locked.key'),
    endingAt,
    remove: () => {
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
