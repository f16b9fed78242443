import type { UnderlayAnswer } from '../reach.ts'
import { inTurn } from './schedule.ts'

/** So many peers at most are asked at their PublicIP: where more are cut off, the fault is not theirs. And with those somebody waits for. */
const MOST = 100
const MOST_WITH_AWAITED = 2 * MOST
const TRIES = 3
/** After an attempt, and after all of them, in milliseconds. */
const RETRY_MS = 500
const AGAIN_MS = 60_000
/** Who is asked for comes before all others, in milliseconds. */
const URGENT_MS = 1e9

interface Exam {
  readonly dueMs: number
  readonly misses: number
  readonly answer: UnderlayAnswer | undefined
  readonly says: string | undefined
  /** Whether somebody waits for it: then no attempt waits for others. */
  readonly isAwaited: boolean
}

/** What the underlay says of peers that the overlay does not reach: whether they answer at their PublicIP. */
export class UnderlayExams {
  readonly #exams = new Map<number, Exam>()

  /** @param says what was said against the questions over the overlay, if anything was */
  begin(slot: number, nowMs: number, says?: string): void {
    if (this.#exams.has(slot) || this.#exams.size < MOST) this.#begin(slot, nowMs, says, false)
  }

  /** Somebody waits for it: before all others. */
  beginNow(slot: number, nowMs: number, says?: string): void {
    if (this.#exams.has(slot) || this.#exams.size < MOST_WITH_AWAITED) this.#begin(slot, nowMs - URGENT_MS, says, true)
  }

  #begin(slot: number, dueMs: number, told: string | undefined, isAwaited: boolean): void {
    const before = this.#exams.get(slot)
    const says = told ?? before?.says
    this.#exams.set(slot, { dueMs, misses: 0, answer: before?.answer, says, isAwaited })
  }

  end(slot: number): void {
    this.#exams.delete(slot)
  }

  answer(slot: number): UnderlayAnswer | undefined {
    return this.#exams.get(slot)?.answer
  }

  /** Whether nothing more is to be heard for now. */
  isOver(slot: number): boolean {
    const exam = this.#exams.get(slot)
    return exam === undefined || exam.answer !== undefined
  }

  /** Who is to be asked now; it is asked no more until one of the next three is called. */
  takeDue(nowMs: number): number | undefined {
    let [first, firstMs]: [number | undefined, number] = [undefined, Number.POSITIVE_INFINITY]
    for (const [slot, { dueMs }] of this.#exams) if (dueMs < firstMs) [first, firstMs] = [slot, dueMs]
    const exam = first === undefined ? undefined : this.#exams.get(first)
    if (first === undefined || exam === undefined || firstMs > nowMs) return undefined
    this.#exams.set(first, { ...exam, dueMs: Number.POSITIVE_INFINITY })
    return first
  }

  get nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { dueMs } of this.#exams.values()) next = Math.min(next, dueMs)
    return next
  }

  /** @param rttMs round trip, in milliseconds; NaN: it is not known */
  answered(slot: number, rttMs: number, nowMs: number): void {
    const exam = this.#exams.get(slot)
    if (exam === undefined) return
    const answer = { answers: true, ...(!Number.isNaN(rttMs) && { rttMs }) }
    this.#exams.set(slot, { dueMs: inTurn(nowMs + AGAIN_MS), misses: 0, answer, says: undefined, isAwaited: false })
  }

  missed(slot: number, nowMs: number, said?: string): void {
    const exam = this.#exams.get(slot)
    if (exam === undefined) return
    const misses = exam.misses + 1
    const says = said ?? exam.says
    const dueMs = exam.isAwaited ? nowMs - URGENT_MS : inTurn(nowMs + RETRY_MS)
    if (misses < TRIES) this.#exams.set(slot, { ...exam, dueMs, misses, says })
    else {
      const answer = { answers: false, ...(says !== undefined && { says }) }
      this.#exams.set(slot, { dueMs: inTurn(nowMs + AGAIN_MS), misses: 0, answer, says: undefined, isAwaited: false })
    }
  }

  /** It could not be asked. */
  putOff(slot: number, nowMs: number): void {
    const exam = this.#exams.get(slot)
    if (exam !== undefined) this.#exams.set(slot, { ...exam, dueMs: nowMs + RETRY_MS })
  }
}
