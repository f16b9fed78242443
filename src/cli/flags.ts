import { NO_ENDPOINT, parseEndpoint, splitEndpoints } from '../config/endpoints.ts'
import type { TextPattern } from '../config/options.ts'
import { ipFromBytes, parseIp, type Family, type Ip } from '../net/ip.ts'
import { isReachableUnicast } from '../net/prefix.ts'
import { boolean, choice, flag, integer, listFlag, secret, text, textOr, type Flag, type Read } from './flag.ts'
import { compileGoRegExp } from './go-regexp.ts'

export { environmentName, type Flag } from './flag.ts'

const MINUTES_PER_DAY = 1_440
const SECONDS_PER_DAY = 86_400
const MAX_PORT = 65_535

/** As they were written, each known to be one: how they are to be reached depends on other flags. */
function checkEndpoints(value: string, fail: (expected: string) => never): readonly string[] {
  const endpoints = splitEndpoints(value)
  if (endpoints.length === 0) fail(NO_ENDPOINT)
  for (const endpoint of endpoints.map(parseEndpoint)) if ('expected' in endpoint) fail(endpoint.expected)
  return endpoints
}

function readPrefix(value: string, fail: (expected: string) => never): string {
  const key = value.replace(/\/+$/, '')
  if (key === '') return fail('a key such as /coreos.com/network')
  return key.startsWith('/') ? key : `/${key}`
}

const readPublicIp =
  (family: Family): Read<Ip | undefined> =>
  (value, fail) => {
    const address = parseIp(value)
    if (address?.family === family && isReachableUnicast(address)) return address
    return fail(`an IPv${family} address that other hosts can reach`)
  }

function readRegExp(value: string, fail: (expected: string) => never): TextPattern {
  const compiled = compileGoRegExp(value)
  return 'problem' in compiled ? fail(`a regular expression: ${compiled.problem}`) : compiled
}

const readIp: Read<Ip> = (value, fail) => parseIp(value) ?? fail('an IP address')

const ETCD = {
  endpoints: flag<readonly string[]>(
    'etcd-endpoints',
    'urls',
    ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'],
    'comma-separated URLs of etcd, tried in turn',
    checkEndpoints,
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
  password: secret('etcd-password', 'secret', 'password for etcd; better in the environment, where ps cannot see it'),
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
} as const

const UNDERLAY = {
  ifaces: listFlag(
    'iface',
    'name|ip',
    'underlay interface by name or address; repeatable, the first that fits is taken (default: that of the default route)',
    (value, fail) => value || fail('an interface name or an address'),
  ),
  ifaceRegexes: listFlag(
    'iface-regex',
    'regex',
    'underlay interface whose name or address matches; repeatable, asked when no --iface fits',
    readRegExp,
  ),
  ifaceCanReach: flag<Ip | undefined>(
    'iface-can-reach',
    'ip',
    undefined,
    'underlay interface through which the kernel reaches this address',
    readIp,
  ),
  publicIp: flag<Ip | undefined>(
    'public-ip',
    'ip',
    undefined,
    'address that peers send to, instead of that of the interface',
    readPublicIp(4),
  ),
  publicIpv6: flag<Ip | undefined>('public-ipv6', 'ip', undefined, 'the same for IPv6', readPublicIp(6)),
} as const

const OVERLAY = {
  ipMasq: boolean('ip-masq', false, 'masquerade what leaves the overlay'),
  noRandomFully: boolean(
    'ip-masq-fully-random-disable',
    false,
    'let masqueraded connections keep their source ports where possible',
  ),
  ipBlackholeRoute: boolean(
    'ip-blackhole-route',
    false,
    'drop what is for an address of our subnet that no container has, instead of sending it to the default route',
  ),
  forwardRules: boolean('iptables-forward-rules', true, 'accept forwarded packets of the overlay in the firewall'),
  firewallResyncSeconds: integer(
    'iptables-resync',
    5,
    1,
    SECONDS_PER_DAY,
    'seconds between two looks at the firewall rules',
  ),
  peerFilter: boolean(
    'vxlan-peer-filter',
    false,
    'take VXLAN packets only from hosts that hold a lease (not in upstream)',
  ),
  peerProbes: boolean(
    'peer-probes',
    true,
    'ask peers by ICMP echo over the overlay whether packets arrive (not in upstream)',
  ),
} as const

const FILES = {
  subnetFile: flag(
    'subnet-file',
    'file',
    '/run/flannel/subnet.env',
    'file to write the subnet and MTU to',
    (value, fail) => (value === '' || value.endsWith('/') ? fail('the name of a file') : value),
  ),
  statusSocket: text(
    'status-socket',
    'path',
    'Unix socket to answer flanneld status and other commands at (default: flanneld.sock beside the subnet file); none serves nothing',
  ),
  healthzIp: flag<Ip>('healthz-ip', 'ip', ipFromBytes([0, 0, 0, 0]), 'address to serve /healthz and /readyz at', readIp), // prettier-ignore
  healthzPort: integer('healthz-port', 0, 0, MAX_PORT, 'port to serve /healthz and /readyz at; 0 serves neither'),
  healthzStatus: boolean(
    'healthz-status',
    false,
    'answer /status and the rest of the status at the health port as well, to whoever can reach it; it changes nothing there',
  ),
  healthzPage: boolean(
    'healthz-page',
    false,
    'serve a page there that shows the overlay in a browser, and what --healthz-status answers, to whoever can reach it',
  ),
  verbosity: integer('v', 0, 0, 1_000, 'log verbosity; 1 and more log every change'),
  logFormat: choice('log-format', ['text', 'json'], 'lines of the log: for people, or each a JSON object'),
} as const

const IDENTITY = {
  nodeId: text('node-id', 'id', 'identity of this node, instead of one derived from the machine id'),
} as const

/** Upstream's rule: one slash at most, and one is put behind where there is none; a name behind it is set off by a dash. */
function readAnnotationPrefix(value: string, fail: (expected: string) => never): string {
  const slashed = value.includes('/') ? value : `${value}/`
  const prefix = /[/-]$/.test(slashed) ? slashed : `${slashed}-`
  if (/^(?:[a-z\d_-]+\.)+[a-z\d_-]+\/(?:[a-z\d_-]+-)?$/.test(prefix)) return prefix
  return fail('a domain in small letters such as example.com, and behind one slash, if any, a name: example.com/name')
}

function readApiUrl(value: string, fail: (expected: string) => never): string {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:\/\//i.test(value)) return fail('a URL such as https://10.0.0.1:6443')
  if (url.username !== '' || url.password !== '') return fail('no user or password in it (a kubeconfig file has them)')
  return value.replace(/\/+$/, '')
}

const KUBERNETES = {
  kubeSubnetMgr: boolean(
    'kube-subnet-mgr',
    false,
    'ask the Kubernetes API server instead of etcd: the subnet is the podCIDR of our Node (NODE_NAME, or POD_NAME and POD_NAMESPACE, say which)',
  ),
  kubeApiUrl: flag<string | undefined>(
    'kube-api-url',
    'url',
    undefined,
    'URL of the Kubernetes API server, instead of that in the kubeconfig file or in the pod',
    readApiUrl,
  ),
  kubeconfigFile: text(
    'kubeconfig-file',
    'file',
    'how to reach the Kubernetes API server (default: as a pod does, by its service account)',
  ),
  kubeAnnotationPrefix: flag(
    'kube-annotation-prefix',
    'prefix',
    'flannel.alpha.coreos.com/',
    'what the names of our annotations start with',
    readAnnotationPrefix,
  ),
  netConfigPath: textOr(
    'net-config-path',
    'file',
    '/etc/kube-flannel/net-conf.json',
    'network configuration, with --kube-subnet-mgr',
  ),
  setNodeNetworkUnavailable: boolean(
    'set-node-network-unavailable',
    true,
    'set the condition NetworkUnavailable of our Node to False, with --kube-subnet-mgr',
  ),
} as const

const PRINT = {
  check: boolean(
    'check',
    false,
    'say what is wrong with flags and variables, and exit: with 0 when a start would work',
  ),
  version: boolean('version', false, 'print the version, the commit, and what it runs on, and exit'),
  licenses: boolean('licenses', false, 'print the licences of all that is inside and exit'),
  help: boolean('help', false, 'print this and exit'),
} as const

/** Every flag of `flanneld`, by the option it sets. */
export const FLAGS = {
  ...ETCD,
  ...UNDERLAY,
  ...OVERLAY,
  ...FILES,
  ...IDENTITY,
  ...KUBERNETES,
  ...PRINT,
} as const

export interface FlagGroup {
  readonly title: string
  readonly flags: readonly Flag<unknown>[]
}

/** The same flags, in the order and under the headings of `--help`. */
export const FLAG_GROUPS: readonly FlagGroup[] = [
  { title: 'etcd', flags: Object.values(ETCD) },
  { title: 'Underlay interface', flags: Object.values(UNDERLAY) },
  { title: 'Overlay and firewall', flags: Object.values(OVERLAY) },
  { title: 'Files, health and log', flags: Object.values(FILES) },
  { title: 'Identity', flags: Object.values(IDENTITY) },
  { title: 'Kubernetes', flags: Object.values(KUBERNETES) },
  { title: 'Other', flags: Object.values(PRINT) },
]
