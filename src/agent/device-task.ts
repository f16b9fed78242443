import type { NetworkConfig } from '../config/network.ts'
import type { DaemonOptions } from '../config/options.ts'
import { chooseExternalInterface, type ExternalInterface } from '../host/external-interface.ts'
import { Wakeup } from '../net/wakeup.ts'
import type { KernelChange } from '../reconcile/kernel.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import { deviceSpec } from '../vxlan/device-spec.ts'
import { ensureDevice, type EnsuredDevice } from '../vxlan/device.ts'
import { deviceName, type Vtep } from '../vxlan/vtep.ts'
import type { AgentPorts } from './ports.ts'
import { untilItWorks } from './retry.ts'
import { isStopped, runTogether } from './tasks.ts'
import type { SubnetFile } from './subnet-file.ts'

export interface DeviceTaskInput {
  readonly options: DaemonOptions
  readonly ports: AgentPorts
  readonly config: NetworkConfig
  readonly underlay: ExternalInterface
  readonly vtep: Vtep
  readonly reconciler: Reconciler
  readonly subnetFile: SubnetFile
  readonly somethingToDo: Wakeup
  /** Called when our address on the underlay has changed. */
  readonly onUnderlay: (underlay: ExternalInterface) => void
}

/** Behind the notifications, a look at everything this often, in milliseconds. */
const PERIODIC_LOOK_MS = 60_000

/**
 * Keeps the VXLAN device as it must be on the underlay as it is, and passes what the kernel reports of its tables on to the
 * reconciler. A report only ever makes something worth a look.
 */
export class DeviceTask {
  readonly #input: DeviceTaskInput
  readonly #look = new Wakeup()
  #underlay: ExternalInterface

  constructor(input: DeviceTaskInput) {
    this.#input = input
    this.#underlay = input.underlay
  }

  /** Brings the device about, however long it takes, and hands it to the reconciler. */
  async #ensure(signal: AbortSignal): Promise<void> {
    const { config, vtep, ports, reconciler, subnetFile, somethingToDo } = this.#input
    const name = deviceName(vtep.family, vtep.vni)
    const attempt = async (): Promise<EnsuredDevice> => {
      await this.#followUnderlay(signal)
      return ensureDevice(ports.kernel, deviceSpec(vtep, config.backend, this.#underlay), signal)
    }
    const device = await untilItWorks(`device ${name}`, attempt, ports, signal)
    this.#sayWhatWasDone(name, device)
    if (reconciler.linkIndex !== device.link.index || device.outcome !== 'unchanged')
      reconciler.attach(device.link.index)
    subnetFile.setMtu(device.link.mtu)
    somethingToDo.ring()
  }

  #sayWhatWasDone(name: string, { outcome, link, replacedBecause }: EnsuredDevice): void {
    const fields = { device: name, mac: link.mac, mtu: link.mtu, because: replacedBecause }
    if (outcome !== 'unchanged') this.#input.ports.log.info(`device ${outcome}`, fields)
  }

  /** Listens first and looks then, so that nothing that happens after the look is missed. */
  async run(signal: AbortSignal): Promise<void> {
    await runTogether(
      [
        { name: 'listen', run: (stop) => this.#listen(stop) },
        { name: 'look', run: (stop) => this.#keepLooking(stop) },
      ],
      signal,
    )
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    const { ports } = this.#input
    await this.#ensure(signal)
    while (!isStopped(signal)) {
      await this.#look.wait(ports.clock, PERIODIC_LOOK_MS, signal)
      if (isStopped(signal)) break
      await this.#ensure(signal)
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { ports, reconciler, somethingToDo } = this.#input
    for await (const change of ports.kernel.changes(() => reconciler.linkIndex, signal)) {
      if (this.#concernsDevice(change)) this.#look.ring()
      if (reconciler.observe(change)) somethingToDo.ring()
    }
  }

  /** Containers come and go by the hundred; only our own device and the underlay matter here. */
  #concernsDevice(change: KernelChange): boolean {
    const indexes = [this.#underlay.link.index, this.#input.reconciler.linkIndex]
    switch (change.kind) {
      case 'overrun':
        return true
      case 'link':
        return indexes.includes(change.link.index) || this.#names().includes(change.link.name)
      case 'address':
        return indexes.includes(change.address.linkIndex)
      default:
        return false
    }
  }

  #names(): readonly string[] {
    const { vtep } = this.#input
    return [deviceName(vtep.family, vtep.vni), this.#underlay.link.name]
  }

  /** Takes note of a changed MTU, index or address of the underlay. @throws {NoInterfaceError} while it has none */
  async #followUnderlay(signal: AbortSignal): Promise<void> {
    const { ports, options, vtep, onUnderlay } = this.#input
    const choice = { ifaces: options.ifaces, publicIp: options.publicIp }
    const before = this.#underlay
    this.#underlay = await chooseExternalInterface(ports.kernel, choice, vtep.family, signal)
    if (before.publicIp.text !== this.#underlay.publicIp.text) onUnderlay(this.#underlay)
  }
}
