import type { Logger } from '../../observe/logger.ts'
import { printable } from '../../text/printable.ts'
import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { ConditionLog, lineOf, type Telling } from './condition-log.ts'
import { causeRank, stopsForwarding } from './condition-order.ts'
import type { FaultStatus } from '../../status/document.ts'
import { faultOf } from '../../status/fault.ts'
import { Subscribers } from './subscribers.ts'
import type { Task } from './task.ts'

/**
 * What a condition that fails keeps from being said: that this node is ready (`unready`), or only that all is well (`degraded`), or
 * neither (`none`). Where something that was promised to containers is missing (`incomplete`), they can be started all the same: whoever
 * asks hears that the node is not ready, and whatever is ordered after us is let go.
 */
export type Effect = 'unready' | 'incomplete' | 'degraded' | 'none'

/** Something that is not as it should be. */
export interface Condition {
  /** Its name. */
  readonly what: string
  readonly reason: string
  /** What it has now. */
  readonly effect: Effect
  /** Since when it fails, whatever the reasons were, on the monotonic clock. */
  readonly sinceMs: number
  /** The error that it fails with, where it is one that can be told apart. */
  readonly fault?: FaultStatus | undefined
}

export interface FailsOptions extends Telling {
  /** For so long, in milliseconds, it only degrades. */
  readonly toleratedMs?: number
  /** Whether it ends with the session ({@link Conditions.sessionEnded}). Default: yes. */
  readonly isOfSession?: boolean
  /** The error that the reason is made of, where that is a text. */
  readonly error?: Error
}

/** What a task needs of {@link Conditions} to say how it fares. */
export type ConditionReports = Pick<Conditions, 'fails' | 'holds' | 'drop'>

type Failing = Condition & { readonly toleratedMs: number; readonly isOfSession: boolean }

/**
 * The one place where tasks report what fails and what holds. From here it goes into the log, once for each transition and seldom again
 * ({@link ConditionLog}), and to whoever asks or has subscribed: `/readyz`, the service manager. It asks nobody.
 */
export class Conditions implements Task {
  readonly name = 'conditions'
  readonly #clock: Clock
  readonly #log: ConditionLog
  readonly #failing = new Map<string, Failing>()
  readonly #subscribers = new Subscribers()

  constructor(input: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = input.clock
    this.#log = new ConditionLog({ ...input, isForwarding: () => this.isForwarding })
  }

  /**
   * Something is not as it should be, for this reason. To be called at every attempt that fails; the same condition for another reason
   * is as old as it was. Logged as an error where the node is not ready because of it, else as a warning.
   * @param what names the condition, and begins its line in the log
   */
  fails(what: string, reason: string | Error, effect: Effect, options: FailsOptions = {}): void {
    const before = this.#failing.get(what)
    const text = printable(typeof reason === 'string' ? reason : reason.message)
    const sinceMs = before?.sinceMs ?? this.#clock.monotonicMs()
    const { toleratedMs = 0, isOfSession = true, error = reason } = options
    const fault = typeof error === 'string' ? undefined : faultOf(error)
    this.#failing.set(what, { what, reason: text, effect, sinceMs, fault, toleratedMs, isOfSession })
    const level = effect === 'unready' || effect === 'incomplete' ? 'error' : 'warn'
    this.#log.fails(lineOf(what, reason, level, options))
    if (before?.reason !== text || before.effect !== effect) this.#subscribers.notify()
  }

  /** It is as it should be. */
  holds(what: string): void {
    this.#log.holds(what)
    if (this.#failing.delete(what)) this.#subscribers.notify()
  }

  /** It does not matter any more, as with the end of what it was about. Nothing is logged. */
  drop(what: string): void {
    this.#log.drop(what)
    if (this.#failing.delete(what)) this.#subscribers.notify()
  }

  /** Whoever reported in a session has ended: what failed of it does not matter any more. */
  sessionEnded(): void {
    for (const { what, isOfSession } of [...this.#failing.values()]) if (isOfSession) this.drop(what)
  }

  /** All that fail, those first that others follow from. */
  all(): readonly Condition[] {
    const nowMs = this.#clock.monotonicMs()
    return Array.from(this.#failing.values(), ({ what, reason, effect, sinceMs, fault, toleratedMs }) => {
      const isTolerated = effect !== 'none' && nowMs - sinceMs < toleratedMs
      return { what, reason, effect: isTolerated ? 'degraded' : effect, sinceMs, fault } as const
    }).sort((a, b) => causeRank(a.what) - causeRank(b.what) || a.sinceMs - b.sinceMs)
  }

  /** Whether nothing that packets of the overlay need fails, as far as is known. */
  get isForwarding(): boolean {
    return !this.all().some(({ what, effect }) => effect === 'unready' && stopsForwarding(what))
  }

  /** @param listener called after each change of a reason or effect; must not throw @returns ends the subscription */
  subscribe(listener: () => void): () => void {
    return this.#subscribers.subscribe(listener)
  }

  /** Has the log say what was held back when its time has come. */
  run(loop: Loop): Promise<void> {
    return this.#log.run(loop)
  }
}
