import { parseArgs } from 'node:util'

export type DemoBackend = 'vxlan' | 'udp'

export interface DemoOptions {
  readonly hosts: number
  /** Leave everything running at the end, and say how to enter. */
  readonly keep: boolean
  /** Machine-readable result as the last line of standard output. */
  readonly json: boolean
  /** Both address families. */
  readonly ipv6: boolean
  readonly backend: DemoBackend
  /** Nodes of a real API server in the place of leases in etcd. */
  readonly kubernetes: boolean
  readonly help: boolean
}

export const USAGE = `npm run demo -- [--hosts N] [--backend vxlan|udp] [--kubernetes] [--ipv6] [--keep] [--json]

  --hosts N   number of simulated machines, 2 to 20 (3)
  --backend   how packets get from host to host (vxlan)
  --kubernetes  Nodes of a real kube-apiserver in the place of leases in etcd; it is built the first time, of Go modules
  --ipv6      a network of both address families, and pings over both
  --keep      leave it running at the end, and print how to enter it
  --json      print the result as one JSON object on the last line of standard output`

const MIN_HOSTS = 2
const MAX_HOSTS = 20

/** A command line that makes no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

function hostCount(text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < MIN_HOSTS || count > MAX_HOSTS)
    throw new UsageError(`--hosts takes a number from ${MIN_HOSTS} to ${MAX_HOSTS}, not "${text}"`)
  return count
}

function backendOf(text: string, ipv6: boolean, kubernetes: boolean): DemoBackend {
  if (text === 'udp' && kubernetes)
    throw new UsageError('--backend udp is shown with etcd alone: not with --kubernetes')
  if (text !== 'vxlan' && text !== 'udp') throw new UsageError(`--backend takes vxlan or udp, not "${text}"`)
  if (text === 'udp' && ipv6) throw new UsageError('--backend udp carries IPv4 alone: not with --ipv6')
  return text
}

const OPTIONS = {
  hosts: { type: 'string', default: '3' },
  backend: { type: 'string', default: 'vxlan' },
  keep: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  ipv6: { type: 'boolean', default: false },
  kubernetes: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** @throws {UsageError} */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const { hosts, backend, ...flags } = parse(args)
  return { ...flags, hosts: hostCount(hosts), backend: backendOf(backend, flags.ipv6, flags.kubernetes) }
}
