import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { ConfigError } from '../../config/error.ts'
import { StoreError } from '../../lease/store.ts'
import { KUBECONFIG_FLAG, type Material } from './kubeconfig.ts'

/** Tokens, certificates and kubeconfigs have some kilobytes; a larger file would take our memory. In bytes. */
const LONGEST = 4 * 1024 * 1024

/**
 * What stands in the file, or in the kubeconfig itself. A FIFO or a device is not waited for: whoever reads one may wait for ever.
 * @throws {StoreError} where the file cannot be read, or is empty: somebody may be about to write it
 */
export function readMaterial(material: Material): Buffer {
  if ('data' in material) return material.data
  const content = readRegularFile(material.file)
  if (content.length === 0) throw unreadable(material.file, 'it is empty')
  return content
}

/** @throws {StoreError} */
function readRegularFile(path: string): Buffer {
  let file: number | undefined
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    const found = fstatSync(file)
    if (found.isDirectory()) throw unreadable(path, 'EISDIR')
    if (!found.isFile()) throw unreadable(path, 'it is no regular file')
    if (found.size > LONGEST) throw unreadable(path, `it has ${found.size} bytes`)
    return readFileSync(file)
  } catch (cause) {
    if (cause instanceof StoreError) throw cause
    throw unreadable(path, cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable', cause)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** @param why a name of errno(3), or words */
function unreadable(path: string, why: string, cause?: unknown): StoreError {
  const message = `waiting for ${path}, which cannot be read (${why})`
  const root = why.includes(' ') ? 'unreadable' : why
  return new StoreError({ op: 'connect', code: 'UNAVAILABLE', retryable: true, message, cause, root })
}

/**
 * A bearer token (RFC 6750), without the line ends and marks that editors leave around it.
 * @returns undefined: there is none
 * @throws {StoreError} where a file has nothing else: whoever writes it anew may have emptied it first
 */
export function readToken(material: Material | undefined): string | undefined {
  if (material === undefined) return undefined
  const token = readMaterial(material).toString().trim()
  if (/[^\x21-\x7e]/.test(token)) throw new ConfigError('token', 'printable characters without a blank', 'others')
  if (token === '' && 'file' in material) throw unreadable(material.file, 'it is empty')
  return token === '' ? undefined : token
}

const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/** Node takes anything for authorities, and then trusts nobody. @throws {ConfigError} where there is not one certificate */
export function readAuthorities(material: Material): Buffer {
  const data = readMaterial(material)
  if (certificatesIn(data).length > 0) return data
  const found = `no certificate in ${data.length} bytes`
  throw new ConfigError(placeOf(material, 'certificate-authority'), 'certificates of authorities, as PEM', found)
}

function certificatesIn(data: Buffer): readonly X509Certificate[] {
  const blocks = data.toString('latin1').match(BLOCK) ?? []
  return blocks.flatMap((pem) => {
    try {
      return [new X509Certificate(pem)]
    } catch {
      return []
    }
  })
}

/** What a client shows of itself in TLS. */
export interface ClientCertificate {
  readonly certificate: Buffer
  readonly key: Buffer
}

/**
 * Both have to belong together: one of the two that is replaced before the other is no certificate of ours yet.
 * @throws {ConfigError} naming the file, or the field
 */
export function readClientCertificate(certificate: Material, key: Material): ClientCertificate {
  const read = { certificate: readMaterial(certificate), key: readMaterial(key) }
  const [own] = certificatesIn(read.certificate)
  const [place, keyPlace] = [placeOf(certificate, 'client-certificate'), placeOf(key, 'client-key')]
  if (own === undefined)
    throw new ConfigError(place, 'a client certificate, as PEM', `no certificate in ${read.certificate.length} bytes`)
  const privateKey = privateKeyIn(read.key)
  if (privateKey === undefined)
    throw new ConfigError(keyPlace, 'a private key, as PEM and without a passphrase', `${read.key.length} other bytes`)
  if (!own.checkPrivateKey(privateKey))
    throw new ConfigError(keyPlace, `the key of the certificate in ${place}`, 'another key')
  return read
}

function privateKeyIn(pem: Buffer): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** Where it stands, for a message. @param field of a kubeconfig */
const placeOf = (material: Material, field: string): string =>
  'file' in material ? material.file : `${field}-data of ${KUBECONFIG_FLAG}`
