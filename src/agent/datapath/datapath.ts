import type { EntriesByFamily } from '../../backend/judge.ts'
import type { BackendConfig } from '../../config/backend.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { DaemonOptions } from '../../config/options.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Family } from '../../net/ip.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { KernelChange, RouteState } from '../../kernel/kernel.ts'
import { Reconciler } from '../../reconcile/reconciler.ts'
import { DirectReach } from '../../backend/vxlan/direct-reach.ts'
import type { DatapathBackend } from './backends.ts'
import { DeviceTask } from './device-task.ts'
import { DirectPeers } from './direct-peers.ts'
import type { PeerSink } from '../peers/peer-sink.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { SetUpReport } from './set-up.ts'
import { ReconcileTask, type PeerGate } from './reconcile-task.ts'
import { ROUND_MS, type Task } from '../runtime/task.ts'
import { UnderlayTask } from './underlay-task.ts'

export interface DatapathInput {
  readonly options: DaemonOptions
  readonly ports: AgentPorts
  readonly config: NetworkConfig
  readonly backend: DatapathBackend
  readonly underlay: Underlay
  /** The family that has the say in which interface is used. */
  readonly leader: Family
  readonly readiness: SetUpReport
  /** Called with the MTU of what carries the containers' packets, in octets. */
  readonly setMtu: (family: Family, mtu: number) => void
  readonly onUnderlay: (underlay: Underlay) => void
  readonly gate: PeerGate | undefined
}

/** One address family of a session: its device, if there is one, kept on its underlay, and the tables that lead to peers. */
export class Datapath implements PeerSink {
  readonly family: Family
  readonly tasks: readonly Task[]
  readonly #reconciler: Reconciler
  readonly #underlay: DeviceTask | UnderlayTask
  /** With a VXLAN device: who decides which peers need the tunnel. */
  readonly #direct: DirectPeers | undefined
  readonly #somethingToDo = new Wakeup()

  constructor(input: DatapathInput) {
    const { ports, backend, readiness, gate } = input
    const { family } = backend.own.overlay
    this.family = family
    const somethingToDo = this.#somethingToDo
    const reconciler = new Reconciler(ports.kernel, [family], ports.clock, ports.random)
    this.#reconciler = reconciler
    const { backend: config } = input.config
    this.#direct = config.type === 'vxlan' ? new DirectPeers(reconciler, config.directRouting) : undefined
    const underlay = this.#makeUnderlayTask(input)
    this.#underlay = underlay
    const on = backend.device !== undefined ? 'device' : backend.reach !== undefined ? 'underlay' : 'nowhere'
    const reconcile = new ReconcileTask({ ports, reconciler, readiness, family, on, somethingToDo, gate })
    const tend: Task = {
      name: `IPv${family} ${backend.device === undefined ? 'underlay' : 'device'}`,
      roundMs: ROUND_MS.kernel,
      run: async (context) => {
        await context.idle(gate?.stands(context.signal) ?? Promise.resolve())
        await underlay.run(context)
      },
    }
    this.tasks = [tend, reconcile]
  }

  #makeUnderlayTask(input: DatapathInput): DeviceTask | UnderlayTask {
    const { backend, setMtu } = input
    const { family } = this
    const reconciler = this.#reconciler
    const onMtu = (mtu: number): void => {
      setMtu(family, mtu)
    }
    const onLook = (underlay: Underlay, routes: readonly RouteState[]): void => {
      if (this.#direct?.isOn === true) this.#direct.follow(new DirectReach(routes, underlay.link.index))
      if (backend.reach !== undefined) reconciler.attachUnderlay(underlay.link.index, backend.own.overlay)
    }
    const { device: vtep } = backend
    const { backend: vxlan } = input.config
    const common = { ...input, onMtu, onLook, somethingToDo: this.#somethingToDo }
    return vtep === undefined || vxlan.type !== 'vxlan'
      ? new UnderlayTask({ ...common, family })
      : new DeviceTask({ ...common, vtep, vxlan, reconciler })
  }

  /** Underlay addresses that the device sends to; undefined while its tables are not known. */
  remotes(): ReadonlySet<string> | undefined {
    return this.#reconciler.remotes()
  }

  /** The links whose table entries it must be told of. */
  get watchedLinks(): readonly number[] {
    return this.#reconciler.watchedLinks
  }

  /** Any route may decide who is reached without a tunnel. */
  get wantsOtherRoutes(): boolean {
    return this.#direct?.isOn === true
  }

  /** The configuration of the backend has changed in something that can be followed. */
  configure(backend: BackendConfig): void {
    if (backend.type !== 'vxlan') return
    this.#direct?.switch(backend.directRouting)
    if (this.#underlay instanceof DeviceTask) this.#underlay.configure(backend)
    this.wake()
  }

  /** The kernel reports a change, of whatever. */
  observe(change: KernelChange): void {
    this.#underlay.observe(change)
    if (this.#reconciler.observe(change)) this.wake()
  }

  setPeer(key: string, entries: EntriesByFamily | undefined): void {
    const sink = this.#direct ?? this.#reconciler
    sink.setPeer(key, entries?.get(this.family))
  }

  allowPruning(): void {
    this.#reconciler.allowPruning()
  }

  wake(): void {
    this.#somethingToDo.ring()
  }
}
