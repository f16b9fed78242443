import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import type { Random } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'

/** The clock of etcd beside ours at that moment. Wall-clock times, in milliseconds. */
export interface StoreClock {
  readonly url: string
  readonly theirsMs: number
  readonly oursMs: number
}

export interface ClockInput {
  readonly ask: (signal: AbortSignal) => Promise<StoreClock | undefined>
  readonly conditions: ConditionReports
  readonly random: Random
}

/** Nothing of the start waits for it, in milliseconds. */
const FIRST_MS = 3_000
/** Clocks drift slowly, and ten thousand nodes ask one etcd, in milliseconds. */
const EVERY_MS = 600_000
const JITTER = 0.3
/** While they differ, or nobody tells, somebody may be mending it. */
const AGAIN_MS = 60_000
/** Clocks that NTP keeps are within a second. More than this is told, in milliseconds. */
const FAR_MS = 60_000

const WHAT = 'clock'

/** Compares our clock with that of etcd: certificates end by it, and people read times of several hosts beside each other. */
export class ClockTask implements Task {
  readonly name = 'clock'
  readonly roundMs = ROUND_MS.etcd
  readonly #input: ClockInput

  constructor(input: ClockInput) {
    this.#input = input
  }

  async run({ signal, rest }: Loop): Promise<void> {
    await rest(FIRST_MS)
    while (!isStopped(signal)) {
      const isWell = this.#judge(await this.#input.ask(signal))
      await rest(isWell ? EVERY_MS * (1 + JITTER * (this.#input.random() - 0.5)) : AGAIN_MS)
    }
  }

  /** @returns whether it is known to be well */
  #judge(clock: StoreClock | undefined): boolean {
    if (clock === undefined) return false
    const aheadMs = clock.oursMs - clock.theirsMs
    const isWell = Math.abs(aheadMs) < FAR_MS
    if (isWell) this.#input.conditions.holds(WHAT)
    else {
      const reason = `this host is ${inWords(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} etcd (${clock.url})`
      const cure = 'timedatectl set-ntp true on the one that is wrong'
      this.#input.conditions.fails(WHAT, `${reason}. Cure: ${cure}`, 'none', {
        ...{ isOfSession: false, repeats: false },
        subject: aheadMs > 0 ? 'ahead' : 'behind',
      })
    }
    return isWell
  }
}

const inWords = (ms: number): string => {
  const minutes = Math.round(ms / 60_000)
  return minutes === 1 ? 'a minute' : minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`
}
