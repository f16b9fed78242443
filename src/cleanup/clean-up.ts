import type { Firewall } from '../kernel/firewall.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { PeerFilterError, type PeerFilter } from '../kernel/peer-filter.ts'
import { planCleanup, type CleanupAction, type HostRemains, type PeerPath, type SubnetFiles } from './plan.ts'

/** The host, as far as flanneld leaves anything on it. */
export interface CleanupPorts {
  readonly kernel: Pick<Kernel, 'links' | 'addresses' | 'routes' | 'apply'>
  readonly firewall: Pick<Firewall, 'planRemoval' | 'removeAll'>
  readonly peerFilter: Pick<PeerFilter, 'read' | 'remove'>
  /** Asks for what leases say, where there is somebody to ask. @throws whatever asking comes to */
  readonly listPeers: ((signal: AbortSignal) => Promise<readonly PeerPath[]>) | undefined
  readonly files: {
    /** @throws the file system's own error */
    find(): Promise<SubnetFiles>
    /** @throws the file system's own error */
    remove(path: string): Promise<void>
  }
}

export interface CleanupReport {
  /** What was removed, or would be, one line each. */
  readonly removed: readonly string[]
  /** What looks like ours and stays, with the reason. */
  readonly kept: readonly string[]
  /** What could not be looked at or removed, with the reason. */
  readonly failures: readonly string[]
  /** Whether devices or routes of ours still stand, as far as it can be told; with `dryRun`, whether there are any. */
  readonly carries: boolean
}

/**
 * Removes what flanneld leaves on a host; with `dryRun` it only looks. One failure never stops the rest.
 * @throws the reason of `signal` when it aborts
 */
export async function cleanUp(ports: CleanupPorts, dryRun: boolean, signal: AbortSignal): Promise<CleanupReport> {
  const before = await look(ports, signal)
  const { failures } = before
  const { steps, kept } = planCleanup(before.state)
  const things = steps.flatMap((step) => step.things)
  if (dryRun || steps.length === 0) return { removed: things, kept, failures, carries: carries(before) }
  const reasons = new Map<string, string>()
  for (const { things: concerned, action } of steps) {
    const reason = await attempt(() => perform(ports, action, signal), signal)
    if (reason !== undefined) for (const thing of concerned) reasons.set(thing, reason)
  }
  const after = await look(ports, signal)
  // What could not be looked at again is believed to be as the answers said.
  const remaining = after.failures.length > failures.length ? reasons.keys() : []
  const still = new Set([...remaining, ...planCleanup(after.state).steps.flatMap((step) => step.things)])
  return {
    removed: things.filter((thing) => !still.has(thing)),
    kept,
    failures: [
      ...failures,
      ...things.filter((thing) => still.has(thing)).map((thing) => `${thing}: ${reasons.get(thing) ?? RETURNED}`),
    ],
    carries: carries(after),
  }
}

/** Unknown is yes. */
const carries = ({ state, isKernelRead }: Look): boolean =>
  !isKernelRead || planCleanup(state).steps.some(({ action }) => action.on === 'kernel')

const RETURNED = 'it is there again after it was removed; is a flanneld running?'

/** @returns why it failed */
async function attempt(action: () => Promise<void>, signal: AbortSignal): Promise<string | undefined> {
  try {
    await action()
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    return messageOf(error)
  }
}

async function perform(ports: CleanupPorts, action: CleanupAction, signal: AbortSignal): Promise<void> {
  const { kernel, firewall, peerFilter, files } = ports
  switch (action.on) {
    case 'file':
      await files.remove(action.path)
      break
    case 'kernel':
      for (const result of await kernel.apply([action.op], signal)) if (!result.ok) throw result.error
      break
    case 'peer filter':
      await peerFilter.remove(signal)
      break
    case 'firewall': {
      const { problems } = await firewall.removeAll(signal)
      if (problems.length > 0) throw new Error(problems.map(messageOf).join('; '))
    }
  }
}

interface Look {
  readonly state: HostRemains
  readonly failures: readonly string[]
  /** Whether devices, addresses and routes could be read. */
  readonly isKernelRead: boolean
}

/** What stands. What cannot be read counts as nothing, and is named. */
async function look(ports: CleanupPorts, signal: AbortSignal): Promise<Look> {
  const failures: string[] = []
  const read = async <T>(what: string, reader: () => Promise<T>, nothing: T): Promise<T> => {
    let found = nothing
    const reason = await attempt(async () => {
      found = await reader()
    }, signal)
    if (reason !== undefined) failures.push(`${what}: ${reason}`)
    return found
  }
  const { kernel, firewall, peerFilter, files, listPeers } = ports
  const onKernel = {
    links: await read('devices', () => kernel.links(signal), []),
    addresses: await read('addresses', () => kernel.addresses(signal), []),
    routes: [
      ...(await read('IPv4 routes', () => kernel.routes(4, signal), [])),
      ...(await read('IPv6 routes', () => kernel.routes(6, signal), [])),
    ],
  }
  const isKernelRead = failures.length === 0
  const state: HostRemains = {
    ...onKernel,
    peers: listPeers && (await read('leases in etcd', () => listPeers(signal), undefined)),
    files: await read('subnet file', () => files.find(), NO_FILES),
    firewall: await read('firewall rules', () => listRules(firewall, failures, signal), []),
    hasPeerFilter: await read('peer filter', () => hasPeerFilter(peerFilter, signal), false),
  }
  return { state, failures, isKernelRead }
}

async function listRules(
  firewall: Pick<Firewall, 'planRemoval'>,
  failures: string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { standing, problems } = await firewall.planRemoval(signal)
  failures.push(...problems.map((problem) => `firewall rules: ${messageOf(problem)}`))
  return standing
}

/** Whichever overlay it is for. Without nft nobody can have made one. */
async function hasPeerFilter(peerFilter: Pick<PeerFilter, 'read'>, signal: AbortSignal): Promise<boolean> {
  try {
    return (await peerFilter.read(ANY_OVERLAY, 'rules', signal)) !== undefined
  } catch (error) {
    if (error instanceof PeerFilterError && error.code === 'MISSING') return false
    throw error
  }
}

const NO_FILES: SubnetFiles = { path: '', content: 'none', subnets: [], networks: [], temporaryFiles: [] }

const ANY_OVERLAY = { vni: 0, port: 0 } as const

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
