import { ConfigError } from '../../config/error.ts'
import type { KubeAccess } from '../../config/options.ts'
import type { Clock } from '../../time/clock.ts'
import { KUBECONFIG_FLAG, parseKubeconfig, type Kubeconfig } from './kubeconfig.ts'
import { readAuthorities, readClientCertificate, readMaterial, readToken, type ClientCertificate } from './material.ts'

/** How an API server is met. */
export interface Credentials {
  readonly url: URL
  readonly authorities: Buffer | undefined
  readonly isInsecure: boolean
  readonly serverName: string | undefined
  readonly client: ClientCertificate | undefined
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

  /** @throws {Error} `StoreError` or `ConfigError`, while there were none that could be used */
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

  /**
   * The variable of the environment that names a proxy for this API server; undefined: none does. Upstream's agents go by it, as Go programs
   * do: nodes of a cluster reach their API server without, and a proxy would end watches.
   */
  get ignoredProxy(): string | undefined {
    const { environment } = this.#source
    const scheme = this.#inUse?.url.protocol === 'http:' ? 'HTTP' : 'HTTPS'
    return [`${scheme}_PROXY`, `${scheme.toLowerCase()}_proxy`].find((name) => (environment[name] ?? '') !== '')
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
  const { server, authority, isInsecure, serverName } = config
  return {
    url: parseUrl(server),
    authorities: authority && readAuthorities(authority),
    isInsecure,
    serverName,
    client: clientOf(config),
    authorization: authorizationOf(config),
  }
}

function clientOf({ certificate, key }: Kubeconfig): ClientCertificate | undefined {
  if (certificate !== undefined && key !== undefined) return readClientCertificate(certificate, key)
  if (certificate === undefined && key === undefined) return undefined
  throw new ConfigError(KUBECONFIG_FLAG, 'client-certificate and client-key together', 'one of them')
}

function authorizationOf({ token, basic }: Kubeconfig): string | undefined {
  const bearer = readToken(token)
  if (bearer !== undefined) return `Bearer ${bearer}`
  return basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`
}

function parseUrl(text: string): URL {
  const withScheme = text.includes('://') ? text : `https://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '') return url
  throw new ConfigError('URL of the API server', 'such as https://10.0.0.1:6443', text)
}

const isSame = (a: Credentials, b: Credentials): boolean =>
  a.url.href === b.url.href &&
  a.authorization === b.authorization &&
  a.isInsecure === b.isInsecure &&
  a.serverName === b.serverName &&
  isSameData(a.authorities, b.authorities) &&
  isSameData(a.client?.certificate, b.client?.certificate) &&
  isSameData(a.client?.key, b.client?.key)

const isSameData = (a: Buffer | undefined, b: Buffer | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.equals(b)
