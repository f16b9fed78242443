import type { KernelChange } from '../../kernel/kernel.ts'
import { RepeatFilter } from '../runtime/repeat-filter.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { Task, TaskContext } from '../runtime/task.ts'

/** Who wants to hear what the kernel reports. */
export interface ChangeFollower {
  /** The links whose table entries it must be told of, at the moment. */
  readonly watchedLinks: readonly number[]
  /** Whether it wants to hear that routes of other links have changed. */
  readonly wantsOtherRoutes: boolean
  observe(change: KernelChange): void
}

/** Listens to the kernel, and passes every report on to all who follow: one subscription, however many devices there are. */
export class ChangesTask implements Task {
  readonly name = 'changes'
  readonly #ports: Pick<AgentPorts, 'kernel' | 'clock' | 'log'>
  readonly #followers: readonly ChangeFollower[]
  readonly #repeats: RepeatFilter

  constructor(ports: Pick<AgentPorts, 'kernel' | 'clock' | 'log'>, followers: readonly ChangeFollower[]) {
    this.#ports = ports
    this.#followers = followers
    this.#repeats = new RepeatFilter(ports.clock)
  }

  /** The subscription stands when this returns its promise. Nothing is awaited between reports ({@link Kernel.changes}). */
  async run({ signal }: Pick<TaskContext, 'signal'>): Promise<void> {
    const watched = (): readonly number[] => this.#followers.flatMap(({ watchedLinks }) => watchedLinks)
    const otherRoutes = (): boolean => this.#followers.some(({ wantsOtherRoutes }) => wantsOtherRoutes)
    for await (const change of this.#ports.kernel.changes(watched, signal, otherRoutes)) {
      if (change.kind === 'overrun' && change.because === 'lost') this.#sayLoss()
      for (const follower of this.#followers) follower.observe(change)
    }
  }

  /** The kernel had more to tell than we could take. Said once a minute at most: where it happens once, it may go on. */
  #sayLoss(): void {
    const loss = new Error('notifications of the kernel were lost; reading devices and tables again')
    if (this.#repeats.isNews(loss)) this.#ports.log.warn(loss.message)
  }
}
