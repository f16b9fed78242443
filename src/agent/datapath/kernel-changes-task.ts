import type { KernelChange } from '../../kernel/kernel.ts'
import type { Prefix } from '../../net/prefix.ts'
import { RateLimit } from '../../time/rate-limit.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { Task, TaskContext } from '../runtime/task.ts'

/** Where notifications are lost once, that may go on. */
const LOSS_LINES = { burst: 1, everyMs: 60_000 }

/** Who wants to hear what the kernel reports. */
export interface ChangeFollower {
  /** The links whose table entries it must be told of, at the moment. */
  readonly watchedLinks: readonly number[]
  /** Whether it wants to hear that routes of other links have changed. */
  readonly wantsOtherRoutes: boolean
  /** Whether it wants to hear of foreign routes to there. */
  isOfInterest?(destination: Prefix): boolean
  observe(change: KernelChange): void
}

export interface ChangesTaskInput {
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'log'>
  readonly followers: readonly ChangeFollower[]
}

/** Listens to the kernel, and passes every report on to all who follow: one subscription, however many devices there are. */
export class ChangesTask implements Task {
  readonly name = 'changes'
  readonly #ports: ChangesTaskInput['ports']
  readonly #followers: readonly ChangeFollower[]
  readonly #lossLines: RateLimit

  constructor({ ports, followers }: ChangesTaskInput) {
    this.#ports = ports
    this.#followers = followers
    this.#lossLines = new RateLimit(ports.clock, LOSS_LINES)
  }

  /** The subscription stands when this returns its promise. Nothing is awaited between reports ({@link Kernel.changes}). */
  async run({ signal }: Pick<TaskContext, 'signal'>): Promise<void> {
    const watched = (): readonly number[] => this.#followers.flatMap(({ watchedLinks }) => watchedLinks)
    const otherRoutes = (): boolean => this.#followers.some(({ wantsOtherRoutes }) => wantsOtherRoutes)
    const isOfInterest = (destination: Prefix): boolean =>
      this.#followers.some((follower) => follower.isOfInterest?.(destination) === true)
    for await (const change of this.#ports.kernel.changes(watched, signal, otherRoutes, isOfInterest)) {
      if (change.kind === 'overrun') this.#sayLoss()
      for (const follower of this.#followers) follower.observe(change)
    }
  }

  /** The kernel had more to tell than we could take. */
  #sayLoss(): void {
    if (!this.#lossLines.take()) return
    this.#ports.log.warn(
      'notifications of the kernel were lost; reading devices and tables again',
      {},
      { kind: 'notifications-lost' },
    )
  }
}
