import { ConfigError } from '../../config/error.ts'
import { NoInterfaceError } from '../../host/underlay/underlay.ts'
import { CloneError, LeaseContentionError, OutOfSubnetsError, RivalError } from '../../lease/errors.ts'
import { StoreError } from '../../lease/store.ts'
import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import type { Random } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { KernelError } from '../../kernel/kernel.ts'
import { DeviceError } from '../../backend/device-keeper.ts'
import type { ConditionReports, Effect } from './conditions.ts'

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
  readonly random: Random
  /** Told what is waited for, and that it is there. */
  readonly conditions: ConditionReports
}

export interface RetryOptions {
  /** What may help with an error, for the log. */
  readonly hint?: (error: Error) => Promise<string>
  /** What follows from an error; {@link effectOf} it, where not given. */
  readonly effect?: Effect
  /** Asked after an attempt that worked: what it has left as it is for now. */
  readonly remains?: () => Remaining | undefined
}

/** What is not as it should be though nothing has failed: it is put off. */
export interface Remaining {
  readonly reason: string
  readonly effect: Effect
}

/** What runs goes on without etcd, but not without anything else. */
const effectOf = (error: Error): Effect => (error instanceof StoreError ? 'degraded' : 'unready')

interface Worked {
  /** The name under which it has failed. */
  readonly failing: string | undefined
  /** The one that it has now. */
  readonly name: string
  readonly left: Remaining | undefined
}

function hasWorked(conditions: ConditionReports, { failing, name, left }: Worked): void {
  if (left === undefined) conditions.holds(failing ?? name)
  else {
    if (failing !== undefined && failing !== name) conditions.drop(failing)
    conditions.fails(name, left.reason, left.effect)
  }
}

/**
 * Tries until it works. Until then the condition `what` fails, and afterwards while something remains; where it has another name from one
 * attempt to the next, that of then.
 * @throws whatever no retry can cure; and when `signal` aborts, its reason
 */
export async function untilItWorks<T>(
  what: string | (() => string),
  attempt: (signal: AbortSignal) => Promise<T>,
  { random, conditions }: RetryPorts,
  { signal, rest }: Loop,
  { hint, effect, remains }: RetryOptions = {},
): Promise<T> {
  const nameOf = typeof what === 'string' ? () => what : what
  let failing: string | undefined
  for (let attempts = 1; ; attempts++) {
    signal.throwIfAborted()
    try {
      const result = await attempt(signal)
      hasWorked(conditions, { failing, name: nameOf(), left: remains?.() })
      return result
    } catch (error) {
      const schedule = scheduleFor(error)
      if (signal.aborted || schedule === undefined || !(error instanceof Error)) throw error
      const help = (await hint?.(error)) ?? ''
      const name = nameOf()
      if (failing !== undefined && failing !== name) conditions.drop(failing)
      failing = name
      conditions.fails(name, error, effect ?? effectOf(error), {
        says: `${name}: ${error.message}${help}; retrying ${schedule.words}`,
        level: 'warn',
        atOnce: error instanceof NoInterfaceError ? 1 : 3, // an interface that comes and goes is said rarely
      })
      await rest(backoffMs(schedule, attempts, random))
    }
  }
}
