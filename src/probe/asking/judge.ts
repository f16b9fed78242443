import type { Reach } from '../reach.ts'
import { HISTORY, lostOf, runsOf, type Row } from './row.ts'

/** What became of a question to a peer. */
export interface Outcome {
  /** `small`: of the shortest size, or of the one that is known to pass. */
  readonly size: 'full' | 'small'
  readonly nowMs: number
  /** Round trip, in milliseconds; undefined: it was not answered in time; NaN: it was, and nothing tells how fast. */
  readonly rttMs: number | undefined
}

/** What follows from it: the peer as it is known now, how soon it is to be asked again, and whether the size that passes is to be found. */
export interface Judged {
  readonly row: Row
  /** `soon`: the question is open; `now and then`: it is answered. */
  readonly again: 'soon' | 'now and then'
  readonly bisect: boolean
}

/** A peer that has just joined may still be writing its tables, and hear of us in a moment, in milliseconds. */
export const GRACE_MS = 10_000
/** So many small questions in a row that are not answered make a peer unreachable. */
export const UNREACHABLE_AFTER = 4
/** So many answers in a row make it reachable again. */
export const REACHABLE_AFTER = 2
/** So many questions of full size in a row that are not answered, while small ones are, say that the size is the matter. */
export const MTU_AFTER = 3
/** After one that was lost, so many more are asked one after the other. */
const EXTRA = 8
/** So many lost of the last {@link HISTORY}, at so many times, are lossy; so few are not any more. What is lost at one time was an interruption. */
const LOSSY_FROM = 3
const LOSSY_RUNS = 2
const LOSSY_UNTIL = 1

/** What an outcome says of a peer. Pure; states change with hysteresis, so that one packet decides nothing. */
export function judge(before: Row, outcome: Outcome): Judged {
  return outcome.rttMs === undefined ? judgeMiss(before, outcome) : judgeAnswer(before, outcome, outcome.rttMs)
}

function judgeAnswer(before: Row, { size, nowMs }: Outcome, told: number): Judged {
  const rttMs = Number.isNaN(told) ? before.rttMs : told
  const heard: Row = { ...before, rttMs, smallMisses: 0, hits: Math.min(before.hits + 1, HISTORY), hasAnswered: true }
  if (size === 'small') return judgeSmallAnswer(heard)
  const row: Row = { ...heard, fullMisses: 0, next: 'full', extra: Math.max(0, before.extra - 1) }
  return afterAnswer(noted(row, false), nowMs)
}

function afterAnswer(row: Row, nowMs: number): Judged {
  const isBack = row.reach !== 'unreachable' || row.hits >= REACHABLE_AFTER
  const isWide = row.reach !== 'mtu' || row.hits >= MTU_AFTER
  if (!isBack || !isWide) return { row, again: 'soon', bisect: false }
  const wasCut = row.reach === 'unreachable'
  const told = wasCut ? { ...row, missed: 0, asked: row.hits } : row // what was lost before is no loss of the way as it is now
  const changed = changedTo({ ...told, passes: 0 }, lossyOrNot(told), nowMs)
  return { row: changed, again: changed.extra > 0 ? 'soon' : 'now and then', bisect: false }
}

function judgeSmallAnswer(heard: Row): Judged {
  const row: Row = { ...noted(heard, false), next: 'full' }
  if (row.reach === 'mtu') return { row, again: 'now and then', bisect: row.passes === 0 }
  if (row.fullMisses >= MTU_AFTER) return { row, again: 'soon', bisect: true }
  return { row, again: 'soon', bisect: false }
}

function judgeMiss(before: Row, { size, nowMs }: Outcome): Judged {
  if (before.reach === 'unknown' && !before.hasAnswered && nowMs - before.sinceMs < GRACE_MS)
    return { row: { ...before, next: 'full' }, again: 'soon', bisect: false }
  const row: Row = { ...before, hits: 0, extra: before.reach === 'unreachable' ? 0 : EXTRA, next: 'small' }
  if (size === 'small') return judgeSmallMiss(noted(row, true), nowMs)
  const lost = row.reach === 'mtu' ? row : noted(row, true) // there it is too large, and not lost
  return { row: { ...lost, fullMisses: Math.min(row.fullMisses + 1, HISTORY) }, again: 'soon', bisect: false }
}

function judgeSmallMiss(missed: Row, nowMs: number): Judged {
  const row: Row = { ...missed, smallMisses: Math.min(missed.smallMisses + 1, HISTORY) }
  if (row.smallMisses >= UNREACHABLE_AFTER) {
    const cut: Row = { ...row, fullMisses: 0, extra: 0, passes: 0 }
    return { row: changedTo(cut, 'unreachable', nowMs), again: 'now and then', bisect: false }
  }
  // the size that passed does so no more, perhaps
  if (row.reach === 'mtu' && row.smallMisses >= 2) return { row: { ...row, passes: 0 }, again: 'soon', bisect: false }
  return { row, again: 'soon', bisect: false }
}

/** The size that passes is found: `full` where it is the full one after all. */
export function judgeBisected(before: Row, passes: number, full: number, nowMs: number): Judged {
  if (passes >= full) {
    const hits = Math.max(before.hits, MTU_AFTER)
    return afterAnswer({ ...before, fullMisses: 0, next: 'full', hits }, nowMs)
  }
  // what seemed lost was too large
  const row = changedTo({ ...before, passes, missed: 0, asked: 0, extra: 0, next: 'full' }, 'mtu', nowMs)
  return { row, again: 'now and then', bisect: false }
}

const changedTo = (row: Row, reach: Reach, nowMs: number): Row =>
  row.reach === reach ? row : { ...row, reach, sinceMs: nowMs }

function lossyOrNot(row: Row): 'lossy' | 'reachable' {
  const lost = lostOf(row)
  if (row.reach === 'lossy') return lost <= LOSSY_UNTIL && row.asked === HISTORY ? 'reachable' : 'lossy'
  return lost >= LOSSY_FROM && runsOf(row) >= LOSSY_RUNS ? 'lossy' : 'reachable'
}

function noted(row: Row, isLost: boolean): Row {
  const missed = ((row.missed << 1) | (isLost ? 1 : 0)) & (2 ** HISTORY - 1)
  return { ...row, missed, asked: Math.min(row.asked + 1, HISTORY) }
}
