import type { Reach } from '../reach.ts'

/** The last so many questions count for a peer's loss. */
export const HISTORY = 16

/** What is kept of one peer in one family, in few octets: see {@link Roster}. Times are on the monotonic clock, in milliseconds. */
export interface Row {
  readonly reach: Reach
  readonly sinceMs: number
  /** What is asked next: a packet of the full size, or one that has passed before, or could. */
  readonly next: 'full' | 'small'
  /** NaN: never. */
  readonly heardMs: number
  /** Round trip of the last answer; NaN: none. */
  readonly rttMs: number
  /** Of the last questions, the newest lowest: 1 for one that was not answered. */
  readonly missed: number
  /** How many questions that says something of, {@link HISTORY} at most. */
  readonly asked: number
  /** Questions of full size in a row that were not answered. */
  readonly fullMisses: number
  readonly smallMisses: number
  /** Questions in a row that were. */
  readonly hits: number
  /** So many more are asked one after the other, since one was lost. */
  readonly extra: number
  /** Largest packet that passes, in octets; 0: not known, or all do. */
  readonly passes: number
  readonly hasAnswered: boolean
}

/** A peer that has just been heard of. */
export const newRow = (nowMs: number): Row => ({
  reach: 'unknown',
  sinceMs: nowMs,
  next: 'full',
  heardMs: Number.NaN,
  rttMs: Number.NaN,
  missed: 0,
  asked: 0,
  fullMisses: 0,
  smallMisses: 0,
  hits: 0,
  extra: 0,
  passes: 0,
  hasAnswered: false,
})

/** How many of the last questions were not answered. */
export function lostOf({ missed }: Pick<Row, 'missed'>): number {
  let lost = 0
  for (let bits = missed; bits !== 0; bits &= bits - 1) lost++
  return lost
}

/** At how many times questions were lost, one or several in a row. */
export const runsOf = ({ missed }: Pick<Row, 'missed'>): number => lostOf({ missed: missed & ~(missed << 1) })

/** From 0 to 1. */
export const lossOf = (row: Pick<Row, 'missed' | 'asked'>): number => (row.asked === 0 ? 0 : lostOf(row) / row.asked)
