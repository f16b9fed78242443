import type { VxlanConfig } from '../../config/backend.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Loop } from '../../time/loop.ts'
import type { KernelChange } from '../../kernel/kernel.ts'
import type { Reconciler } from '../../reconcile/reconciler.ts'
import { DeviceDamping } from '../../backend/vxlan/device-damping.ts'
import { deviceSpec, usedUnderlayMtu } from '../../backend/vxlan/device-spec.ts'
import { tendDevice, type DeviceSpec, type TendedDevice } from '../../backend/vxlan/device.ts'
import type { Vtep } from '../../backend/vxlan/vtep.ts'
import { deviceName } from '../../kernel/ours.ts'
import { RepeatFilter } from '../runtime/repeat-filter.ts'
import { DeviceReporter } from './device-log.ts'
import { CheckLoop } from '../runtime/check-loop.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { UnderlayFollowing } from './underlay-task.ts'
import { hasMoved, UnderlayWatch } from './underlay-watch.ts'

export interface DeviceTaskInput extends UnderlayFollowing {
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'random' | 'log' | 'setSysctl'>
  readonly vxlan: VxlanConfig
  readonly vtep: Vtep
  readonly reconciler: Pick<Reconciler, 'linkIndex' | 'attach'>
}

/**
 * Keeps the VXLAN device of one family as it must be on the underlay as it is. A report only ever makes something worth a look.
 */
export class DeviceTask {
  readonly #input: DeviceTaskInput
  readonly #name: string
  #backend: VxlanConfig
  readonly #checkLoop: CheckLoop
  readonly #underlay: UnderlayWatch
  readonly #damping: DeviceDamping
  readonly #reporter: DeviceReporter
  readonly #sysctlRepeats: RepeatFilter

  constructor(input: DeviceTaskInput) {
    const { vtep, ports, options, underlay, leader } = input
    this.#input = input
    this.#backend = input.vxlan
    this.#name = deviceName(vtep.family, vtep.vni)
    this.#sysctlRepeats = new RepeatFilter(ports.clock)
    this.#underlay = new UnderlayWatch(underlay, options, { family: vtep.family, leader }, ports)
    this.#reporter = new DeviceReporter(this.#name, ports)
    this.#damping = new DeviceDamping(ports.clock, ports.random, (over) => {
      this.#reporter.fight(over)
    })
    this.#checkLoop = new CheckLoop({
      name: `device ${this.#name}`,
      ports,
      look: (signal) => this.#look(signal),
      dueInMs: () => this.#dueInMs(),
    })
  }

  /** The underlay as last seen. */
  get underlay(): Underlay {
    return this.#underlay.current
  }

  /** To be called when the kernel is being listened to, so that nothing that happens after the look is missed. */
  run(loop: Loop): Promise<void> {
    return this.#checkLoop.run(loop)
  }

  #dueInMs(): number {
    const waits = [this.#damping.nextDueInMs(), this.#underlay.nextLookInMs]
    return Math.min(...waits.filter((ms) => ms !== undefined))
  }

  /** Brings the device about and hands it to the reconciler. */
  async #look(signal: AbortSignal): Promise<void> {
    const { vtep, ports } = this.#input
    await this.#followUnderlay(signal)
    this.#input.onLook(this.underlay, this.#underlay.routes)
    const spec = deviceSpec(vtep, this.#backend, this.underlay)
    const isNew = !this.#damping.wasRight
    this.#damping.expect(spec)
    const tended = await tendDevice(ports.kernel, spec, this.#damping, signal)
    this.#report(spec, tended, isNew)
    if (tended.link !== undefined) await this.#refuseAdvertisements()
    this.#handOver(spec, tended)
  }

  /** Routers in the overlay, such as a container that plays one, must not reconfigure the host. Without IPv6 there are none. */
  async #refuseAdvertisements(): Promise<void> {
    const { setSysctl, log } = this.#input.ports
    try {
      await setSysctl(['net', 'ipv6', 'conf', this.#name, 'accept_ra'], '0')
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if ('code' in error && error.code === 'ENOENT') return
      if (this.#sysctlRepeats.isNews(error))
        log.warn(`cannot keep ${this.#name} from accepting router advertisements: ${error.message}`)
    }
  }

  #report(spec: DeviceSpec, tended: TendedDevice, isNew: boolean): void {
    const backend = this.#backend
    this.#reporter.mtu(backend.underlayMtu, usedUnderlayMtu(backend, this.underlay), this.underlay.link)
    this.#reporter.tended(spec, tended, isNew)
  }

  #handOver({ mtu }: DeviceSpec, { link, outcome }: TendedDevice): void {
    const { reconciler, onMtu, somethingToDo } = this.#input
    if (link === undefined) return
    if (reconciler.linkIndex !== link.index || outcome !== 'unchanged') reconciler.attach(link.index)
    onMtu(mtu)
    somethingToDo.ring()
  }

  /** From now on the device is to be like this. Not what it was made with: name, VNI, port stay. */
  configure(backend: VxlanConfig): void {
    this.#backend = backend
    this.#checkLoop.ask()
  }

  /** The kernel reports a change. */
  observe(change: KernelChange): void {
    if (this.#isWorthALook(change)) this.#checkLoop.ask()
  }

  /** Containers come and go by the hundred; only our own device and the underlay matter here, and while that is lost, any change. */
  #isWorthALook(change: KernelChange): boolean {
    const indexes = [this.underlay.link.index, this.#input.reconciler.linkIndex]
    const isLost = this.#underlay.nextLookInMs !== undefined
    switch (change.kind) {
      case 'overrun':
        return true
      case 'link':
        return indexes.includes(change.link.index) || [this.#name, this.underlay.link.name].includes(change.link.name)
      case 'address':
        return isLost || indexes.includes(change.address.linkIndex)
      case 'route':
        return this.#backend.directRouting && change.route.linkIndex !== this.#input.reconciler.linkIndex
      case 'other-routes':
        return this.#backend.directRouting
      default:
        return false
    }
  }

  /** Takes note of a changed underlay. @throws {NoInterfaceError} while it has none */
  async #followUnderlay(signal: AbortSignal): Promise<void> {
    const before = this.underlay
    const underlay = await this.#underlay.look(signal)
    if (hasMoved(before, underlay)) this.#input.onUnderlay(underlay)
  }
}
