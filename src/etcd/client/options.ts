import type { EtcdAccess } from '../../config/options.ts'
import { ConfigError } from '../../config/error.ts'

/** One address of etcd, checked. */
export interface EtcdAddress {
  /** Canonical, with the port: `https://10.0.0.1:2379`. Fit for logs. */
  readonly url: string
  readonly secure: boolean
}

/** etcd's client port registered with IANA. */
const DEFAULT_PORT = '2379'
const EXPECTED = 'an endpoint such as http://10.0.0.1:2379'

/** @throws {ConfigError} for `--etcd-endpoints` */
export function parseEndpoints(endpoints: readonly string[]): readonly EtcdAddress[] {
  const addresses = endpoints.map((text) => text.trim()).filter((text) => text !== '')
  if (addresses.length === 0) throw new ConfigError('--etcd-endpoints', EXPECTED, undefined)
  return addresses.map(parseEndpoint)
}

function parseEndpoint(text: string): EtcdAddress {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (url === undefined) throw new ConfigError('--etcd-endpoints', EXPECTED, text)
  if (url.username !== '' || url.password !== '')
    throw new ConfigError('--etcd-endpoints', 'no user or password in it (there are flags for them)', url.host)
  const bare = (url.pathname === '/' || url.pathname === '') && url.search === '' && url.hash === ''
  if (!['http:', 'https:'].includes(url.protocol) || url.hostname === '' || !bare)
    throw new ConfigError('--etcd-endpoints', EXPECTED, text)
  return { url: `${url.protocol}//${url.hostname}:${portOf(url, withScheme)}`, secure: url.protocol === 'https:' }
}

/** URL drops a port that is its scheme's default, which is not etcd's. */
function portOf(url: URL, text: string): string {
  if (url.port !== '') return url.port
  return /:(\d+)\/?$/.exec(text)?.[1] ?? DEFAULT_PORT
}

const isSet = (text: string | undefined): boolean => text !== undefined && text !== ''

/**
 * Options that contradict each other. Better no connection than one less protected than somebody meant it to be.
 * @throws {ConfigError} naming the flag
 */
export function checkCredentials(options: EtcdAccess, addresses: readonly EtcdAddress[]): void {
  const { caFile, certFile, keyFile, username, password } = options
  if (isSet(password) && !isSet(username))
    throw new ConfigError('--etcd-username', 'the user whom --etcd-password belongs to', undefined)
  if (addresses.some(({ secure }) => secure)) return
  const flags = Object.entries({ '--etcd-cafile': caFile, '--etcd-certfile': certFile, '--etcd-keyfile': keyFile })
  for (const [flag, path] of flags)
    if (isSet(path)) throw new ConfigError(flag, 'an https:// endpoint to go with it in --etcd-endpoints', path)
}
