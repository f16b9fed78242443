import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent } from '../agent/agent.ts'
import { Conditions } from '../agent/runtime/conditions.ts'
import type { AgentPorts } from '../agent/runtime/ports.ts'
import { AgentStatus } from '../agent/runtime/status.ts'
import { runTogether } from '../agent/runtime/task.ts'
import { AgentCounts } from '../counts/agent-counts.ts'
import type { DaemonOptions } from '../config/options.ts'
import type { SubnetManager } from '../agent/runtime/subnet-manager.ts'
import { KubeSubnetManager } from '../kube/subnets/kube-subnet-manager.ts'
import { PeerReaches } from '../probe/peer-reaches.ts'
import { EtcdSubnetManager, type EtcdSubnetPorts } from '../etcd/subnets/etcd-subnet-manager.ts'
import { readRegularFile } from '../host/files/regular-file.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Firewall } from '../kernel/firewall.ts'
import type { PeerFilter } from '../kernel/peer-filter.ts'
import type { LogFields, Logger } from '../observe/logger.ts'
import { Journal, type PlannedChange } from './journal.ts'
import { plannedFirewall, PlannedPeerFilter } from './planned-firewall.ts'
import { plannedPrograms, plannedSettings, type RunProgram } from './planned-host.ts'
import { PlannedKernel } from './planned-kernel.ts'
import { plannedConfiguration, PlannedNodes, type NodesAtRest } from './planned-nodes.ts'
import { PlannedStore, type StoreAtRest } from './planned-store.ts'
import { Activity, PlanClock } from './stillness.ts'

/** The host and the store that a plan is made for. All of it is only read. */
export interface PlanPorts extends Pick<
  AgentPorts,
  'node' | 'instance' | 'readResolvers' | 'deriveCopyId' | 'deriveMac' | 'random' | 'readSysctl'
> {
  readonly kernel: Kernel
  readonly store: StoreAtRest | NodesAtRest
  readonly resolveHost: EtcdSubnetPorts['resolveHost']
  readonly runProgram: RunProgram
  /** The firewall, by way of these programs. */
  readonly makeFirewall: (run: RunProgram) => { readonly firewall: Firewall; readonly peerFilter: PeerFilter }
  /** Whether files are being read or written at the moment. */
  readonly isReadingFiles: () => boolean
}

/** What an agent that was started now would do, up to where it has nothing left to do. */
export interface Plan {
  readonly changes: readonly PlannedChange[]
  /** Whether it would come so far; if not, why. */
  readonly isWhole: boolean
  readonly reasons: readonly string[]
  /** What it would warn of, and what the plan does not know. */
  readonly notes: readonly string[]
}

/** So long after it can start, and after the last change, the agent has looked at everything once more, in milliseconds of its own time. */
const SETTLED_MS = 7_000
/** Who is not ready by then waits for something that does not come in a plan, in milliseconds of its own time. */
const GIVE_UP_MS = 60_000
/** The firewall is looked at again after this long, in milliseconds: the second look is for what the first has left. */
const RESYNC_MS = 2_000
/** A note is a line, and these are enough to read. */
const MOST_NOTES = 20

/**
 * What an agent with these options would do if it was started now. Nothing is changed.
 * @throws {ConfigError} for options that cannot be followed; the file system's own error
 */
export async function planFor(options: DaemonOptions, host: PlanPorts, signal: AbortSignal): Promise<Plan> {
  const folder = await mkdtemp(join(tmpdir(), 'flanneld-plan-'))
  try {
    const subnetFile = join(folder, 'subnet.env')
    const before = await textOf(options.subnetFile)
    if (before !== undefined) await writeFile(subnetFile, before)
    const plan = await runToEnd({ ...options, subnetFile }, host, signal)
    const text = await textOf(subnetFile)
    const isSame = text === undefined || text === before
    const file = { on: 'file', path: options.subnetFile, text: text ?? '' } as const
    return isSame ? plan : { ...plan, changes: [...plan.changes, file] }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Undefined where there is none, or something else in its place. */
const textOf = (path: string): Promise<string | undefined> => readRegularFile(path).catch(() => undefined)

/** Runs the agent until it has nothing left to do. Its subnet file is a copy. */
async function runToEnd(options: DaemonOptions, host: PlanPorts, signal: AbortSignal): Promise<Plan> {
  const clock = new PlanClock()
  const activity = new Activity(host.isReadingFiles)
  const journal = new Journal(() => clock.monotonicMs())
  const [notes, unasked] = [new Set<string>(), new Set<string>()]
  const log = notingLog(notes)
  const conditions = new Conditions({ clock, log })
  const counts = new AgentCounts()
  const status = new AgentStatus({ clock, conditions, counts })
  const quick = { ...options, firewallResyncMs: RESYNC_MS, peerProbes: false }
  const agent = new Agent(
    quick,
    makePorts(quick, host, { clock, activity, journal, log, conditions, status, counts }, unasked),
  )
  const stop = new AbortController()
  const running = runTogether([agent, status.watchdog], {
    signal: AbortSignal.any([signal, stop.signal]),
    clock,
    watchdog: status.watchdog,
  })
  const run = { hasEnded: false }
  const ended = running.finally(() => {
    run.hasEnded = true
  })
  ended.catch(() => undefined) // heard below
  let startableMs = Number.POSITIVE_INFINITY
  const isSettled = (): boolean => {
    const nowMs = clock.monotonicMs()
    if (status.state.startable) startableMs = Math.min(startableMs, nowMs)
    return nowMs - Math.max(startableMs, journal.lastMs) >= SETTLED_MS
  }
  await activity.ends()
  while (!run.hasEnded && !isSettled() && clock.monotonicMs() < GIVE_UP_MS) {
    if (!clock.advance()) break
    await activity.ends()
  }
  const { startable, reasons } = status.state
  stop.abort()
  await ended
  signal.throwIfAborted()
  const unheard = [...unasked].map(
    (key) => `whether the holder of lease ${key} lives was not asked, since that is to write`,
  )
  return { changes: journal.changes, isWhole: startable, reasons, notes: [...notes, ...unheard].slice(0, MOST_NOTES) }
}

interface Tools {
  readonly clock: PlanClock
  readonly activity: Activity
  readonly journal: Journal
  readonly log: Logger
  readonly conditions: Conditions
  readonly status: AgentStatus
  readonly counts: AgentCounts
}

/** @param unasked told of keys of leases whose holders would have been asked */
function makePorts(options: DaemonOptions, host: PlanPorts, tools: Tools, unasked: Set<string>): AgentPorts {
  const { activity, journal, ...own } = tools
  const isPlanned = (link: string): boolean =>
    journal.changes.some(
      (change) =>
        (change.on === 'tun' || (change.on === 'kernel' && change.op.op === 'link.create')) && change.link === link,
    )
  const settings = plannedSettings(host.readSysctl, isPlanned, journal, activity)
  const during =
    <Args extends readonly unknown[], T>(ask: (...args: Args) => Promise<T>) =>
    (...args: Args): Promise<T> =>
      activity.during(ask(...args))
  const resolveHost = during(host.resolveHost)
  const { firewall, peerFilter } = host.makeFirewall(plannedPrograms(host.runProgram, journal, activity))
  return {
    ...own,
    firewall: plannedFirewall(firewall),
    peerFilter: new PlannedPeerFilter(peerFilter),
    random: host.random,
    kernel: new PlannedKernel(host.kernel, journal, activity),
    foreignRules: { judge: () => Promise.resolve({ drops: [], masquerades: [] }) },
    kernelWrites: () => 0,
    subnets: makeSubnets(options, host, tools, { unasked, resolveHost }),
    reaches: new PeerReaches(tools.clock),
    openProbe: () => ({ why: 'nothing is sent' }),
    entropy: (octets) => new Uint8Array(octets),
    node: host.node,
    instance: host.instance,
    readSysctl: settings.read,
    setSysctl: settings.set,
    readResolvers: during(host.readResolvers),
    readChecksumErrors: () => Promise.resolve(undefined),
    readNeighbourTables: () => Promise.resolve([]),
    deriveCopyId: host.deriveCopyId,
    deriveMac: host.deriveMac,
  }
}

function makeSubnets(
  options: DaemonOptions,
  { store, random }: PlanPorts,
  { activity, journal, ...own }: Tools,
  { unasked, resolveHost }: { readonly unasked: Set<string>; readonly resolveHost: PlanPorts['resolveHost'] },
): SubnetManager {
  const ports = { ...own, random, resolveHost, wallMs: () => 0 }
  if (!('access' in store))
    return new EtcdSubnetManager(options, { ...ports, store: new PlannedStore(store, journal, activity, unasked) })
  const configuration = plannedConfiguration(store)
  return new KubeSubnetManager(store.access, { ...ports, store: new PlannedNodes(store, journal), configuration })
}

function notingLog(notes: Set<string>): Logger {
  const note = (text: string, fields: LogFields = {}): void => {
    const details = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : `${name}: ${value}`))
    if (notes.size < MOST_NOTES) notes.add([text, ...details].join('; '))
  }
  return { error: note, warn: note, info: () => undefined, debug: () => undefined }
}
