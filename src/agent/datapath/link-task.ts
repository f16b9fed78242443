import type { DeviceKeeper, Postponed } from '../../backend/device-keeper.ts'
import type { BackendConfig } from '../../config/backend.ts'
import type { OverlayNetwork } from '../../config/network.ts'
import type { HostAddresses, InterfaceChoice } from '../../host/underlay/underlay.ts'
import type { AddressState, KernelChange, RouteState } from '../../kernel/kernel.ts'
import { carriesNothing, mtuOf, type Underlay } from '../../kernel/underlay.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { Reconciler } from '../../reconcile/reconciler.ts'
import type { Wakeup } from '../../time/wakeup.ts'
import { CheckLoop } from '../runtime/check-loop.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { Remaining } from '../runtime/retry.ts'
import { ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'
import type { PeerGate } from './reconcile-task.ts'
import { hasMoved, UnderlayWatch } from './underlay-watch.ts'

export interface LinkTaskInput {
  readonly options: InterfaceChoice
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'random' | 'log' | 'conditions'>
  readonly family: Family
  /** The family that has the say in which interface is used. */
  readonly leader: Family
  /** Of all families: none of their addresses is an underlay. */
  readonly overlays: readonly OverlayNetwork[]
  readonly underlay: Underlay
  /** Where peers are, at the moment. */
  readonly peers: () => Iterable<Ip>
  /** Of our device on the underlay; undefined: there is none. */
  readonly device: DeviceKeeper | undefined
  readonly reconciler: Pick<Reconciler, 'linkIndex' | 'attach'>
  /** Whether routes of other links decide who is reached how. */
  readonly wantsOtherRoutes: () => boolean
  /** Called with the MTU of what carries the containers' packets, in octets. */
  readonly onMtu: (mtu: number) => void
  /** Called at every look, with the underlay and the main table's routes, before the device is tended. */
  readonly onLook: (underlay: Underlay, routes: readonly RouteState[]) => void
  /** Called with the host as it was read for a look. */
  readonly onHost?: (host: HostAddresses) => void
  /** Whether an address of any link is worth a look. */
  readonly concerns?: (address: AddressState) => boolean
  /** Called when our address on the underlay, its network or its gateways have changed. */
  readonly onUnderlay: (underlay: Underlay) => void
  readonly somethingToDo: Wakeup
  readonly gate: Pick<PeerGate, 'stands'> | undefined
}

/** Nobody should wonder why it is not mended at once, as it is else. */
const remainingOf = ({ found, carries }: Postponed): Remaining => ({
  reason: `${found}; left so for now, as it keeps being changed from outside`,
  effect: carries ? 'degraded' : 'unready',
})

/** A look reads all routes: 30 ms of a processor for ten thousand, and so a few per cent of it, however often they change. */
const WAY_APART_MS = 2_000

/**
 * Follows the underlay of one family, tends our device on it, if there is one, and hands the link over to the reconciler. A report only
 * ever makes something worth a look.
 */
export class LinkTask implements Task {
  readonly name: string
  readonly roundMs = ROUND_MS.kernel
  readonly #input: LinkTaskInput
  readonly #checkLoop: CheckLoop
  readonly #underlay: UnderlayWatch
  /** When a change of routes or peers last asked for a look, on the monotonic clock. */
  #wayAskedMs = Number.NEGATIVE_INFINITY
  #mtu: number | undefined
  /** Name of the device at the last look that found one. */
  #deviceName: string | undefined
  /** What the last look has left as it is. */
  #postponed: Postponed | undefined

  constructor(input: LinkTaskInput) {
    const { ports, options, underlay, family, leader, overlays, peers, device } = input
    this.#input = input
    this.name = `IPv${family} ${device === undefined ? 'underlay' : 'device'}`
    const wanted = { family, leader, overlays, onRead: (host: HostAddresses) => input.onHost?.(host) }
    this.#underlay = new UnderlayWatch({ underlay, choice: options, wanted, peers, ports })
    this.#checkLoop = new CheckLoop({
      name: () => (device === undefined ? `IPv${family} underlay` : `device ${device.name}`),
      ports,
      look: (signal) => this.#look(signal),
      dueInMs: () => this.#dueInMs(),
      remains: () => this.#postponed && remainingOf(this.#postponed),
    })
  }

  /** Of what carries the containers' packets, in octets; undefined before the first look. */
  get mtu(): number | undefined {
    return this.#mtu
  }

  /** The underlay as last seen. */
  get underlay(): Underlay {
    return this.#underlay.current
  }

  /** To be called when the kernel is being listened to, so that nothing that happens after the look is missed. */
  async run(context: TaskContext): Promise<void> {
    await context.idle(this.#input.gate?.stands(context.signal) ?? Promise.resolve())
    await this.#checkLoop.run(context)
  }

  #dueInMs(): number | undefined {
    const wayInMs = this.#wayAskedMs + WAY_APART_MS - this.#input.ports.clock.monotonicMs()
    const way = wayInMs > 0 ? wayInMs : undefined
    const waits = [this.#input.device?.dueInMs(), this.#underlay.nextLookInMs, way].filter((ms) => ms !== undefined)
    return waits.length === 0 ? undefined : Math.min(...waits)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { device, onLook, somethingToDo } = this.#input
    await this.#followUnderlay(signal)
    onLook(this.underlay, this.#underlay.takeRoutes())
    if (device === undefined) this.#setMtu(mtuOf(this.underlay))
    else if (!(await this.#tend(device, signal))) return
    somethingToDo.ring()
  }

  /** Takes note of a changed underlay. @throws {NoInterfaceError} while it has none */
  async #followUnderlay(signal: AbortSignal): Promise<void> {
    const before = this.underlay
    const underlay = await this.#underlay.look(signal)
    if (hasMoved(before, underlay)) this.#input.onUnderlay(underlay)
  }

  /** Brings the device about and hands it to the reconciler. @returns whether it is there */
  async #tend(device: DeviceKeeper, signal: AbortSignal): Promise<boolean> {
    const { reconciler, ports } = this.#input
    const report = await device.tend(this.underlay, signal)
    const { linkIndex, hasChanged, mtu, problem, foreignAddresses } = report
    this.#postponed = report.postponed
    if (linkIndex === undefined) return false // of a device that is not there, nothing else holds or fails
    this.#forgetName(device.name)
    const settings = `settings of ${device.name}`
    if (problem === undefined) ports.conditions.holds(settings)
    else ports.conditions.fails(settings, problem, 'none', { says: problem.message })
    this.#sayForeign(device.name, foreignAddresses)
    if (reconciler.linkIndex !== linkIndex || hasChanged) reconciler.attach(linkIndex)
    this.#setMtu(mtu)
    return true
  }

  /** A device that has another name than before: what failed of that one does so no longer. */
  #forgetName(name: string): void {
    const before = this.#deviceName
    this.#deviceName = name
    if (before === undefined || before === name) return
    for (const what of ['device', 'settings of', 'addresses of']) this.#input.ports.conditions.drop(`${what} ${before}`)
  }

  #setMtu(mtu: number): void {
    this.#mtu = mtu
    this.#input.onMtu(mtu)
  }

  #sayForeign(device: string, foreign: readonly string[]): void {
    const { conditions } = this.#input.ports
    const addresses = `addresses of ${device}`
    if (foreign.length === 0) conditions.holds(addresses)
    else
      conditions.fails(addresses, `${foreign.join(', ')} is not ours`, 'degraded', {
        says: `${foreign.join(', ')} on ${device} is not ours, and may be taken for the host's own packets to containers elsewhere: remove it (ip address delete), and let DHCP clients and network managers leave ${device} alone`,
        saysHolds: `${device} has no address of others that stands in the way of ours`,
        repeats: false,
      })
  }

  /** From now on the device is to be as this configuration says. */
  configure(backend: BackendConfig): void {
    const { device } = this.#input
    if (device === undefined) return
    device.configure(backend)
    this.#checkLoop.ask()
  }

  /** Peers have come or gone: where the underlay is no card, others may be what they are reached by. */
  peersChanged(): void {
    if (this.isWayOpen && this.#isWayDue()) this.#checkLoop.ask()
  }

  #isRouteDue(): boolean {
    return this.#input.wantsOtherRoutes() && (!this.isWayOpen || this.#isWayDue())
  }

  /** Whether routes may be looked at for the sake of the way: with BGP they change by the thousand. Else, the look that is due sees them. */
  #isWayDue(): boolean {
    const nowMs = this.#input.ports.clock.monotonicMs()
    if (nowMs - this.#wayAskedMs < WAY_APART_MS) return false
    this.#wayAskedMs = nowMs
    return true
  }

  /** Whether routes decide by which cards packets to peers leave. */
  get isWayOpen(): boolean {
    return carriesNothing(this.underlay.link)
  }

  /** The kernel reports a change. */
  observe(change: KernelChange): void {
    if (this.#isWorthALook(change)) this.#checkLoop.ask()
  }

  /** Containers come and go by the hundred; only our own device and the underlay matter here, and while that is lost, any change. */
  #isWorthALook(change: KernelChange): boolean {
    const { device, reconciler } = this.#input
    const { link } = this.underlay
    const indexes = device === undefined ? [link.index] : [link.index, reconciler.linkIndex]
    const isLost = this.#underlay.nextLookInMs !== undefined
    switch (change.kind) {
      case 'overrun':
        return true
      case 'link':
        if (this.underlay.way?.links.some(({ index }) => index === change.link.index) === true) return true
        return indexes.includes(change.link.index) || [link.name, device?.name].includes(change.link.name)
      case 'address':
        return isLost || indexes.includes(change.address.linkIndex) || this.#input.concerns?.(change.address) === true
      case 'route':
        return change.route.linkIndex !== reconciler.linkIndex && this.#isRouteDue()
      case 'other-routes':
      case 'foreign-route':
        return this.#isRouteDue()
      default:
        return false
    }
  }
}
