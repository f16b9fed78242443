import type { KernelError } from '../kernel/kernel.ts'

/** Why a row is not as it should be. */
export type Why =
  /** It is not there. */
  | { readonly is: 'missing' }
  /** Something else stands in its place: this, written as the row is. */
  | { readonly is: 'differs'; readonly actual: string }
  /** No peer wants it. */
  | { readonly is: 'surplus' }
  /** The kernel has refused it, so often in a row, and last with these words. */
  | { readonly is: 'refused'; readonly error: KernelError; readonly times: number }
  /** Somebody has undone it, so often without a quiet minute between. */
  | { readonly is: 'flapping'; readonly times: number }
  /** Something else comes first: another row, a link that is up, the first list of peers. */
  | { readonly is: 'waiting'; readonly for: string }

/** A row that is not as it should be. */
export interface PendingRow {
  readonly table: 'neighbour' | 'fdb' | 'route'
  /** Its key in its table. */
  readonly key: string
  /** As `ip` and `bridge` take it after `replace`, but for the link: `route 10.1.0.0/20 via 10.1.0.0 proto 70 metric 2 onlink`. */
  readonly row: string
  /** Key of the peer it is for; undefined for a row that no peer wants. */
  readonly peer: string | undefined
  readonly why: Why
  /**
   * It is left alone until then, in milliseconds on the monotonic clock; undefined: it is sent in the next pass. Infinity: until what
   * it waits for has happened.
   */
  readonly untilMs: number | undefined
}

/** The same row, for another reason. What it is called is still made only when asked for: there can be a hundred thousand. */
export const withReason = (row: PendingRow, why: Why, untilMs: number | undefined): PendingRow => ({
  table: row.table,
  get key() {
    return row.key
  },
  get row() {
    return row.row
  },
  peer: row.peer,
  why,
  untilMs,
})
