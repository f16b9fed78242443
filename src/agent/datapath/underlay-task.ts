import type { Underlay, InterfaceChoice } from '../../host/underlay.ts'
import type { Family } from '../../net/ip.ts'
import type { Loop } from '../../time/loop.ts'
import type { Wakeup } from '../../time/wakeup.ts'
import type { KernelChange, RouteState } from '../../kernel/kernel.ts'
import { CheckLoop } from '../runtime/check-loop.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { hasMoved, UnderlayWatch } from './underlay-watch.ts'

/** What following an underlay takes, with a device of ours on it or without. */
export interface UnderlayFollowing {
  readonly options: InterfaceChoice
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'random' | 'log'>
  readonly underlay: Underlay
  /** The family that has the say in which interface is used. */
  readonly leader: Family
  /** Called with the MTU of what carries the containers' packets, in octets. */
  readonly onMtu: (mtu: number) => void
  readonly somethingToDo: Wakeup
  /** Called at every look, with the underlay and the main table's routes. */
  readonly onLook: (underlay: Underlay, routes: readonly RouteState[]) => void
  /** Called when our address on the underlay, its network or its gateways have changed. */
  readonly onUnderlay: (underlay: Underlay) => void
}

export interface UnderlayTaskInput extends UnderlayFollowing {
  readonly family: Family
}

/** Follows the underlay of one family that has no device of ours. */
export class UnderlayTask {
  readonly #input: UnderlayTaskInput
  readonly #checkLoop: CheckLoop
  readonly #underlay: UnderlayWatch

  constructor(input: UnderlayTaskInput) {
    const { ports, options, underlay, family, leader } = input
    this.#input = input
    this.#underlay = new UnderlayWatch(underlay, options, { family, leader }, ports)
    this.#checkLoop = new CheckLoop({
      name: `IPv${family} underlay`,
      ports,
      look: (signal) => this.#look(signal),
      dueInMs: () => this.#underlay.nextLookInMs,
    })
  }

  /** To be called when the kernel is being listened to, so that nothing that happens after the look is missed. */
  run(loop: Loop): Promise<void> {
    return this.#checkLoop.run(loop)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { onLook, onMtu, onUnderlay, somethingToDo } = this.#input
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
    if (isOurs) this.#checkLoop.ask()
  }
}
