import { ConfigError } from '../config/error.ts'
import { parseIp, type Ip } from '../net/ip.ts'
import { isReachableUnicast } from '../net/prefix.ts'

/** A flag of `flanneld`: its name, what it is for, and how its text becomes a value. */
export interface Flag<T> {
  readonly name: string
  /** What `--help` shows for the value; undefined for a boolean flag. */
  readonly placeholder: string | undefined
  readonly help: string
  readonly fallback: T
  /**
   * Reads what was given, once or more often. `source` is how the operator knows the flag: `--iface` or `FLANNELD_IFACE`.
   * @throws {ConfigError}
   */
  parse(texts: readonly string[], source: string): T
}

/** The environment variable that stands in for a flag that is not given (upstream's rule). */
export const environmentName = (flag: string): string => `FLANNELD_${flag.toUpperCase().replaceAll('-', '_')}`

/** Reads a value, or calls `fail` with what would have been right. */
type Read<T> = (text: string, fail: (expected: string) => never) => T

const failure =
  (source: string, text: string) =>
  (expected: string): never => {
    throw new ConfigError(source, expected, text)
  }

/** Given several times, the last one counts, as in Go. */
function flag<T>(name: string, placeholder: string | undefined, fallback: T, help: string, read: Read<T>): Flag<T> {
  const parse = (texts: readonly string[], source: string): T => {
    const last = texts.at(-1) ?? ''
    return read(last, failure(source, last))
  }
  return { name, placeholder, help, fallback, parse }
}

/** Every time it is given counts. */
function listFlag(name: string, placeholder: string, help: string, read: Read<string>): Flag<readonly string[]> {
  const parse = (texts: readonly string[], source: string): readonly string[] =>
    texts.map((text) => read(text, failure(source, text)))
  return { name, placeholder, help, fallback: [], parse }
}

const text = (name: string, placeholder: string, help: string): Flag<string | undefined> =>
  flag<string | undefined>(name, placeholder, undefined, help, (value) => value || undefined)

const integer = (name: string, fallback: number, min: number, max: number, help: string): Flag<number> =>
  flag(name, 'n', fallback, help, (value, fail) =>
    /^-?\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max
      ? Number(value)
      : fail(`a whole number from ${min} to ${max}`),
  )

/** What Go's strconv.ParseBool takes. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false] as const),
])

const boolean = (name: string, help: string): Flag<boolean> =>
  flag(name, undefined, false, help, (value, fail) => BOOLEANS.get(value) ?? fail('true or false'))

function readEndpoints(value: string, fail: (expected: string) => never): readonly string[] {
  const urls = value.split(',').map((url) => url.trim())
  return urls.every(isEndpoint) ? urls : fail('URLs such as http://192.168.33.10:2379, separated by commas')
}

function isEndpoint(candidate: string): boolean {
  const url = URL.canParse(candidate) ? new URL(candidate) : undefined
  return (url?.protocol === 'http:' || url?.protocol === 'https:') && url.hostname !== ''
}

function readPrefix(value: string, fail: (expected: string) => never): string {
  const key = value.replace(/\/+$/, '')
  if (key === '') return fail('a key such as /coreos.com/network')
  return key.startsWith('/') ? key : `/${key}`
}

function readPublicIp(value: string, fail: (expected: string) => never): Ip {
  const address = parseIp(value)
  if (address?.family === 4 && isReachableUnicast(address)) return address
  return fail('an IPv4 address that other hosts can reach')
}

const MINUTES_PER_DAY = 1_440
const SECONDS_PER_DAY = 86_400

/** Every flag of `flanneld`, by the option it sets. */
export const FLAGS = {
  endpoints: flag<readonly string[]>(
    'etcd-endpoints',
    'urls',
    ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'],
    'comma-separated URLs of etcd, tried in turn',
    readEndpoints,
  ),
  prefix: flag(
    'etcd-prefix',
    'key',
    '/coreos.com/network',
    'where the network configuration and the leases are kept',
    readPrefix,
  ),
  certFile: text('etcd-certfile', 'file', 'certificate to show to etcd (PEM)'),
  keyFile: text('etcd-keyfile', 'file', 'key of that certificate (PEM)'),
  caFile: text('etcd-cafile', 'file', 'certificate authority of etcd (PEM)'),
  username: text('etcd-username', 'name', 'user name for etcd'),
  password: text('etcd-password', 'secret', 'password for etcd; better in the environment, where ps cannot see it'),
  ifaces: listFlag(
    'iface',
    'name|ip',
    'underlay interface by name or address; repeatable, the first that fits is taken (default: that of the default route)',
    (value, fail) => value || fail('an interface name or an address'),
  ),
  publicIp: flag<Ip | undefined>(
    'public-ip',
    'ip',
    undefined,
    'address that peers send to, instead of that of the interface',
    readPublicIp,
  ),
  subnetFile: flag(
    'subnet-file',
    'file',
    '/run/flannel/subnet.env',
    'file to write the subnet and MTU to',
    (value, fail) => value || fail('a file name'),
  ),
  renewMarginMinutes: integer(
    'subnet-lease-renew-margin',
    60,
    1,
    MINUTES_PER_DAY - 1,
    'minutes before expiry by which the lease is renewed',
  ),
  stalePeerGraceSeconds: integer(
    'stale-peer-grace',
    300,
    0,
    SECONDS_PER_DAY,
    'seconds for which peers are kept whose leases a fault of etcd has taken (wiped, or restored from a backup); 0 keeps none',
  ),
  nodeId: text('node-id', 'id', 'identity of this node, instead of one derived from the machine id'),
  verbosity: integer('v', 0, 0, 1_000, 'log verbosity; 1 and more log every change'),
  version: boolean('version', 'print the version and exit'),
  help: boolean('help', 'print this and exit'),
} as const
