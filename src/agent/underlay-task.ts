import type { ExternalInterface, InterfaceChoice } from '../host/external-interface.ts'
import type { Clock } from '../net/clock.ts'
import type { Family } from '../net/ip.ts'
import { Wakeup } from '../net/wakeup.ts'
import type { KernelChange, RouteState } from '../reconcile/kernel.ts'
import { Complaints } from './complaints.ts'
import { Pace } from './pace.ts'
import type { AgentPorts } from './ports.ts'
import { untilItWorks } from './retry.ts'
import { isStopped } from './tasks.ts'
import { hasMoved, UnderlayWatch } from './underlay-watch.ts'

export interface UnderlayTaskInput {
  readonly options: InterfaceChoice
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'random' | 'log'>
  readonly underlay: ExternalInterface
  readonly family: Family
  /** The family that has the say in which interface is used. */
  readonly leader: Family
  /** Called with the MTU of the underlay, in octets: packets go over it as they are. */
  readonly onMtu: (mtu: number) => void
  readonly somethingToDo: Wakeup
  /** Called at every look, with the underlay and the main table's routes. */
  readonly onLook: (underlay: ExternalInterface, routes: readonly RouteState[]) => void
  /** Called when our address on the underlay, its network or its gateways have changed. */
  readonly onUnderlay: (underlay: ExternalInterface) => void
}

/** Behind the notifications, a look this often, in milliseconds. */
const PERIODIC_LOOK_MS = 60_000

/** Follows the underlay of one family that has no device of ours. */
export class UnderlayTask {
  readonly #input: UnderlayTaskInput
  readonly #look = new Wakeup()
  readonly #pace: Pace
  readonly #underlay: UnderlayWatch
  readonly #complaints: Complaints

  constructor(input: UnderlayTaskInput) {
    const { ports, options, underlay, family, leader } = input
    this.#input = input
    this.#pace = new Pace(ports.clock)
    this.#complaints = new Complaints(ports.clock)
    this.#underlay = new UnderlayWatch(underlay, options, { family, leader }, ports)
  }

  /** To be called when the kernel is being listened to, so that nothing that happens after the look is missed. */
  async run(signal: AbortSignal): Promise<void> {
    const { ports, family } = this.#input
    const attempt = (): Promise<void> => this.#attempt(signal)
    const clock: Clock = {
      monotonicMs: () => ports.clock.monotonicMs(),
      sleep: (ms, stop) => this.#look.wait(ports.clock, ms, stop),
    }
    while (!isStopped(signal)) {
      await untilItWorks(`IPv${family} underlay`, attempt, { ...ports, clock }, signal, noHint, this.#complaints)
      if (isStopped(signal)) break
      await this.#look.wait(ports.clock, this.#underlay.nextLookInMs ?? PERIODIC_LOOK_MS, signal)
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const { onLook, onMtu, onUnderlay, somethingToDo } = this.#input
    await this.#pace.turn(signal)
    signal.throwIfAborted()
    const before = this.#underlay.current
    const underlay = await this.#underlay.look(signal)
    if (hasMoved(before, underlay)) onUnderlay(underlay)
    onLook(underlay, this.#underlay.routes)
    onMtu(underlay.link.mtu)
    somethingToDo.ring()
  }

  /** The kernel reports a change. While the underlay is lost, any may bring it back. */
  observe(change: KernelChange): void {
    const { link } = this.#underlay.current
    const isLost = this.#underlay.nextLookInMs !== undefined
    const isOurs =
      change.kind === 'overrun' ||
      (change.kind === 'link' && (change.link.index === link.index || change.link.name === link.name)) ||
      (change.kind === 'address' && (isLost || change.address.linkIndex === link.index))
    if (isOurs) this.#look.ring()
  }
}

const noHint = (): Promise<string> => Promise.resolve('')
