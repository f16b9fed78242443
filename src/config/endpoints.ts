import { parseIp } from '../net/ip.ts'
import { ConfigError } from './error.ts'
import type { EtcdAccess, IgnoredPath } from './options.ts'
import { hideSecret } from './secrets.ts'

type Scheme = 'http' | 'https'

/** One address of etcd, read. */
export interface Endpoint {
  /** Undefined where none was written. */
  readonly scheme: Scheme | undefined
  /** Name or address, and the port. */
  readonly authority: string
  /** What was written behind that and means nothing to us; mostly empty. */
  readonly path: string
}

/** etcd's client port registered with IANA. */
const DEFAULT_PORT = '2379'
const MAX_PORT = 65_535

const FLAG = '--etcd-endpoints'
/** What is expected where there is none at all, or something else. */
export const NO_ENDPOINT = 'URLs such as http://10.0.0.1:2379, separated by commas'
const WITHOUT_USER = 'no user or password in it (there are flags for them)'
/** A URL takes addresses of less than four numbers, of hexadecimal and of octal ones (WHATWG URL, IPv4 parser), and so means others than were meant. */
const fourNumbers = (host: string): string =>
  `an IPv4 address of four numbers such as 10.0.0.1, without zeros in front, in place of ${host}`
const IN_BRACKETS = 'an IPv6 address in brackets, such as http://[fd00::1]:2379'

/**
 * The endpoints in a text: separated by commas, spaces or both, of which there may be too many; quotes around it, which neither
 * `docker run --env-file` nor every unit file takes away, are no part of it.
 */
export function splitEndpoints(text: string): readonly string[] {
  const bare = text.trim().replace(/^(["'])(.*)\1$/s, '$2')
  return bare.split(/[\s,]+/).filter((part) => part !== '')
}

/** One endpoint, with or without scheme, port and path, or what was expected in its place. */
export function parseEndpoint(text: string): Endpoint | { readonly expected: string } {
  const [, given = '', rest = ''] = /^(?:([a-z][a-z\d+.-]*):\/\/)?(.*)$/is.exec(text) ?? []
  const scheme = given.toLowerCase()
  const [, authority = '', path = ''] = /^([^/?#]*)(.*)$/s.exec(rest) ?? []
  if (parseIp(authority)?.family === 6) return { expected: IN_BRACKETS }
  const url = URL.canParse(`http://${authority}`) ? new URL(`http://${authority}`) : undefined
  if (url !== undefined && (url.username !== '' || url.password !== '')) return { expected: WITHOUT_USER }
  const [, port = DEFAULT_PORT] = /:(\d+)$/.exec(authority) ?? []
  const isPort = Number(port) > 0 && Number(port) <= MAX_PORT
  if (url === undefined || !isPort || /^https?:?$|:$/i.test(authority)) return { expected: NO_ENDPOINT }
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') return { expected: NO_ENDPOINT }
  const host = authority.replace(/:\d+$/, '')
  if (parseIp(url.hostname)?.family === 4 && host !== url.hostname) return { expected: fourNumbers(host) }
  return {
    scheme: scheme === '' ? undefined : scheme,
    authority: `${url.hostname}:${Number(port)}`,
    path: path === '/' ? '' : path,
  }
}

/**
 * The URLs of endpoints as somebody wrote them, in one spelling. One without a scheme is reached as its neighbours are told to, as
 * upstream has it: by TLS where there are files for that.
 * @throws {ConfigError}
 */
export function readEndpoints(
  texts: readonly string[],
  hasTlsFiles: boolean,
): Pick<EtcdAccess, 'endpoints' | 'ignoredPaths'> {
  const found = texts.flatMap(splitEndpoints).map((text) => ({ text, endpoint: endpointOf(text) }))
  if (found.length === 0) throw new ConfigError(FLAG, NO_ENDPOINT, undefined)
  const otherwise: Scheme = hasTlsFiles ? 'https' : 'http'
  const ignored = found.flatMap(({ text, endpoint: { path } }) => (path === '' ? [] : [{ path, endpoint: text }]))
  return {
    endpoints: found.map(({ endpoint: { scheme = otherwise, authority } }) => `${scheme}://${authority}`),
    ignoredPaths: ignored.length > 0 ? ignored : undefined,
  }
}

function endpointOf(text: string): Endpoint {
  const endpoint = parseEndpoint(text)
  if ('expected' in endpoint) throw new ConfigError(FLAG, endpoint.expected, hideSecret(text))
  return endpoint
}

/** To be said once. */
export const describeIgnored = ({ path, endpoint }: IgnoredPath): string =>
  `${path} in ${endpoint} (${FLAG}) is left out: the v3 API of etcd has no path`

const isSet = (text: string | undefined): boolean => text !== undefined && text !== ''

/**
 * Options that contradict each other. Better no connection than one less protected than somebody meant it to be.
 * @throws {ConfigError} naming the flag
 */
export function checkEtcdAccess(access: EtcdAccess): void {
  const { endpoints, caFile, certFile, keyFile, username, password } = access
  if (isSet(password) && !isSet(username))
    throw new ConfigError('--etcd-username', 'the user whom --etcd-password belongs to', undefined)
  if (isSet(username) && !isSet(password))
    throw new ConfigError('--etcd-password', 'the password of the user in --etcd-username', undefined)
  const plain = endpoints.filter((url) => !url.startsWith('https:'))
  if (plain.length === 0) return
  if (plain.length < endpoints.length)
    throw new ConfigError(
      FLAG,
      'https:// in all of them or in none: what is sent to the others can be read on the way',
      plain,
    )
  const flags = Object.entries({ '--etcd-cafile': caFile, '--etcd-certfile': certFile, '--etcd-keyfile': keyFile })
  for (const [flag, path] of flags)
    if (path !== undefined && path !== '')
      throw new ConfigError(flag, `an https:// endpoint to go with it in ${FLAG}`, hideSecret(path))
}
