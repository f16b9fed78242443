import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import type { Clock, Random } from '../../time/clock.ts'
import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
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
  readonly clock: Clock
  readonly random: Random
  /** Wall-clock time, in milliseconds. */
  readonly wallMs: () => number
}

/** Nothing of the start waits for it, in milliseconds. */
const FIRST_MS = 3_000
/** Ten thousand nodes ask one etcd, each with a connection for it, and clocks drift slowly; in milliseconds. */
const EVERY_MS = 6 * 3_600_000
const JITTER = 0.3
/** While they differ, or nobody tells, somebody may be mending it: twice as long each time, up to an hour. In milliseconds. */
const AGAIN: BackoffSpec = { firstMs: 60_000, mostMs: 3_600_000, jitter: JITTER / 2 }
/** So often it is looked whether our own clock was set, which asks nobody; in milliseconds. */
const LOOK_MS = 60_000
/** Further from one look to the next than any clock drifts, in milliseconds. */
const SET_MS = 10_000
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

  async run(loop: Loop): Promise<void> {
    const { ask, random } = this.#input
    await loop.rest(FIRST_MS)
    for (let attempts = 0; !isStopped(loop.signal);) {
      const isWell = this.#judge(await ask(loop.signal))
      attempts = isWell ? 0 : attempts + 1
      const pauseMs = isWell ? EVERY_MS * (1 + JITTER * (random() - 0.5)) : backoffMs(AGAIN, attempts, random)
      if (await this.#isSetWithin(pauseMs, loop)) attempts = 0
    }
  }

  /** Rests for so long, or until our own clock was set. */
  async #isSetWithin(ms: number, { signal, rest }: Loop): Promise<boolean> {
    const { clock, wallMs } = this.#input
    const untilMs = clock.monotonicMs() + ms
    for (let leftMs = ms; leftMs > 0 && !isStopped(signal); leftMs = untilMs - clock.monotonicMs()) {
      const before = wallMs() - clock.monotonicMs()
      await rest(Math.min(LOOK_MS, leftMs))
      if (Math.abs(wallMs() - clock.monotonicMs() - before) > SET_MS) return true
    }
    return false
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
