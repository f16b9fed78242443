import { posix } from 'node:path'
import { factsOf, type Import } from './facts.ts'

/** A folder of src/: which others it may import, and why no more. */
interface Layer {
  readonly sees: readonly string[]
  readonly because: string
}

const PORTS_SEE = ['net', 'config', 'lease', 'reconcile']
const PORT: Layer = {
  sees: PORTS_SEE,
  because: 'it implements a port: it knows the core it serves, and can be exchanged because no other part knows it',
}

const BACKEND: Layer = {
  sees: ['net', 'config', 'lease', 'reconcile', 'backend'],
  because:
    'it only translates leases into rows, and perhaps a device; it shares nothing with other backends but the interface',
}

/** Folders that hold a backend each. */
const BACKENDS = ['vxlan', 'hostgw', 'alloc'] as const

/** Who imports whom. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  net: { sees: [], because: 'value types stand at the bottom, for everybody to use' },
  config: { sees: ['net'], because: 'what is configured does not depend on what is made of it' },
  lease: { sees: ['net', 'config'], because: 'a lease is the same whatever backend and kernel it is for' },
  reconcile: { sees: ['net'], because: 'it makes tables equal, whoever wants the rows and why' },
  backend: {
    sees: ['net', 'config', 'lease', 'reconcile'],
    because: 'it is what all backends have in common, and knows none of them',
  },
  ...Object.fromEntries(BACKENDS.map((folder) => [folder, BACKEND])),
  etcd: PORT,
  netlink: PORT,
  firewall: PORT,
  host: PORT,
  observe: { sees: PORTS_SEE, because: 'everybody reports to it, so it may need nobody who reports' },
  agent: {
    sees: ['net', 'config', 'lease', 'reconcile', 'backend', ...BACKENDS, 'host', 'observe'],
    because: 'it drives the core against ports: with etcd/ or netlink/ in it, it could not run on fakes',
  },
  cni: {
    sees: ['net', 'config', 'host'],
    because: 'it lives for one call of a container runtime, and knows the agent by the subnet file alone',
  },
  cleanup: {
    sees: ['net', 'lease', 'reconcile', 'vxlan'],
    because:
      'it looks for what the agent leaves, on the host and in the store, through the same ports, and runs without it',
  },
  cli: { sees: ['net', 'config', 'agent'], because: 'a command line is read before there is anything to run' },
  commands: {
    sees: [
      'net',
      'config',
      'lease',
      'reconcile',
      'vxlan',
      'etcd',
      'netlink',
      'firewall',
      'host',
      'observe',
      'agent',
      'cleanup',
      'cni',
      'cli',
    ],
    because: 'each is a composition root',
  },
  main: {
    sees: ['commands', 'cli', 'config', 'agent'],
    because: 'it only chooses which command to load, so that none pays for another',
  },
}

/** Folders of which another may use the types but not the code. */
const TYPES_ONLY: Readonly<Record<string, string>> = {
  'agent observe': 'the agent is handed its logger, so that tests need not have its output',
}

/** The folders that must behave the same in a test as on a host. */
const CORE: ReadonlySet<string> = new Set(['net', 'config', 'lease', 'reconcile', 'backend', ...BACKENDS])

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
const PACKAGES: Readonly<Record<string, Layer>> = {
  'ipaddr.js': { sees: ['net'], because: 'the others have our own address types' },
  etcd3: { sees: ['etcd'], because: 'its faults are worked around in one place' },
  '@grpc/grpc-js': { sees: ['etcd'], because: 'it is how etcd3 speaks' },
  cockatiel: { sees: ['etcd'], because: 'it is how etcd3 retries' },
  winston: { sees: ['observe'], because: 'the others know a Logger' },
  commander: { sees: ['cli'], because: 'the others know typed options' },
  re2js: { sees: ['cli'], because: 'the others know a pattern that fits or does not' },
  'node:module': { sees: ['netlink'], because: 'only the addon needs a loader' },
}

/** Why the file breaks the architecture; empty when it does not. `path` is below src/. */
export function violations(path: string, text: string): readonly string[] {
  const folder = folderOf(path)
  const layer = Object.hasOwn(LAYERS, folder) ? LAYERS[folder] : undefined
  if (layer === undefined) return [`${path}: ${folder}/ is in no layer`]
  const { imports, names } = factsOf(path, text)
  const taken = CORE.has(folder) ? [...BANNED_IN_CORE].filter(([name]) => names.has(name)) : []
  return [
    ...imports.flatMap((found) => objectionTo(found, path, folder, layer) ?? []),
    ...taken.map(([name, because]) => `uses ${name}, but ${because}`),
  ].map((reason) => `${path} ${reason}`)
}

/** `lease` of `lease/codec.ts`, `main` of `main.ts`. */
const folderOf = (path: string): string => path.split('/')[0]?.replace(/\.ts$/, '') ?? ''

function objectionTo(found: Import, path: string, folder: string, layer: Layer): string | undefined {
  const { specifier } = found
  if (specifier === undefined)
    return folder === 'netlink' ? undefined : 'loads a module by a computed name, but only the addon needs that'
  return specifier.startsWith('.')
    ? objectionToFile(found, posix.join(posix.dirname(path), specifier), folder, layer)
    : objectionToPackage(specifier, folder)
}

function objectionToFile({ typeOnly }: Import, target: string, folder: string, layer: Layer): string | undefined {
  if (target.endsWith('.node') && folder !== 'netlink')
    return `loads the addon ${target}, but only netlink/ speaks to the kernel`
  if (target.startsWith('../'))
    return target === '../package.json' && folder === 'main' ? undefined : `leaves src/ for ${target}`
  const other = folderOf(target)
  if (other === folder) return undefined
  if (!layer.sees.includes(other))
    return `imports ${target}, but ${folder} sees ${layer.sees.join(', ') || 'none'}: ${layer.because}`
  const typesOnly = TYPES_ONLY[`${folder} ${other}`]
  return typesOnly === undefined || typeOnly ? undefined : `imports ${target} not only for its types, but ${typesOnly}`
}

function objectionToPackage(specifier: string, folder: string): string | undefined {
  const known = Object.hasOwn(PACKAGES, specifier) ? PACKAGES[specifier] : undefined
  if (known !== undefined)
    return known.sees.includes(folder)
      ? undefined
      : `imports ${specifier}, known to ${known.sees.join(', ')} only: ${known.because}`
  if (!specifier.startsWith('node:')) return `imports ${specifier}, which is no dependency of ours`
  return CORE.has(folder) ? `imports ${specifier}, but the core runs the same without Node` : undefined
}
