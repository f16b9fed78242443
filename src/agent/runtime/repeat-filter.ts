import { StoreError } from '../../lease/store.ts'
import type { Clock } from '../../time/clock.ts'

/** The same failure is logged again after this long. */
const AGAIN_MS = 60_000

/** Remembers what has been complained about, so that a log says each thing once, and again only after a while. */
export class RepeatFilter {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  /** What it is about → when it was said, on the monotonic clock. */
  readonly #said = new Map<string, number>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** Whether this is worth saying. Taken as said when it is. */
  isNews(error: Error): boolean {
    const subject = subjectOf(error)
    const nowMs = this.#clock.monotonicMs()
    for (const [said, atMs] of this.#said) if (nowMs - atMs >= AGAIN_MS) this.#said.delete(said)
    if (this.#said.has(subject)) return false
    this.#said.set(subject, nowMs)
    return true
  }

  /** It works again: whatever comes next is news. */
  forget(): void {
    this.#said.clear()
  }
}

/** What stays the same of a failure that happens again: the words of one to a store name now this endpoint, now that. */
function subjectOf(error: Error): string {
  if (error instanceof StoreError) return `${error.name} ${error.op} ${error.code}`
  const code = 'code' in error ? error.code : undefined
  return 'syscall' in error ? `${error.name} ${String(code)}` : error.message
}
