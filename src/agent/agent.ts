/*
 * agent is one node of the overlay: it finds its underlay, has the subnet manager give it a lease, and lets everything run that lives as
 * long as that lease (`OverlaySession`), again and again. It is handed its options and all of the outside world as `AgentPorts`.
 * commands/run-daemon.ts makes it and runs it; nobody else calls it.
 */
import { chooseBackend } from '../backend/choice/choose-backend.ts'
import { parseNetworkConfig, type NetworkConfig, type OverlayNetwork } from '../config/network.ts'
import { remarksOn } from '../config/remarks.ts'
import type { DaemonOptions } from '../config/options.ts'
import { refuseSwallowing } from '../host/underlay/underlay-conflict.ts'
import { describeCandidates, type Underlay } from '../host/underlay/underlay.ts'
import { chooseAgain } from '../host/underlay/follow-interface.ts'
import { readPreviousSubnets } from '../host/subnet-env.ts'
import { CloneError, RivalError } from '../lease/errors.ts'
import type { Loop } from '../time/loop.ts'
import type { Family } from '../net/ip.ts'
import { LossBackoff } from './loss-backoff.ts'
import type { AgentPorts } from './runtime/ports.ts'
import { untilItWorks } from './runtime/retry.ts'
import type { AcquiredSubnet } from './runtime/subnet-manager.ts'
import { demandRights } from './rights.ts'
import { OverlaySession } from './session.ts'
import { isStopped, ROUND_MS, runTogether, type Task, type TaskContext } from './runtime/task.ts'
import { termsToAcquire } from './own-terms.ts'

/** The interface and its address, by family of the overlay. */
type Underlays = ReadonlyMap<Family, Underlay>

/** The family that has the say in which interface is used: there is no overlay without it. */
const LEADER: Family = 4

/** Before there is a lease, nothing goes on without the subnet manager either. */
const STARTING = { effect: 'unready' } as const

const familiesOf = ({ overlays }: NetworkConfig): readonly Family[] => overlays.map(({ family }) => family)

/** What a lease is acquired on. */
interface Found {
  readonly config: NetworkConfig
  readonly underlays: Underlays
}

/**
 * One node of the overlay: finds its underlay and the network configuration, acquires a lease, and runs a session on it; when the
 * lease is lost to another node, begins again with a new one. Ends only when its signal aborts, or on a mistake of ours.
 */
export class Agent implements Task {
  readonly name = 'agent'
  readonly #options: DaemonOptions
  readonly #ports: AgentPorts
  readonly #lossBackoff: LossBackoff
  #underlays: Underlays = new Map()
  /** As last read: none of their addresses is an underlay. Before the first reading, nothing goes over an underlay but questions. */
  #overlays: readonly OverlayNetwork[] = []
  /** What was said last of the way in which the configuration is written: once, however often it is read. */
  #remarked: readonly string[] = []

  constructor(options: DaemonOptions, ports: AgentPorts) {
    this.#options = options
    this.#ports = ports
    this.#lossBackoff = new LossBackoff(ports)
  }

  async run(context: TaskContext): Promise<void> {
    const sessions: Task = { name: 'sessions', roundMs: ROUND_MS.etcd, run: (own) => this.#runSessions(own) }
    await runTogether([this.#ports.conditions, sessions, ...this.#ports.subnets.tasks], context)
  }

  async #runSessions(context: TaskContext): Promise<void> {
    await this.#ports.subnets.prepare(context.signal)
    while (!isStopped(context.signal)) await this.#runSession(context)
  }

  async #runSession(context: TaskContext): Promise<void> {
    await this.#findUnderlays([LEADER], context) // first: the subnet manager is asked over it
    const config = await this.#readConfig(context)
    const found = { config, underlays: await this.#findUnderlays(familiesOf(config), context) }
    const session = new OverlaySession({
      options: this.#options,
      ports: this.#ports,
      parseConfig: (text) => this.#parseConfig(text),
      ...(await this.#acquire(found, context)),
    })
    this.#lossBackoff.held()
    const lost = await context.idle(session.run(context))
    this.#ports.status.sessionEnded(lost)
    if (lost !== undefined) await this.#afterLoss(lost, context)
  }

  async #afterLoss(lost: string, { rest }: Loop): Promise<void> {
    const { log } = this.#ports
    log.error(`lease lost: ${lost}; acquiring another, containers must move to the new subnet`)
    const pauseMs = this.#lossBackoff.lost()
    if (this.#lossBackoff.losses === 2)
      log.error('one lease after the other is lost: somebody writes over them; waiting ever longer between them')
    if (pauseMs > 0) await rest(pauseMs)
  }

  async #findUnderlays(families: readonly Family[], loop: Loop): Promise<Underlays> {
    const known = new Set([...this.#underlays.values()].map(({ address }) => address.text))
    const look = (): Promise<Underlays> => this.#look(families, loop.signal)
    const underlays = await untilItWorks('underlay', look, this.#ports, loop, STARTING)
    for (const { link, address, publicIp } of underlays.values())
      if (!known.has(address.text))
        this.#ports.log.info('underlay chosen', {
          iface: link.name,
          address: address.text,
          publicIp: publicIp.text,
          mtu: link.mtu,
        })
    return underlays
  }

  /** A session after the first stays on the interface of the one before. */
  async #look(families: readonly Family[], signal: AbortSignal): Promise<Underlays> {
    const underlays = new Map<Family, Underlay>()
    const known = [...this.#underlays.values()].map(({ address }) => address)
    for (const family of families) {
      const before = this.#underlays.get(family)
      const wanted = { family, leader: LEADER, known, overlays: this.#overlays }
      underlays.set(family, await chooseAgain(this.#ports.kernel, this.#options, before, wanted, signal))
    }
    this.#underlays = new Map([...this.#underlays, ...underlays])
    return underlays
  }

  async #read(signal: AbortSignal): Promise<NetworkConfig> {
    const { configuration } = this.#ports.subnets
    const text = await configuration.read(signal)
    if (text === undefined) throw configuration.missing()
    const config = this.#parseConfig(text)
    this.#overlays = config.overlays
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
    this.#ports.log.info('network configuration read', {
      network: config.overlays.map(({ network }) => network.text).join(' '),
      subnetLen: config.overlays.map(({ subnetLength }) => subnetLength).join(' '),
      backend: config.backend.type,
      ...chooseBackend(config.backend).logFields,
    })
    return config
  }

  /** Looks at everything again after an attempt that failed: what keeps us from a lease may be cured there. */
  async #acquire(first: Found, loop: Loop): Promise<Found & { readonly acquired: AcquiredSubnet }> {
    const { signal } = loop
    const { subnets, log } = this.#ports
    const previousSubnets = await readPreviousSubnets(this.#options.subnetFile)
    let known: Found | undefined = first
    const attempt = async (): Promise<Found & { readonly acquired: AcquiredSubnet }> => {
      const found = known ?? (await this.#lookAround(signal))
      known = undefined
      for (const underlay of found.underlays.values()) refuseSwallowing(found.config, underlay)
      const host = { ...found, endpoints: subnets.endpoints.all }
      const backend = chooseBackend(found.config.backend)
      if (backend.programsKernel) await demandRights(this.#ports.kernel, signal)
      const terms = await termsToAcquire(this.#ports, host, backend, previousSubnets, signal)
      return { ...found, acquired: await subnets.acquire(terms, signal) }
    }
    const hint = (error: Error): Promise<string> => this.#candidatesFor(error, signal)
    const result = await untilItWorks('lease', attempt, this.#ports, loop, { ...STARTING, hint })
    const { lease, peers, how, warnings } = result.acquired
    log.info(`lease ${how}`, { subnet: lease.key, peers: peers.length })
    for (const warning of warnings) log.warn(warning)
    return result
  }

  /** The underlay first: over an address that we have no more, nobody would be heard. */
  async #lookAround(signal: AbortSignal): Promise<Found> {
    const before = this.#underlays
    for (const [family, { address }] of await this.#look([...before.keys()], signal))
      if (before.get(family)?.address.text !== address.text) this.#ports.subnets.refreshConnections()
    const config = await this.#read(signal)
    return { config, underlays: await this.#look(familiesOf(config), signal) }
  }

  /** Whose address is in use may choose another. */
  async #candidatesFor(error: Error, signal: AbortSignal): Promise<string> {
    if (!(error instanceof RivalError || error instanceof CloneError)) return ''
    const found: string[] = []
    for (const family of this.#underlays.keys())
      found.push(await describeCandidates(this.#ports.kernel, family, signal).catch(() => ''))
    const candidates = found.filter((text) => text !== '').join('; ')
    return candidates === '' ? '' : ` (candidates: ${candidates})`
  }
}
