import type { KernelChange } from '../../kernel/kernel.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'
import type { ChangeFollower } from './kernel-changes-task.ts'

export interface AbsentFamiliesTaskInput {
  readonly ports: Pick<AgentPorts, 'log'>
  /** Whether some family of the network has no underlay in this session. */
  readonly areMissing: boolean
  /** Whether one of them has one by now. */
  readonly hasCome: (signal: AbortSignal) => Promise<boolean>
}

/** Behind reports of the kernel, in milliseconds; and however many of these there are. */
const LOOK_EVERY_MS = 60_000
const SPACING_MS = 1_000

/** Ends the session when a family that it runs without could be had: the next one has both. */
export class AbsentFamiliesTask implements Task, ChangeFollower {
  readonly name = 'families without an underlay'
  readonly roundMs = ROUND_MS.kernel
  readonly watchedLinks = []
  readonly wantsOtherRoutes = false
  readonly #input: AbsentFamiliesTaskInput
  readonly #bell = new Wakeup()

  constructor(input: AbsentFamiliesTaskInput) {
    this.#input = input
  }

  observe(change: KernelChange): void {
    if (this.#input.areMissing && change.kind === 'address' && !change.gone) this.#bell.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const { areMissing, ports } = this.#input
    while (!isStopped(signal)) {
      await rest(areMissing ? LOOK_EVERY_MS : Infinity, this.#bell)
      if (isStopped(signal)) return
      if (areMissing && (await this.#hasCome(signal))) {
        ports.log.info('a family of the network can be had now that could not be before; beginning again with it')
        return
      }
      await rest(SPACING_MS)
    }
  }

  async #hasCome(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#input.hasCome(signal)
    } catch (error) {
      if (signal.aborted || !isCurable(error)) throw error
      return false
    }
  }
}
