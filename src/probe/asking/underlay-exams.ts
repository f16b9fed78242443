import type { UnderlayAnswer } from '../reach.ts'

/** So many peers at most are asked at their PublicIP: where more are cut off, the fault is not theirs. */
const MOST = 100
const TRIES = 3
/** After an attempt, and after all of them, in milliseconds. */
const RETRY_MS = 500
const AGAIN_MS = 60_000

interface Exam {
  readonly dueMs: number
  readonly misses: number
  readonly answer: UnderlayAnswer | undefined
  readonly says: string | undefined
}

/** What the underlay says of peers that the overlay does not reach: whether they answer at their PublicIP. */
export class UnderlayExams {
  readonly #exams = new Map<number, Exam>()

  /** @param says what was said against the questions over the overlay, if anything was */
  begin(slot: number, nowMs: number, says?: string): void {
    const before = this.#exams.get(slot)
    if (before === undefined && this.#exams.size >= MOST) return
    this.#exams.set(slot, { dueMs: nowMs, misses: 0, answer: before?.answer, says: says ?? before?.says })
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
    for (const [slot, exam] of this.#exams)
      if (exam.dueMs <= nowMs) {
        this.#exams.set(slot, { ...exam, dueMs: Number.POSITIVE_INFINITY })
        return slot
      }
    return undefined
  }

  get nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { dueMs } of this.#exams.values()) next = Math.min(next, dueMs)
    return next
  }

  answered(slot: number, rttMs: number, nowMs: number): void {
    const exam = this.#exams.get(slot)
    if (exam === undefined) return
    this.#exams.set(slot, { dueMs: nowMs + AGAIN_MS, misses: 0, answer: { answers: true, rttMs }, says: undefined })
  }

  missed(slot: number, nowMs: number, said?: string): void {
    const exam = this.#exams.get(slot)
    if (exam === undefined) return
    const misses = exam.misses + 1
    const says = said ?? exam.says
    if (misses < TRIES) this.#exams.set(slot, { ...exam, dueMs: nowMs + RETRY_MS, misses, says })
    else {
      const answer = { answers: false, ...(says !== undefined && { says }) }
      this.#exams.set(slot, { dueMs: nowMs + AGAIN_MS, misses: 0, answer, says: undefined })
    }
  }

  /** It could not be asked. */
  putOff(slot: number, nowMs: number): void {
    const exam = this.#exams.get(slot)
    if (exam !== undefined) this.#exams.set(slot, { ...exam, dueMs: nowMs + RETRY_MS })
  }
}
