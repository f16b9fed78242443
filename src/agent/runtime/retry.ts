import { ConfigError } from '../../config/error.ts'
import { NoInterfaceError } from '../../host/underlay.ts'
import { CloneError, LeaseContentionError, OutOfSubnetsError, RivalError } from '../../lease/errors.ts'
import { StoreError } from '../../lease/store.ts'
import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import type { Logger } from '../../observe/logger.ts'
import { KernelError } from '../../kernel/kernel.ts'
import { DeviceError } from '../../backend/device-keeper.ts'
import { RepeatFilter } from './repeat-filter.ts'
import type { AgentStatus } from './status.ts'

/** When to try again, and how to say so. */
interface Schedule extends BackoffSpec {
  readonly words: string
}

/** The host's own business: asking costs nobody else anything. */
const LOCAL: Schedule = { firstMs: 1_000, mostMs: 1_000, jitter: 0, words: 'every second' }
/** Thousands of nodes ask one etcd, and must still be back within five seconds of its return: at most 3.9 s apart. */
const STORE: Schedule = { firstMs: 1_000, mostMs: 3_000, jitter: 0.3, words: 'every few seconds' }
/** What only a person or time can cure is not worth reading every lease for at each attempt. */
const SLOW: Schedule = { firstMs: 10_000, mostMs: 10_000, jitter: 0.3, words: 'every ten seconds' }

/** What the world can do to us and may undo again. Anything else is a mistake of ours, and ends the process. */
const CURABLE = [
  [StoreError, STORE],
  [ConfigError, STORE],
  [LeaseContentionError, STORE],
  [KernelError, LOCAL],
  [NoInterfaceError, LOCAL],
  [DeviceError, LOCAL],
  [OutOfSubnetsError, SLOW],
  [RivalError, SLOW],
  [CloneError, SLOW],
] as const

const scheduleFor = (error: unknown): Schedule | undefined => CURABLE.find(([kind]) => error instanceof kind)?.[1]

export const isCurable = (error: unknown): error is Error => scheduleFor(error) !== undefined

export interface RetryPorts {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly random: Random
  readonly log: Logger
  /** Told what is waited for, and that it is there. */
  readonly status?: Pick<AgentStatus, 'trouble' | 'fine'>
}

/**
 * Tries until it works, saying why it does not: at once when the reason is a new one, then once a minute.
 * @param hint what may help with an error, for the log
 * @param lastingRepeats of earlier calls too: that an interface which comes and goes is missing is not said each time
 * @throws whatever no retry can cure; and when `signal` aborts, its reason
 */
export async function untilItWorks<T>(
  what: string,
  attempt: (signal: AbortSignal) => Promise<T>,
  { clock, random, log, status }: RetryPorts,
  { signal, rest }: Loop,
  hint: (error: Error) => Promise<string> = () => Promise.resolve(''),
  lastingRepeats = new RepeatFilter(clock),
): Promise<T> {
  const repeats = new RepeatFilter(clock)
  let hasComplained = false
  for (let attempts = 1; ; attempts++) {
    signal.throwIfAborted()
    try {
      const result = await attempt(signal)
      if (hasComplained) log.info(`${what}: works now`)
      status?.fine(what)
      return result
    } catch (error) {
      const schedule = scheduleFor(error)
      if (signal.aborted || schedule === undefined || !(error instanceof Error)) throw error
      status?.trouble(what, error.message, error instanceof StoreError ? 'degraded' : 'unready')
      if ((error instanceof NoInterfaceError ? lastingRepeats : repeats).isNews(error)) {
        log.warn(`${what}: ${error.message}${await hint(error)}; retrying ${schedule.words}`)
        hasComplained = true
      }
      await rest(backoffMs(schedule, attempts, random))
    }
  }
}
