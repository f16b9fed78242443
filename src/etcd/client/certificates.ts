import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'

import { ConfigError } from '../../config/error.ts'
import { hideSecret } from '../../config/secrets.ts'

/** A file of PEM, with the flag that names it. */
export interface PemFile {
  readonly flag: string
  readonly path: string
  readonly pem: Buffer
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** What is wrong with the content of a file. */
const wrong = ({ flag, path }: PemFile, expected: string): ConfigError =>
  new ConfigError(flag, `${expected} in the file`, hideSecret(path))

/** All certificates in a file, the own one of a chain first. @throws {ConfigError} when there are none, or one is broken */
export function readCertificates(file: PemFile): readonly X509Certificate[] {
  const text = file.pem.toString('latin1')
  const blocks = text.match(BLOCK) ?? []
  if (blocks.length === 0 || blocks.length < text.split('-----BEGIN CERTIFICATE-----').length - 1)
    throw wrong(file, text.includes('PRIVATE KEY-----') ? 'certificates, and not a key' : 'certificates as PEM')
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    throw wrong(file, 'certificates as PEM, none of them broken')
  }
}

/** Checks that a file holds the key of this certificate. @throws {ConfigError} */
export function checkKey(file: PemFile, certificate: X509Certificate): void {
  if (!certificate.checkPrivateKey(readKey(file)))
    throw wrong(file, 'the key of the certificate in --etcd-certfile, and not that of another')
}

function readKey(file: PemFile): KeyObject {
  const text = file.pem.toString('latin1')
  if (!text.includes('PRIVATE KEY-----'))
    throw wrong(
      file,
      text.includes('BEGIN CERTIFICATE-----') ? 'a private key, and not a certificate' : 'a private key as PEM',
    )
  if (/BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    throw wrong(file, 'a private key without a passphrase: nobody is there to type it')
  try {
    return createPrivateKey(file.pem)
  } catch {
    throw wrong(file, 'a private key as PEM, not broken')
  }
}

/** One certificate, and until when it is good. */
export interface Validity {
  /** Whose it is, in words. */
  readonly what: string
  readonly fromMs: number
  readonly toMs: number
}

export const validityOf = (
  what: string,
  { validFrom, validTo }: Pick<X509Certificate, 'validFrom' | 'validTo'>,
): Validity => ({
  what,
  fromMs: Date.parse(validFrom),
  toMs: Date.parse(validTo),
})
