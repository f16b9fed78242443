import type { Backend, OwnSubnet } from '../../backend/backend.ts'
import type { DeviceKeeper } from '../../backend/device-keeper.ts'
import type { EntriesByFamily } from '../../backend/judge.ts'
import type { PeerRouter } from '../../backend/peer-router.ts'
import type { BackendConfig } from '../../config/backend.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { HostAddresses, InterfaceChoice } from '../../host/underlay/underlay.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Family } from '../../net/ip.ts'
import { prefixOf, type Prefix } from '../../net/prefix.ts'
import { isAboutPeers } from './route-questions.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { KernelChange } from '../../kernel/kernel.ts'
import type { PresentFamily } from '../../reconcile/former/find-former.ts'
import { Reconciler } from '../../reconcile/reconciler.ts'
import { LinkTask } from './link-task.ts'
import type { PeerSink } from '../peers/peer-sink.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { FamilyView } from '../view/session-view.ts'
import type { SetUpReport } from './set-up.ts'
import { ReconcileTask, type PeerGate } from './reconcile-task.ts'
import { RouteCheckTask } from './route-check-task.ts'
import type { Task } from '../runtime/task.ts'

export interface DatapathInput {
  readonly options: InterfaceChoice
  readonly ports: AgentPorts
  readonly backend: Backend
  readonly underlay: Underlay
  /** Subnets that this host had in earlier runs. */
  readonly formerSubnets: readonly Prefix[]
  /** The family that has the say in which interface is used. */
  readonly leader: Family
  readonly config: Pick<NetworkConfig, 'overlays'>
  readonly readiness: Pick<SetUpReport, 'forwards'>
  /** Called with the MTU of what carries the containers' packets, in octets. */
  readonly setMtu: (family: Family, mtu: number) => void
  readonly onUnderlay: (underlay: Underlay) => void
  /** Called with the host as it was read for a look at the underlay. */
  readonly onHost?: (family: Family, host: HostAddresses) => void
  readonly gate: PeerGate | undefined
}

/** One address family of a session: its device, if there is one, kept on its underlay, and the tables that lead to peers. */
export class Datapath implements PeerSink {
  readonly family: Family
  readonly tasks: readonly Task[]
  readonly #own: OwnSubnet
  readonly #leaseTypes: Backend['leaseTypes']
  readonly #reconciler: Reconciler
  readonly #device: DeviceKeeper | undefined
  /** Decides what peers need, where that hangs on more than their leases. */
  readonly #router: PeerRouter | undefined
  readonly #link: LinkTask
  /** Undefined: peers are not reached by routes of ours. */
  readonly #routeCheck: RouteCheckTask | undefined
  readonly #somethingToDo = new Wakeup()

  constructor(input: DatapathInput) {
    const { ports, backend, readiness, gate } = input
    const { family } = backend.own.overlay
    this.family = family
    this.#own = backend.own
    this.#leaseTypes = backend.leaseTypes
    const somethingToDo = this.#somethingToDo
    const reconciler = new Reconciler(ports.kernel, [family], ports.clock, ports.random)
    this.#reconciler = reconciler
    const { device, router } = backend.makeParts({
      ports: { ...ports, formerSubnets: input.formerSubnets },
      setEntries: (key, entries) => {
        reconciler.setPeer(key, entries)
      },
    })
    this.#device = device
    this.#router = router
    const readAgain = (): void => {
      reconciler.invalidate()
      this.wake()
    }
    if (backend.reach !== undefined)
      this.#routeCheck = new RouteCheckTask({ ports, backend, reconciler, device, readAgain })
    this.#link = this.#makeLinkTask(input)
    const on = backend.routesOn
    const sink = this.#sink
    const reconcile = new ReconcileTask({ ports, reconciler, sink, readiness, family, on, somethingToDo, gate })
    this.tasks = [this.#link, reconcile, ...(this.#routeCheck === undefined ? [] : [this.#routeCheck])]
  }

  #makeLinkTask(input: DatapathInput): LinkTask {
    const { backend, setMtu, config } = input
    const { family } = this
    const reconciler = this.#reconciler
    return new LinkTask({
      ...input,
      family,
      overlays: config.overlays,
      peers: () => this.#routeCheck?.publicIps() ?? [],
      device: this.#device,
      reconciler,
      wantsOtherRoutes: () => this.wantsOtherRoutes,
      onHost: (host) => input.onHost?.(family, host),
      concerns: ({ ip, prefixLength }) =>
        isAboutPeers(prefixOf(ip, prefixLength), backend.own.overlay.network, backend.own.subnet),
      onMtu: (mtu) => {
        setMtu(family, mtu)
      },
      onLook: (underlay, routes) => {
        this.#router?.follow(underlay, routes)
        this.#routeCheck?.follow(underlay, routes)
        if (backend.reach !== undefined) reconciler.attachUnderlay(underlay.link.index, backend.own.overlay)
      },
      somethingToDo: this.#somethingToDo,
    })
  }

  /** What it shows of itself. */
  get view(): FamilyView {
    const reconciler = this.#reconciler
    const device = this.#device
    return {
      family: this.family,
      own: this.#own,
      underlay: this.#link.underlay,
      device: device && {
        ...{ name: device.name, index: reconciler.linkIndex, endPoint: device.endPoint },
        counts: device.counts?.(),
      },
      mtu: this.#link.mtu,
      pending: reconciler.pending,
      pendingRows: () => reconciler.pendingRows(),
      rowsOf: (key) => this.#router?.rowsOf?.(key) ?? reconciler.rowsOf(key),
      traffic: () => this.#router?.traffic?.(),
      backendOf: (leaseType) => leaseType || (this.#leaseTypes[0] ?? ''),
      isDirect: (key) => reconciler.isDirect(key),
    }
  }

  /** Undefined: there is no device of ours. */
  get deviceName(): string | undefined {
    return this.#device?.name
  }

  /** Who is told of peers. */
  get #sink(): PeerRouter | Reconciler {
    return this.#router ?? this.#reconciler
  }

  /** Underlay addresses that the device sends to; undefined while its tables are not known. */
  remotes(): ReadonlySet<string> | undefined {
    return this.#reconciler.remotes()
  }

  /** The links whose table entries it must be told of. */
  get watchedLinks(): readonly number[] {
    return this.#reconciler.watchedLinks
  }

  /** What is kept here: whatever else of this family is ours is of another configuration. */
  get present(): PresentFamily {
    const { network } = this.#own.overlay
    return { family: this.family, device: this.#device?.name, links: this.watchedLinks, network }
  }

  /** Any route may decide who is reached without a tunnel. */
  get wantsOtherRoutes(): boolean {
    return this.#router?.wantsOtherRoutes === true || this.#link.isWayOpen
  }

  /** Whether a foreign route to there may win over ours. */
  isOfInterest(destination: Prefix): boolean {
    return this.#routeCheck?.isOfInterest(destination) === true
  }

  /** Changes nothing. @throws {ConfigError} when the device cannot be as the configuration says */
  check(backend: BackendConfig): void {
    this.#device?.check(backend, this.#link.underlay)
  }

  /** The configuration of the backend may have changed in something that can be followed. */
  configure(backend: BackendConfig): void {
    this.#router?.configure(backend)
    this.#link.configure(backend)
    this.wake()
  }

  /** Our subnet has become another node's. */
  async withdraw(signal: AbortSignal): Promise<void> {
    await this.#device?.withdraw(signal)
  }

  /** The session has ended. */
  end(): void {
    this.#device?.end?.()
  }

  /** The kernel reports a change, of whatever. */
  observe(change: KernelChange): void {
    this.#link.observe(change)
    this.#routeCheck?.observe(change)
    if (this.#reconciler.observe(change)) this.wake()
  }

  setPeer(key: string, entries: EntriesByFamily | undefined): void {
    const peer = entries?.get(this.family)
    this.#link.peersChanged()
    this.#sink.setPeer(key, peer)
    this.#routeCheck?.setPeer(key, peer)
  }

  allowPruning(): void {
    this.#reconciler.allowPruning()
  }

  wake(): void {
    this.#somethingToDo.ring()
    this.#routeCheck?.wake()
  }
}
