import { posix } from 'node:path'
import { factsOf, type Import } from './facts.ts'

/** A room is a folder of src/, without its sub-folders that are rooms: which others it may import, and why no more. */
interface Room {
  readonly sees: readonly string[]
  readonly because: string
}

const BACKEND =
  'it turns leases into rows, and perhaps a device; it shares nothing with other backends but the interface'
const PORT = 'it implements a port: it knows the core it serves, and can be exchanged because no other part knows it'

/** Who imports whom. Each room sees only rooms that stand before it. */
export const ROOMS: Readonly<Record<string, Room>> = {
  native: { sees: [], because: 'it is C and what loads it, and knows nothing of what it is used for' },
  net: { sees: [], because: 'value types stand at the bottom, for everybody to use' },
  columns: { sees: ['net'], because: 'numbers are kept side by side in one way, whatever they are numbers of' },
  text: { sees: [], because: 'how text of others can be shown is the same wherever it is shown' },
  http: { sees: [], because: 'questions over HTTP are answered within the same bounds, whatever they are about' },
  observe: { sees: ['text', 'http'], because: 'everybody reports to it, so it may need nobody who reports' },
  present: { sees: [], because: 'how a table, a colour or an age is drawn does not depend on what is shown' },
  time: { sees: [], because: 'waiting is the same whatever is waited for' },
  counts: { sees: ['net'], because: 'what is counted is the same whoever counts, and whoever reads it' },
  config: { sees: ['net'], because: 'what is configured does not depend on what is made of it' },
  kernel: { sees: ['net'], because: 'the words for what a kernel holds are the same whoever reads and writes it' },
  'lease/plain': { sees: ['net'], because: 'the commonest form of a value is the same to whoever reads or keeps it' },
  lease: {
    sees: ['net', 'time', 'config', 'lease/plain'],
    because: 'a lease is the same whatever backend and kernel it is for',
  },
  'lease/packed': {
    sees: ['columns', 'lease', 'lease/plain'],
    because: 'how records are kept does not depend on what is thought of them',
  },
  'lease/peers': {
    sees: ['net', 'columns', 'time', 'config', 'lease', 'lease/packed'],
    because: 'who may be a peer does not depend on how it is reached',
  },
  'lease/keeper': {
    sees: ['net', 'time', 'lease'],
    because: 'keeping a lease needs the port for leases, and nothing of who wants it',
  },
  'lease/acquire': {
    sees: ['net', 'time', 'config', 'lease'],
    because: 'coming by a lease and keeping it are two things, which have the words for leases in common',
  },
  'reconcile/tracker': {
    sees: ['net', 'columns', 'kernel'],
    because: 'what differs is found in one way, whoever wants a row, and whatever is done about it',
  },
  reconcile: {
    sees: ['net', 'columns', 'time', 'kernel', 'reconcile/tracker'],
    because: 'it makes tables equal, whoever wants the rows and why',
  },
  'reconcile/former': {
    sees: ['net', 'kernel'],
    because: 'what may go from a host follows from what stands there and what is kept, whoever removes it',
  },
  backend: {
    sees: ['net', 'observe', 'time', 'config', 'kernel', 'lease', 'lease/peers', 'reconcile'],
    because: 'it is what all backends have in common, and knows none of them',
  },
  'backend/device': {
    sees: ['net', 'observe', 'time', 'kernel', 'backend'],
    because: 'how a device is brought about, watched and mended is the same whatever its kind',
  },
  'backend/vxlan': {
    sees: ['net', 'config', 'kernel', 'lease', 'reconcile', 'backend', 'backend/device'],
    because: BACKEND,
  },
  'backend/udp': {
    sees: ['net', 'config', 'kernel', 'lease', 'reconcile', 'backend', 'backend/device'],
    because: BACKEND,
  },
  'backend/hostgw': { sees: ['kernel', 'lease', 'reconcile', 'backend'], because: BACKEND },
  'backend/alloc': { sees: ['backend'], because: BACKEND },
  'backend/choice': {
    sees: ['config', 'backend', 'backend/vxlan', 'backend/udp', 'backend/hostgw', 'backend/alloc'],
    because: 'it is the one place that knows all backends, so that nobody else need know any',
  },
  'etcd/wire': { sees: [], because: 'messages are read and written without a connection, so that tests need none' },
  'etcd/client': {
    sees: ['time', 'config', 'lease', 'etcd/wire'],
    because:
      'how etcd is spoken to does not depend on what is kept there; of leases it knows the errors of their store',
  },
  'etcd/keys': {
    sees: ['columns', 'time', 'lease', 'etcd/wire', 'etcd/client'],
    because: 'keys are listed, watched and written in one way, whatever they hold',
  },
  etcd: { sees: ['time', 'config', 'lease', 'etcd/client', 'etcd/keys'], because: PORT },
  'kube/nodes': {
    sees: ['config', 'lease'],
    because: 'what is wanted of a Node does not depend on how the API server is asked',
  },
  'kube/client': {
    sees: ['text', 'time', 'config', 'lease'],
    because:
      'how an API server is spoken to does not depend on what is kept there; of leases it knows the errors of their store',
  },
  kube: { sees: ['time', 'config', 'lease', 'kube/nodes', 'kube/client'], because: PORT },
  'netlink/codec': {
    sees: ['net', 'kernel'],
    because: 'bytes are made and read without a socket, so that tests need none',
  },
  netlink: { sees: ['native', 'net', 'time', 'kernel', 'netlink/codec'], because: PORT },
  firewall: { sees: ['net', 'config', 'kernel'], because: PORT },
  'firewall/peer-filter': {
    sees: ['net', 'kernel', 'firewall'],
    because: 'it is a table of its own, written and read in nft alone; of the firewall it knows how programs are run',
  },
  'firewall/others': {
    sees: ['net', 'config', 'kernel', 'firewall', 'firewall/peer-filter'],
    because:
      'it reads and judges what others have written, and writes nothing; of the firewall it knows how rules are read',
  },
  'host/underlay': {
    sees: ['net', 'columns', 'config', 'kernel'],
    because: 'which address is ours follows from what the kernel and the configuration say, whatever is made of it',
  },
  'host/files': { sees: [], because: 'how a file is read and replaced does not depend on what stands in it' },
  host: { sees: ['net', 'time', 'config', 'kernel', 'host/files'], because: PORT },
  'host/claim': {
    sees: ['time'],
    because: 'who else may be an agent here does not depend on what an agent does to the host',
  },
  cli: { sees: ['net', 'config'], because: 'a command line is read before there is anything to run' },
  'cli/settings': {
    sees: ['config', 'cli'],
    because: 'where else the settings of the daemon stand is found out for commands alone; the daemon reads its own',
  },
  'cli/command': {
    sees: ['config', 'cli'],
    because: 'how a command line is read is the same whatever the command does',
  },
  'cli/specs': {
    sees: ['net', 'cli', 'cli/command'],
    because: 'what a command takes is read, and explained, without the command',
  },
  cni: {
    sees: ['net', 'config', 'host', 'host/files'],
    because: 'it lives for one call of a container runtime, and knows the agent by the subnet file alone',
  },
  'cni/install': {
    sees: ['config', 'host/files'],
    because: 'what is put where for runtimes does not depend on what the plugin does when they call it',
  },
  docker: {
    sees: ['net', 'config', 'host', 'cli'],
    because: 'it lives for one start of Docker, and knows the agent by the subnet file alone',
  },
  completion: {
    sees: ['cli', 'cli/command', 'cli/specs', 'cni', 'docker'],
    because: 'what a shell offers, and a manual page says, is made of what every command says of itself',
  },
  probe: {
    sees: ['net', 'time'],
    because: 'what is asked of peers, and what their answers mean, is the same whatever socket it goes through',
  },
  'probe/asking': {
    sees: ['net', 'columns', 'time', 'probe'],
    because: 'who is asked when, and how that is judged, is the same whoever wants to know and whatever carries it',
  },
  icmp: { sees: ['native', 'net', 'probe'], because: PORT },
  status: {
    sees: ['config', 'kernel', 'lease', 'net', 'probe'],
    because: 'it is the words in which an agent says how it is, for whoever says and whoever hears them',
  },
  'status/client': {
    sees: ['status'],
    because: 'an agent is asked through its socket by whoever wants to know, and nothing of it is loaded for that',
  },
  'page/model': {
    sees: ['net', 'probe', 'status'],
    because: 'it makes of documents what is to be seen, and is computed and tested without a browser',
  },
  page: { sees: ['http', 'host'], because: 'it serves a text, and does not know what the text is' },
  metrics: {
    sees: ['text', 'counts', 'lease', 'probe', 'status'],
    because: 'it writes what is known in the words of Prometheus, and asks nobody: it is loaded when somebody scrapes',
  },
  doctor: {
    sees: ['net', 'time', 'kernel', 'status'],
    because: 'it judges what it is handed, and knows neither socket nor store',
  },
  'page/view': {
    sees: ['probe', 'status', 'page/model', 'doctor'],
    because: 'it runs in a browser, and knows an agent by its documents, and of doctor what puts a condition right',
  },
  'doctor/kernel': {
    sees: ['net', 'kernel', 'status', 'doctor'],
    because: 'what a kernel does to packets beside rules and routes follows from what it shows, however that is read',
  },
  'doctor/packets': {
    sees: ['net', 'text', 'kernel', 'status', 'doctor', 'doctor/kernel'],
    because: 'why packets do not arrive follows from what is seen, however it is read',
  },
  'doctor/read': {
    sees: [
      'native',
      'net',
      'time',
      'config',
      'kernel',
      'lease',
      'etcd',
      'firewall',
      'host',
      'probe',
      'icmp',
      'status',
      'doctor',
    ],
    because: 'it reads for checks what they are handed, and judges nothing',
  },
  'doctor/store': {
    sees: ['net', 'text', 'status', 'doctor'],
    because: 'what a failure of etcd means follows from what it says, whoever asks',
  },
  'doctor/kube': {
    sees: ['net', 'text', 'status', 'doctor'],
    because: 'what an API server answers, and what stands there, means the same however it was asked',
  },
  'doctor/host': {
    sees: ['net', 'kernel', 'host', 'status', 'doctor'],
    because: 'it judges what is read of a host, and reads nothing itself',
  },
  show: {
    sees: ['text', 'present', 'probe', 'status', 'doctor'],
    because: 'what people read of a document is made of the document alone, so that tests need no agent',
  },
  cleanup: {
    sees: ['net', 'time', 'kernel', 'lease', 'reconcile', 'reconcile/former', 'backend/vxlan'],
    because:
      'it looks for what the agent leaves, on the host and in the store, through the same ports, and runs without it',
  },
  'agent/view': {
    sees: ['net', 'config', 'kernel', 'lease', 'reconcile', 'backend'],
    because: 'it is the words in which the parts of a session show themselves, and holds none of them',
  },
  bugreport: { sees: [], because: 'what goes into a report, and what must not, is the same whoever collects it' },
  'agent/runtime': {
    sees: [
      'net',
      'text',
      'observe',
      'time',
      'counts',
      'config',
      'kernel',
      'lease',
      'reconcile',
      'backend',
      'host/underlay',
      'agent/view',
      'probe',
      'status',
    ],
    because: 'how a task runs, fails and says so is the same whatever it does',
  },
  'agent/managers': {
    sees: ['net', 'time', 'counts', 'lease', 'agent/runtime'],
    because: 'what subnet managers have in common does not depend on what keeps the subnets',
  },
  'etcd/subnets': {
    sees: [
      'net',
      'text',
      'observe',
      'time',
      'config',
      'lease',
      'lease/keeper',
      'lease/acquire',
      'agent/runtime',
      'agent/managers',
    ],
    because: 'it manages subnets over the port for leases: with the rest of etcd/ in it, it could not run on fakes',
  },
  'kube/net-config': {
    sees: ['time', 'config', 'host/files', 'host', 'agent/runtime'],
    because: 'where the configuration is in a file, it is read and followed in one way, whoever gives out subnets',
  },
  'kube/subnets': {
    sees: ['net', 'time', 'config', 'lease', 'kube/nodes', 'agent/runtime', 'agent/managers'],
    because: 'it manages subnets over the port for Nodes: with the rest of kube/ in it, it could not run on fakes',
  },
  'agent/status': {
    sees: [
      'net',
      'text',
      'http',
      'time',
      'counts',
      'config',
      'kernel',
      'lease',
      'reconcile',
      'backend',
      'probe',
      'status',
      'metrics',
      'agent/view',
      'agent/runtime',
    ],
    because: 'it says how the agent is when it is asked: it looks at what others know, and keeps nothing',
  },
  'agent/subnet-file': {
    sees: ['net', 'observe', 'time', 'backend', 'host', 'host/files', 'agent/runtime'],
    because: 'it writes what it is told of the overlay, and does not ask',
  },
  'agent/host': {
    sees: [
      'net',
      'observe',
      'time',
      'counts',
      'config',
      'kernel',
      'backend',
      'host',
      'agent/view',
      'agent/runtime',
      'agent/subnet-file',
    ],
    because: 'what the host needs beside the overlay does not depend on its peers',
  },
  'agent/peers': {
    sees: ['observe', 'time', 'config', 'lease', 'lease/peers', 'backend', 'agent/runtime'],
    because: 'who the peers are is settled before anything is programmed for them',
  },
  'agent/datapath': {
    sees: [
      'net',
      'columns',
      'time',
      'counts',
      'config',
      'kernel',
      'lease',
      'lease/peers',
      'reconcile',
      'reconcile/former',
      'backend',
      'host/underlay',
      'agent/view',
      'agent/runtime',
      'agent/peers',
    ],
    because: 'it is handed peers, and programs them',
  },
  trace: {
    sees: ['net', 'text', 'present', 'config', 'kernel', 'lease', 'backend/vxlan', 'status'],
    because: 'it follows the way to a peer through what it is handed, and asks nobody but the kernel port',
  },
  'agent/around': {
    sees: ['net', 'time', 'config', 'kernel', 'lease/peers', 'host/underlay', 'agent/runtime', 'agent/datapath'],
    because: 'it says what is around the overlay, and programs nothing',
  },
  'agent/peer-filter': {
    sees: [
      'net',
      'observe',
      'time',
      'counts',
      'config',
      'kernel',
      'reconcile/tracker',
      'backend',
      'agent/runtime',
      'agent/peers',
    ],
    because: 'it knows whom to let in, and not how they are reached',
  },
  'agent/probes': {
    sees: ['net', 'time', 'kernel', 'backend', 'probe', 'probe/asking', 'agent/runtime', 'agent/peers'],
    because: 'it asks peers and says how they answer, and nothing is programmed otherwise for it',
  },
  agent: {
    sees: [
      'net',
      'time',
      'config',
      'kernel',
      'lease',
      'lease/peers',
      'backend',
      'backend/choice',
      'host/underlay',
      'host',
      'agent/view',
      'agent/runtime',
      'agent/subnet-file',
      'agent/host',
      'agent/peers',
      'agent/datapath',
      'agent/around',
      'agent/peer-filter',
      'agent/status',
      'agent/probes',
    ],
    because: 'it drives the core against ports: with etcd/ or netlink/ in it, it could not run on fakes',
  },
  plan: {
    sees: [
      'net',
      'text',
      'observe',
      'time',
      'counts',
      'config',
      'kernel',
      'lease',
      'host/files',
      'agent/runtime',
      'etcd/subnets',
      'agent',
      'probe',
      'kube/nodes',
      'kube/subnets',
    ],
    because:
      'it runs the agent as it is, on ports that write nothing: another idea of what an agent does would be wrong',
  },
  admin: {
    sees: ['net', 'config', 'lease', 'lease/peers', 'backend/vxlan'],
    because: 'what may be done to the store follows from what stands there, whoever does it',
  },
  'admin/show': {
    sees: ['text', 'config', 'lease', 'present', 'plan', 'admin'],
    because: 'what people read of it is made of values alone, so that tests need neither store nor host',
  },
  'commands/serve': {
    sees: ['native', 'http', 'config', 'etcd', 'netlink', 'host', 'page', 'agent/runtime', 'agent/status'],
    because: 'it puts together what the daemon answers with, and where',
  },
  'commands/stores': {
    sees: [
      'observe',
      'time',
      'counts',
      'config',
      'etcd',
      'kube',
      'host',
      'agent/runtime',
      'etcd/subnets',
      'kube/net-config',
      'kube/subnets',
      'commands/serve',
    ],
    because: 'of the stores that a daemon can ask, only the one that it does is loaded',
  },
  commands: {
    sees: [
      'native',
      'text',
      'observe',
      'counts',
      'config',
      'lease',
      'etcd',
      'netlink',
      'firewall',
      'firewall/peer-filter',
      'firewall/others',
      'host',
      'host/files',
      'host/claim',
      'http',
      'status',
      'cli',
      'cni',
      'cni/install',
      'cli/command',
      'cli/specs',
      'docker',
      'probe',
      'icmp',
      'cleanup',
      'agent/runtime',
      'agent/status',
      'agent',
      'commands/serve',
      'commands/stores',
    ],
    because: 'each is a composition root',
  },
  'commands/settings': {
    sees: [
      'time',
      'config',
      'lease',
      'etcd',
      'host',
      'cli',
      'cli/settings',
      'commands',
      'status',
      'kube',
      'kube/subnets',
    ],
    because: 'commands beside the daemon find out what it was told in one way',
  },
  'commands/asking': {
    sees: [
      'net',
      'text',
      'config',
      'present',
      'cli',
      'cli/command',
      'status',
      'status/client',
      'commands',
      'commands/settings',
    ],
    because: 'what all commands have in common that people look at is done once, whatever they ask',
  },
  'commands/store': {
    sees: [
      'net',
      'config',
      'kernel',
      'lease',
      'etcd',
      'netlink',
      'host',
      'host/claim',
      'cli',
      'cli/specs',
      'cleanup',
      'etcd/subnets',
      'admin',
      'admin/show',
      'commands',
      'commands/settings',
      'commands/asking',
      'kube/nodes',
      'kube/net-config',
      'kube/subnets',
    ],
    because: 'each asks etcd itself, and writes what it was told to, whether an agent runs or not',
  },
  'commands/planning': {
    sees: [
      'config',
      'lease',
      'etcd',
      'netlink',
      'firewall',
      'firewall/peer-filter',
      'host',
      'cli',
      'cli/specs',
      'plan',
      'admin',
      'admin/show',
      'commands/settings',
      'commands/asking',
      'kube/net-config',
    ],
    because: 'it is the composition root of a plan, as the daemon is that of an agent',
  },
  'commands/examine': {
    sees: [
      'config',
      'kernel',
      'lease',
      'etcd',
      'netlink',
      'firewall',
      'firewall/others',
      'host',
      'cli',
      'cli/specs',
      'status',
      'status/client',
      'doctor',
      'doctor/store',
      'doctor/host',
      'doctor/packets',
      'doctor/read',
      'trace',
      'show',
      'commands',
      'commands/settings',
      'commands/asking',
      'doctor/kube',
      'kube/net-config',
    ],
    because: 'it is a composition root: it puts together what checks are handed, and shows what they find',
  },
  'commands/inspect': {
    sees: [
      'config',
      'kernel',
      'lease',
      'bugreport',
      'firewall',
      'netlink',
      'host',
      'host/files',
      'cli',
      'cli/specs',
      'status',
      'status/client',
      'show',
      'trace',
      'net',
      'doctor/read',
      'commands',
      'commands/asking',
      'commands/settings',
      'commands/examine',
    ],
    because: 'each reads the host and the store itself, which takes loading what the others need not',
  },
  'commands/look': {
    sees: [
      'text',
      'config',
      'cli',
      'cli/command',
      'cli/specs',
      'completion',
      'status',
      'status/client',
      'show',
      'commands',
      'commands/asking',
      'commands/inspect',
    ],
    because: 'each asks the agent, and loads no more than it takes to ask and to show',
  },
  'commands/page': {
    sees: [
      'text',
      'http',
      'cli',
      'cli/command',
      'cli/specs',
      'status',
      'status/client',
      'page',
      'commands',
      'commands/asking',
    ],
    because: 'it serves a page beside the agent, which it asks as everybody does',
  },
  main: {
    sees: [
      'config',
      'cli',
      'commands',
      'commands/look',
      'commands/examine',
      'commands/planning',
      'commands/inspect',
      'commands/store',
      'commands/page',
    ],
    because: 'it only chooses which command to load, so that none pays for another',
  },
}

/** Rooms whose types a room may use but not their code. */
const TYPES_ONLY = {
  rooms: (room: string, other: string) =>
    /^(agent|backend|etcd\/subnets|kube\/subnets|plan)(\/|$)/.test(room) && other === 'observe',
  because: 'it is handed its logger, so that tests need not have its output',
}

const isCore = (room: string): boolean => /^(net|time|config|kernel|reconcile|lease|backend|probe)(\/|$)/.test(room)

/** What the core must be handed instead of taking it. */
const BANNED_IN_CORE: ReadonlyMap<string, string> = new Map([
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'].map(
    (name) => [name, 'time is handed in as a Clock, so that tests need not wait'] as const,
  ),
  ...['Math.random', 'crypto'].map(
    (name) => [name, 'randomness is handed in, so that a test can choose the number'] as const,
  ),
  ...['process', 'Buffer', 'console', 'fetch', 'globalThis'].map(
    (name) => [name, 'the core is plain computation: it touches neither the host nor the runtime'] as const,
  ),
])

/** Packages and special modules, and the only folders that know them. */
const PACKAGES: Readonly<Record<string, Room>> = {
  'ipaddr.js': { sees: ['net'], because: 'the others have our own address types' },
  etcd3: { sees: ['etcd', 'etcd/client', 'etcd/keys'], because: 'its faults are worked around in one place' },
  '@grpc/grpc-js': { sees: ['etcd', 'etcd/client', 'etcd/keys'], because: 'it is how etcd3 speaks' },
  cockatiel: { sees: ['etcd/client'], because: 'it is how etcd3 retries' },
  yaml: { sees: ['kube/client'], because: 'the others know what a kubeconfig says' },
  'prom-client': { sees: ['metrics'], because: 'the others count, and need not know for whom' },
  winston: { sees: ['observe'], because: 'the others know a Logger' },
  commander: { sees: ['cli'], because: 'the others know typed options' },
  re2js: { sees: ['cli'], because: 'the others know a pattern that fits or does not' },
  'node:module': { sees: ['native'], because: 'only the addon needs a loader' },
}

/** Why the file breaks the architecture; empty when it does not. `path` is below src/. */
export function violations(path: string, text: string): readonly string[] {
  const name = roomOf(path)
  const room = ROOMS[name]
  if (room === undefined) return [`${path}: ${name}/ is no room`]
  const { imports, names } = factsOf(path, text)
  const taken = isCore(name) ? [...BANNED_IN_CORE].filter(([banned]) => names.has(banned)) : []
  return [
    ...imports.flatMap((found) => objectionTo(found, path, name, room) ?? []),
    ...taken.map(([banned, because]) => `uses ${banned}, but ${because}`),
  ].map((reason) => `${path} ${reason}`)
}

/** The rooms that files of each room import, as far as they do: a permission that nobody uses is none. */
export function usedBy(sources: Readonly<Record<string, string>>): ReadonlyMap<string, ReadonlySet<string>> {
  const used = new Map<string, Set<string>>(Object.keys(ROOMS).map((name) => [name, new Set()]))
  for (const [path, text] of Object.entries(sources))
    for (const { specifier } of factsOf(path, text).imports)
      if (specifier?.startsWith('.') === true) used.get(roomOf(path))?.add(roomOf(besides(path, specifier)))
  return used
}

/** `lease` of `lease/codec.ts`, `etcd/keys` of `etcd/keys/list.ts`, `main` of `main.ts`. */
const roomOf = (path: string): string => {
  const folder = posix.dirname(path)
  return folder === '.' ? path.replace(/\.ts$/, '') : folder
}

const besides = (path: string, specifier: string): string => posix.join(posix.dirname(path), specifier)

function objectionTo(found: Import, path: string, name: string, room: Room): string | undefined {
  const { specifier } = found
  if (specifier === undefined)
    return name === 'native' ? undefined : 'loads a module by a computed name, but only the addon needs that'
  return specifier.startsWith('.')
    ? objectionToFile(found, besides(path, specifier), name, room)
    : objectionToPackage(specifier, name)
}

function objectionToFile({ typeOnly }: Import, target: string, name: string, room: Room): string | undefined {
  if (target.endsWith('.node') && name !== 'native') return `loads the addon ${target}, but only native/ does`
  if (target.startsWith('../'))
    return target === '../package.json' && name === 'main' ? undefined : `leaves src/ for ${target}`
  const other = roomOf(target)
  if (other === name) return undefined
  if (!room.sees.includes(other))
    return `imports ${target}, but ${name} sees ${room.sees.join(', ') || 'none'}: ${room.because}`
  return typeOnly || !TYPES_ONLY.rooms(name, other)
    ? undefined
    : `imports ${target} not only for its types, but ${TYPES_ONLY.because}`
}

function objectionToPackage(specifier: string, name: string): string | undefined {
  const known = Object.hasOwn(PACKAGES, specifier) ? PACKAGES[specifier] : undefined
  if (known !== undefined)
    return known.sees.includes(name)
      ? undefined
      : `imports ${specifier}, known to ${known.sees.join(', ')} only: ${known.because}`
  if (!specifier.startsWith('node:')) return `imports ${specifier}, which is no dependency of ours`
  return isCore(name) ? `imports ${specifier}, but the core runs the same without Node` : undefined
}
