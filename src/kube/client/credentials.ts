import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigError } from '../../config/error.ts'
import type { KubeAccess } from '../../config/options.ts'
import { StoreError } from '../../lease/store.ts'
import type { Clock } from '../../time/clock.ts'
import { KUBECONFIG_FLAG, parseKubeconfig, type Kubeconfig, type Material } from './kubeconfig.ts'

/** How an API server is met. */
export interface Credentials {
  readonly url: URL
  readonly authorities: Buffer | undefined
  readonly isInsecure: boolean
  readonly serverName: string | undefined
  readonly certificate: Buffer | undefined
  readonly key: Buffer | undefined
  /** Value of the header Authorization; undefined: none. */
  readonly authorization: string | undefined
}

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where a pod finds what its service account has (Kubernetes documentation, "Accessing the Kubernetes API from a Pod"). */
export const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Files are looked at again after so long, in milliseconds: the kubelet replaces a token long before it ends. */
const FRESH_MS = 10_000

export interface CredentialSource {
  readonly access: Pick<KubeAccess, 'kubeconfigFile' | 'apiUrl'>
  readonly environment: Environment
  readonly clock: Clock
  /** Folder of the service account. */
  readonly serviceAccount?: string
}

/**
 * How the API server is met, read anew while we run: a kubeconfig with the files that it names, or the service account of a pod. What is
 * broken in the middle of an exchange changes nothing: what was good before stays in use.
 */
export class CredentialFiles {
  readonly #source: CredentialSource
  #inUse: Credentials | undefined
  #readAtMs = Number.NEGATIVE_INFINITY
  #problem: Error | undefined

  /** @throws {ConfigError} for what is there and cannot be used; a file that is not there yet is waited for */
  constructor(source: CredentialSource) {
    this.#source = source
    this.look()
    if (this.#problem instanceof ConfigError) throw this.#problem
  }

  /** @throws {StoreError | ConfigError} while there were none that could be used */
  get(): Credentials {
    if (this.#source.clock.monotonicMs() - this.#readAtMs >= FRESH_MS) this.look()
    if (this.#inUse !== undefined) return this.#inUse
    throw this.#problem ?? new TypeError('no credentials and no reason')
  }

  /** Reads the files again. Never fails. @returns whether they say something else than before */
  look(): boolean {
    this.#readAtMs = this.#source.clock.monotonicMs()
    try {
      const now = read(this.#source)
      this.#problem = undefined
      if (this.#inUse !== undefined && isSame(this.#inUse, now)) return false
      this.#inUse = now
      return true
    } catch (error) {
      this.#problem = error instanceof Error ? error : new Error(String(error))
      return false
    }
  }

  /** URL of the API server, as it was read last; empty: it was not. */
  get url(): string {
    return this.#inUse?.url.origin ?? ''
  }

  /** What is the matter with the files; undefined: nothing. */
  get problem(): string | undefined {
    return this.#problem?.message
  }
}

function read({ access, environment, serviceAccount = SERVICE_ACCOUNT }: CredentialSource): Credentials {
  const { kubeconfigFile, apiUrl } = access
  if (kubeconfigFile !== undefined) {
    const text = readMaterial({ file: kubeconfigFile }).toString()
    return resolved(parseKubeconfig(text, kubeconfigFile, apiUrl))
  }
  return resolved(apiUrl === undefined ? ofPod(environment, serviceAccount) : { ...NOTHING, server: apiUrl })
}

const NOTHING = {
  authority: undefined,
  isInsecure: false,
  serverName: undefined,
  certificate: undefined,
  key: undefined,
  token: undefined,
  basic: undefined,
}

function ofPod(environment: Environment, folder: string): Kubeconfig {
  const [host = '', port = ''] = [environment['KUBERNETES_SERVICE_HOST'], environment['KUBERNETES_SERVICE_PORT']]
  if (host === '' || port === '')
    throw new ConfigError(
      '--kube-subnet-mgr',
      `${KUBECONFIG_FLAG}, --kube-api-url, or KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which every pod has in its environment`,
      undefined,
    )
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { ...NOTHING, server, authority: { file: `${folder}/ca.crt` }, token: { file: `${folder}/token` } }
}

function resolved(config: Kubeconfig): Credentials {
  const { server, authority, isInsecure, serverName, certificate, key } = config
  if ((certificate === undefined) !== (key === undefined))
    throw new ConfigError(KUBECONFIG_FLAG, 'client-certificate and client-key together', 'one of them')
  return {
    url: parseUrl(server),
    authorities: authority && readAuthorities(authority),
    isInsecure,
    serverName,
    certificate: certificate && readMaterial(certificate),
    key: key && readMaterial(key),
    authorization: authorizationOf(config),
  }
}

function authorizationOf({ token, basic }: Kubeconfig): string | undefined {
  const bearer = token === undefined ? '' : readMaterial(token).toString().trim()
  if (/[^\x21-\x7e]/.test(bearer)) throw new ConfigError('token', 'printable characters without a blank', 'others')
  if (bearer !== '') return `Bearer ${bearer}`
  return basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`
}

function parseUrl(text: string): URL {
  const withScheme = text.includes('://') ? text : `https://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '') return url
  throw new ConfigError('URL of the API server', 'such as https://10.0.0.1:6443', text)
}

const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/** Node takes anything for authorities, and then trusts nobody. @throws {ConfigError} where there is not one certificate */
function readAuthorities(material: Material): Buffer {
  const data = readMaterial(material)
  const blocks = data.toString('latin1').match(BLOCK) ?? []
  if (blocks.some(isCertificate)) return data
  const where = 'file' in material ? material.file : `certificate-authority-data of ${KUBECONFIG_FLAG}`
  throw new ConfigError(where, 'certificates of authorities, as PEM', `no certificate in ${data.length} bytes`)
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

/** @throws {StoreError} where the file cannot be read: somebody may still be about to bring it */
function readMaterial(material: Material): Buffer {
  if ('data' in material) return material.data
  try {
    return readFileSync(material.file)
  } catch (cause) {
    const root = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    const message = `waiting for ${material.file}, which cannot be read (${root})`
    throw new StoreError({ op: 'connect', code: 'UNAVAILABLE', retryable: true, message, cause, root })
  }
}

const isSame = (a: Credentials, b: Credentials): boolean =>
  a.url.href === b.url.href &&
  a.authorization === b.authorization &&
  a.isInsecure === b.isInsecure &&
  a.serverName === b.serverName &&
  isSameData(a.authorities, b.authorities) &&
  isSameData(a.certificate, b.certificate) &&
  isSameData(a.key, b.key)

const isSameData = (a: Buffer | undefined, b: Buffer | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.equals(b)
