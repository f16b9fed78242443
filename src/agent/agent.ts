/*
 * agent is one node of the overlay: it finds its underlay, has the subnet manager give it a lease, and lets everything run that lives as
 * long as that lease (`OverlaySession`), again and again. It is handed its options and all of the outside world as `AgentPorts`.
 * commands/run-daemon.ts makes it and runs it; nobody else calls it.
 */
import { chooseBackend } from '../backend/choice/choose-backend.ts'
import { parseNetworkConfig, type NetworkConfig } from '../config/network.ts'
import { remarksOn } from '../config/remarks.ts'
import type { DaemonOptions } from '../config/options.ts'
import { laidOver, refuseSwallowing } from '../host/underlay/underlay-conflict.ts'
import { readPreviousSubnets } from '../host/subnet-env.ts'
import { bridgeSubnets } from '../host/bridge-subnets.ts'
import { otherNetworks } from '../host/underlay/other-networks.ts'
import type { Seen } from './around/other-networks.ts'
import { CloneError, OtherAddressError, RivalError } from '../lease/errors.ts'
import type { Loop } from '../time/loop.ts'
import type { Family } from '../net/ip.ts'
import type { Underlay } from '../kernel/underlay.ts'
import type { Prefix } from '../net/prefix.ts'
import { NeighbourTask } from './host/neighbour-task.ts'
import { LossBackoff } from './loss-backoff.ts'
import type { AgentPorts } from './runtime/ports.ts'
import { untilItWorks } from './runtime/retry.ts'
import type { AcquiredSubnet } from './runtime/subnet-manager.ts'
import { demandRights } from './rights.ts'
import { OverlaySession } from './session.ts'
import { isStopped, ROUND_MS, runTogether, type Task, type TaskContext } from './runtime/task.ts'
import { termsToAcquire } from './own-terms.ts'
import { LEADER, OwnUnderlays, type Underlays } from './own-underlays.ts'

/** Before there is a lease, nothing goes on without the subnet manager either. */
const STARTING = { effect: 'unready' } as const

const familiesOf = ({ overlays }: NetworkConfig): readonly Family[] => overlays.map(({ family }) => family)

/** What a lease is acquired on. */
interface Found {
  readonly config: NetworkConfig
  readonly underlays: Underlays
}

type AcquiredOn = Found & { readonly acquired: AcquiredSubnet; readonly seen: Seen }

/**
 * One node of the overlay: finds its underlay and the network configuration, acquires a lease, and runs a session on it; when the
 * lease is lost to another node, begins again with a new one. Ends only when its signal aborts, or on a mistake of ours.
 */
export class Agent implements Task {
  readonly name = 'agent'
  readonly #options: DaemonOptions
  readonly #ports: AgentPorts
  readonly #lossBackoff: LossBackoff
  readonly #underlays: OwnUnderlays
  /** What was said last of the way in which the configuration is written: once, however often it is read. */
  #remarked: readonly string[] = []
  /** Overlaps of overlay and underlay that were named. */
  readonly #laidOver = new Set<string>()

  constructor(options: DaemonOptions, ports: AgentPorts) {
    this.#options = options
    this.#ports = ports
    this.#lossBackoff = new LossBackoff(ports)
    this.#underlays = new OwnUnderlays({ choice: options, ports })
  }

  async run(context: TaskContext): Promise<void> {
    const sessions: Task = { name: 'sessions', roundMs: ROUND_MS.etcd, run: (own) => this.#runSessions(own) }
    const neighbours = new NeighbourTask(this.#ports)
    await runTogether([this.#ports.conditions, sessions, neighbours, ...this.#ports.subnets.tasks], context)
  }

  async #runSessions(context: TaskContext): Promise<void> {
    await this.#ports.subnets.prepare(context.signal)
    while (!isStopped(context.signal)) await this.#runSession(context)
  }

  async #runSession(context: TaskContext): Promise<void> {
    await this.#underlays.find([LEADER], context) // first: the subnet manager is asked over it
    const config = await this.#readConfig(context)
    const found = { config, underlays: await this.#underlays.find(familiesOf(config), context) }
    const acquired = await this.#acquire(found, context)
    const session = new OverlaySession({
      options: this.#options,
      ports: this.#ports,
      parseConfig: (text) => this.#parseConfig(text),
      hasCome: (signal) => this.#hasCome(acquired, signal),
      ...acquired,
    })
    this.#lossBackoff.held()
    const lost = await context.idle(session.run(context))
    this.#ports.status.sessionEnded(lost)
    if (lost !== undefined) await this.#afterLoss(lost, context)
  }

  /** Whether there is an underlay by now for a family that a session runs without. @throws {NoInterfaceError | KernelError} */
  async #hasCome({ config, underlays }: Found, signal: AbortSignal): Promise<boolean> {
    return (await this.#underlays.look(familiesOf(config), signal)).size > underlays.size
  }

  async #afterLoss(lost: string, { rest }: Loop): Promise<void> {
    const { log } = this.#ports
    log.error(
      `lease lost: ${lost}; acquiring another, containers must move to the new subnet`,
      {},
      { kind: 'lease-lost', reason: lost },
    )
    const pauseMs = this.#lossBackoff.lost()
    if (this.#lossBackoff.losses === 2)
      log.error('one lease after the other is lost: somebody writes over them; waiting ever longer between them')
    if (pauseMs > 0) await rest(pauseMs)
  }

  async #read(signal: AbortSignal): Promise<NetworkConfig> {
    const { configuration } = this.#ports.subnets
    const text = await configuration.read(signal)
    if (text === undefined) throw configuration.missing()
    const config = this.#parseConfig(text)
    this.#underlays.avoid(config.overlays)
    return config
  }

  /** @throws {ConfigError} */
  #parseConfig(text: string): NetworkConfig {
    const { configuration } = this.#ports.subnets
    const config = parseNetworkConfig(text, configuration.name)
    configuration.check(config)
    const remarks = remarksOn(text, configuration.name)
    for (const remark of remarks) if (!this.#remarked.includes(remark)) this.#ports.log.warn(remark)
    this.#remarked = remarks
    return config
  }

  async #readConfig(loop: Loop): Promise<NetworkConfig> {
    const read = (): Promise<NetworkConfig> => this.#read(loop.signal)
    const config = await untilItWorks('network configuration', read, this.#ports, loop, STARTING)
    const fields = {
      network: config.overlays.map(({ network }) => network.text).join(' '),
      subnetLen: config.overlays.map(({ subnetLength }) => subnetLength).join(' '),
      backend: config.backend.type,
      ...chooseBackend(config.backend).logFields,
    }
    this.#ports.log.info('network configuration read', fields, { kind: 'configuration-read' })
    return config
  }

  /** Looks at everything again after an attempt that failed: what keeps us from a lease may be cured there. */
  async #acquire(first: Found, loop: Loop): Promise<AcquiredOn & { readonly formerSubnets: readonly Prefix[] }> {
    const { signal } = loop
    const { log } = this.#ports
    const previousSubnets = await readPreviousSubnets(this.#options.subnetFile)
    let known: Found | undefined = first
    let isAddressOpen = this.#underlays.isOpen(familiesOf(first.config))
    const attempt = async (): Promise<AcquiredOn> => {
      const found = known ?? (await this.#lookAround(signal))
      known = undefined
      try {
        return await this.#acquireOn(found, previousSubnets, isAddressOpen, signal)
      } catch (error) {
        if (!(error instanceof OtherAddressError)) throw error
        const kept = await this.#keepAddress(found, error, loop)
        isAddressOpen = false
        return this.#acquireOn(kept, previousSubnets, isAddressOpen, signal)
      }
    }
    const hint = (error: Error): Promise<string> => this.#candidatesFor(error, signal)
    const result = await untilItWorks('lease', attempt, this.#ports, loop, { ...STARTING, hint })
    const { lease, peerCount: peers, how, warnings } = result.acquired
    log.info(`lease ${how}`, { subnet: lease.key, peers }, { kind: 'lease-acquired', how })
    for (const warning of warnings) log.warn(warning)
    return { ...result, formerSubnets: previousSubnets }
  }

  async #acquireOn(
    found: Found,
    previousSubnets: readonly Prefix[],
    isAddressOpen: boolean,
    signal: AbortSignal,
  ): Promise<AcquiredOn> {
    const { subnets } = this.#ports
    for (const underlay of found.underlays.values()) {
      refuseSwallowing(found.config, underlay)
      for (const network of laidOver(found.config, underlay)) this.#sayLaidOver(network, underlay)
    }
    const backend = chooseBackend(found.config.backend)
    if (backend.programsKernel) await demandRights(this.#ports.kernel, signal)
    const hintedSubnets = await this.#hintedSubnets(found.config, previousSubnets, signal)
    const resolvers = await this.#ports.readResolvers()
    const seen = { hosts: this.#underlays.hosts, resolvers }
    const others = othersAround(found, seen, [...previousSubnets, ...hintedSubnets])
    const host = { ...found, others, endpoints: subnets.endpoints.all, ...(isAddressOpen ? { isAddressOpen } : {}) }
    const terms = await termsToAcquire(this.#ports, host, backend, { previousSubnets, hintedSubnets }, signal)
    return { ...found, seen, acquired: await subnets.acquire(terms, signal) }
  }

  /** Once, however often a lease is asked for. */
  #sayLaidOver(network: Prefix, { prefix, address }: Underlay): void {
    const overlap = `${network.text} ${prefix.text}`
    if (this.#laidOver.has(overlap)) return
    this.#laidOver.add(overlap)
    this.#ports.log.warn(
      `the overlay ${network.text} lies over ${prefix.text}, the network of our own address ${address.text}: packets of containers to hosts ` +
        'there are not masqueraded, so only hosts with an agent answer them; choose a Network beside it',
    )
  }

  /** Nobody is asked where the subnet file tells. @throws {KernelError} */
  async #hintedSubnets(
    { overlays }: NetworkConfig,
    previousSubnets: readonly Prefix[],
    signal: AbortSignal,
  ): Promise<readonly Prefix[]> {
    const { kernel } = this.#ports
    if (overlays.every(({ family }) => previousSubnets.some((subnet) => subnet.family === family))) return []
    return bridgeSubnets(await kernel.links(signal), await kernel.addresses(signal))
  }

  /** Peers know us by what our lease says: that is ours for as long as this host has it. */
  async #keepAddress({ config, underlays }: Found, { publicIps }: OtherAddressError, loop: Loop): Promise<Found> {
    const kept = await this.#underlays.keep(publicIps, familiesOf(config), loop)
    if (hasOtherAddress(underlays, kept)) this.#ports.subnets.refreshConnections()
    return { config, underlays: kept }
  }

  /** The underlay first: over an address that we have no more, nobody would be heard. */
  async #lookAround(signal: AbortSignal): Promise<Found> {
    const before = this.#underlays.current
    if (hasOtherAddress(before, await this.#underlays.look([...before.keys()], signal)))
      this.#ports.subnets.refreshConnections()
    const config = await this.#read(signal)
    return { config, underlays: await this.#underlays.look(familiesOf(config), signal) }
  }

  /** Whose address is in use may choose another. */
  async #candidatesFor(error: Error, signal: AbortSignal): Promise<string> {
    if (!(error instanceof RivalError || error instanceof CloneError)) return ''
    const candidates = await this.#underlays.candidates(signal)
    return candidates === '' ? '' : ` (candidates: ${candidates})`
  }
}

/** What a new subnet is to keep clear of beside the underlay. */
const othersAround = (
  { config, underlays }: Found,
  { hosts, resolvers }: Seen,
  own: readonly Prefix[],
): readonly Prefix[] =>
  config.overlays.flatMap((overlay) => {
    const host = hosts.get(overlay.family)
    const around = { overlay, own, underlay: underlays.get(overlay.family), resolvers }
    return host === undefined ? [] : otherNetworks(host, around).map(({ prefix }) => prefix)
  })

const hasOtherAddress = (before: Underlays, after: Underlays): boolean =>
  [...after].some(([family, { address }]) => before.get(family)?.address.text !== address.text)
