import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { NoRightsError } from '../agent/rights.ts'
import { Agent } from '../agent/agent.ts'
import { systemClock } from '../host/system-clock.ts'
import type { EventsView } from '../agent/status/live-agent.ts'
import type { AgentPorts } from '../agent/runtime/ports.ts'
import { Conditions } from '../agent/runtime/conditions.ts'
import { PeerReaches } from '../probe/peer-reaches.ts'
import { AgentStatus } from '../agent/runtime/status.ts'
import { runTogether } from '../agent/runtime/task.ts'
import type { CommandCall } from '../cli/commands.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { ConfigError } from '../config/error.ts'
import type { DaemonOptions } from '../config/options.ts'
import { AgentCounts } from '../counts/agent-counts.ts'
import { runTool } from '../firewall/command.ts'
import { LinuxFirewall } from '../firewall/linux-firewall.ts'
import { LinuxForeignRules } from '../firewall/others/linux-foreign-rules.ts'
import { NftPeerFilter } from '../firewall/peer-filter/nft-peer-filter.ts'
import { deriveCopyId, deriveVtepMac, NoIdentityError, readNodeId, UnreadIdentityError } from '../host/identity.ts'
import { readChecksumErrors } from '../host/checksum-errors.ts'
import { readNeighbourTables } from '../host/neighbour-tables.ts'
import { obstacleAt } from '../host/files/regular-file.ts'
import { HostTakenError } from '../host/claim/sole-agent.ts'
import { readResolvers } from '../host/resolvers.ts'
import { readSysctl, setSysctl } from '../host/sysctl.ts'
import { openIcmp } from '../icmp/icmp-socket.ts'
import { RtnetlinkKernel } from '../netlink/rtnetlink-kernel.ts'
import { RulesGeneration } from '../netlink/rules-generation.ts'
import type { Logger } from '../observe/logger.ts'
import { printable } from '../text/printable.ts'
import { frugalStart, memoryTask } from './frugal-start.ts'
import { takeHangUp } from './hang-up.ts'
import { liveAgent } from './serve/live-agent.ts'
import { metricsRoutes, networkRoutes } from './serve/routes.ts'
import { statusSocketOf } from './serve/status-socket.ts'
import { serveHealth } from './health-endpoint.ts'
import { sayLast } from './last-words.ts'
import { notifyServiceManager } from './notify-service-manager.ts'
import type { OpenDaemonStore } from './stores/daemon-store.ts'
import { claimThisHost } from './this-host.ts'

/**
 * The daemon itself, from its options to its end: what {@link run} of daemon.ts loads once it has said that it starts.
 * @returns the exit code
 * @throws {ConfigError} for options that this host cannot follow
 */
export async function runDaemon(options: DaemonOptions, log: Logger, call: DaemonCall): Promise<number> {
  frugalStart()
  await refuseObstacle(options)
  return runAlone(options, log, call).catch(refusal)
}

/** What stands in the subnet file's place would be lost to it, or be waited for. @throws {ConfigError} */
async function refuseObstacle({ subnetFile }: DaemonOptions): Promise<void> {
  const obstacle = await obstacleAt(subnetFile)
  if (obstacle !== undefined)
    throw new ConfigError('--subnet-file', `a regular file, or none yet, and not ${obstacle}`, subnetFile)
}

/** What is said in a line, without a stack. @throws anything else */
function refusal(error: unknown): number {
  const isPassing = [HostTakenError, UnreadIdentityError].some((kind) => error instanceof kind)
  const isLasting = [NoIdentityError, NoRightsError].some((kind) => error instanceof kind)
  if (!(error instanceof Error) || !(isPassing || isLasting)) throw error
  sayLast(printable(error.message))
  return isPassing ? EXIT.failed : EXIT.usage
}

/** How the node was when it was asked to stop: once its session has ended, it is nothing any more. */
function partingOf(status: AgentStatus, stopSignal: AbortSignal): () => string {
  let parting: string | undefined
  const note = (): string => (parting ??= status.parting)
  stopSignal.addEventListener('abort', note, { once: true })
  return note
}

type DaemonCall = Omit<CommandCall, 'args'> & {
  /** What has been logged so far, and will be. */
  readonly events: EventsView
}

/** One host carries one agent. @throws {HostTakenError} */
async function runAlone(options: DaemonOptions, log: Logger, call: DaemonCall): Promise<number> {
  const warn = (text: string): void => {
    log.warn(text)
  }
  const giveUp = await claimThisHost(warn, call.stopSignal)
  try {
    return await runAgent(options, log, call)
  } finally {
    giveUp()
  }
}

/** Only the client of the store that is asked is loaded. */
const openerOf = async ({ kube }: DaemonOptions): Promise<OpenDaemonStore> =>
  (await (kube === undefined ? import('./stores/etcd.ts') : import('./stores/kube.ts'))).openDaemonStore

/** Who we are: with etcd a machine, whatever it is called; in Kubernetes the Node, whatever machine it runs on. @throws {NoIdentityError} */
async function nodeIdOf({ nodeId, kube }: DaemonOptions): Promise<string> {
  if (nodeId !== undefined) return nodeId
  if (kube === undefined) return readNodeId()
  if (kube.nodeName !== undefined) return kube.nodeName
  return readNodeId().catch((error: unknown) => {
    if (error instanceof NoIdentityError) return hostname()
    throw error
  })
}

/** What the agent asks of this host, and does to it. */
function hostPorts({ ipMasq }: DaemonOptions, kernel: RtnetlinkKernel): HostPorts {
  const identifier = randomInt(0x1_0000)
  const generation = new RulesGeneration()
  return {
    kernel,
    firewall: new LinuxFirewall(runTool, () => generation.read()),
    peerFilter: new NftPeerFilter(runTool, ipMasq),
    foreignRules: new LinuxForeignRules(),
    kernelWrites: () => kernel.stats().writes,
    openProbe: (family) => openIcmp(family, identifier),
    entropy: randomBytes,
    setSysctl,
    readSysctl,
    readResolvers: () => readResolvers(),
    readChecksumErrors: () => readChecksumErrors(),
    readNeighbourTables: () => readNeighbourTables(),
    deriveCopyId,
    deriveMac: deriveVtepMac,
  }
}

/** The others are the agent's own, or the store's. */
type HostPorts = Omit<
  AgentPorts,
  'clock' | 'random' | 'log' | 'conditions' | 'counts' | 'status' | 'reaches' | 'subnets' | 'node' | 'instance'
>

async function runAgent(options: DaemonOptions, log: Logger, call: DaemonCall): Promise<number> {
  const { environment, stopSignal } = call
  const startedMs = systemClock.monotonicMs()
  const node = { id: await nodeIdOf(options), hostname: hostname() }
  const kernel = new RtnetlinkKernel()
  const conditions = new Conditions({ clock: systemClock, log })
  const counts = new AgentCounts()
  const status = new AgentStatus({ clock: systemClock, conditions, counts })
  const own = { clock: systemClock, random: Math.random, log, conditions, status, counts }
  log.info('this node', node)
  const store = (await openerOf(options))(options, { ...own, environment })
  const ports: AgentPorts = {
    ...{ ...own, ...hostPorts(options, kernel) },
    ...{ subnets: store.subnets, node, instance: randomUUID(), reaches: new PeerReaches(systemClock) },
  }
  const live = liveAgent({ ...call, options, ports, store: store.facts, kernel, startedMs })
  const { healthz, healthzStatus = false, healthzPage = false } = options
  const isOpen = healthzStatus || healthzPage
  const routes = isOpen ? networkRoutes(live, { hasPage: healthzPage }) : metricsRoutes(live)
  takeHangUp(log, () => store.lookAgain())
  const server = healthz && (await serveHealth(healthz, status, conditions, undefined, routes))
  const parting = partingOf(status, stopSignal)
  try {
    const agent = new Agent(options, ports)
    const watchers = notifyServiceManager(environment, status, log, stopSignal)
    const tasks = [
      agent,
      status.watchdog,
      memoryTask(status),
      ...watchers,
      ...statusSocketOf(options, live, conditions),
    ]
    await runTogether(tasks, { signal: stopSignal, clock: systemClock, watchdog: status.watchdog })
    log.info(`stopped${parting()}`, {}, { kind: 'agent-stopped' })
    return EXIT.done
  } finally {
    server?.close()
    kernel.close()
    store.close()
  }
}
