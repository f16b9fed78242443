import type { OwnSubnet } from '../../backend/backend.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { DaemonOptions } from '../../config/options.ts'
import type { KernelChange } from '../../kernel/kernel.ts'
import { BlackholeTask } from './blackhole-task.ts'
import { ChecksumTask } from './checksum-task.ts'
import { FirewallTask, firewallSpec, type FirewallState } from './firewall-task.ts'
import { ForwardingTask } from './forwarding-task.ts'
import { OthersTask } from './others-task.ts'
import type { OverlayView } from './overlay-view.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { SubnetRelease } from '../subnet-file/subnet-release.ts'
import type { Family } from '../../net/ip.ts'
import type { Task } from '../runtime/task.ts'

export interface HostTasksInput {
  readonly options: DaemonOptions
  readonly ports: AgentPorts
  readonly config: NetworkConfig
  readonly own: readonly OwnSubnet[]
  /** The names of our devices at the moment; a family may have none. */
  readonly devices: () => ReadonlyMap<Family, string>
  /** The overlay as it is at the moment. */
  readonly view: () => OverlayView
  /** Told when the rules of the firewall stand, and when the host forwards, or it is known why they and it do not. */
  readonly release: Pick<SubnetRelease, 'hasTried'>
}

/** What a session asks of the host around the overlay: the rules of its firewall, that it forwards, a blackhole route. */
export class HostTasks {
  readonly tasks: readonly Task[]
  readonly watchedLinks: readonly number[] = []
  readonly wantsOtherRoutes = false
  readonly #input: HostTasksInput
  readonly #firewall: FirewallTask
  readonly #forwarding: ForwardingTask
  readonly #others: OthersTask

  constructor(input: HostTasksInput) {
    const { options, ports, own, devices, release } = input
    const everyMs = options.firewallResyncMs
    this.#input = input
    this.#firewall = this.#makeFirewall(ports)
    const families = own.map(({ overlay }) => overlay.family)
    const hasRules = options.ipMasq || options.forwardRules
    this.#forwarding = new ForwardingTask({
      ...{ ports, families, device: () => devices().get(4), hasRules, everyMs },
      onLooked: () => {
        release.hasTried('forwarding')
      },
    })
    this.#others = new OthersTask(input)
    const blackhole = new BlackholeTask(ports, own, options.ipBlackholeRoute)
    this.tasks = [this.#firewall, this.#forwarding, blackhole, this.#others, new ChecksumTask(input)]
  }

  /** The rules of the firewall, as of the last look. */
  get firewall(): FirewallState {
    return this.#firewall.state
  }

  /** The network configuration has changed in what concerns the host. */
  configure(config: NetworkConfig): void {
    this.#firewall.set(firewallSpec(this.#input.options, config, this.#input.own))
  }

  /** The kernel reports a change, of whatever. */
  observe(change: KernelChange): void {
    this.#forwarding.observe(change)
    this.#others.observe(change)
  }

  /** The overlay forwards, in one family at least. */
  forwards(): void {
    this.#others.begin()
  }

  #makeFirewall(ports: AgentPorts): FirewallTask {
    const { options, config, own, release } = this.#input
    return new FirewallTask({
      spec: firewallSpec(options, config, own),
      resyncMs: options.firewallResyncMs,
      ports,
      onLooked: () => {
        release.hasTried('firewall')
      },
    })
  }
}
