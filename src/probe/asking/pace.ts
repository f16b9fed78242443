import type { Random } from '../../time/clock.ts'

/** How often each peer is asked, in milliseconds: few more often than many, but all within a minute, as long as that takes 20 a second. */
const FASTEST_MS = 10_000
const EACH_MS = 500
const SLOWEST_MS = 50_000
const AT_CAPACITY_MS = 1_000 / 20

/** Until entries of a peer that has just joined are made here, in milliseconds. */
const SETTLE_MS = 1_000
/** All nodes hear of a new peer at once; it is to be asked by a hundred of them in a second, in milliseconds for each. */
const JOIN_EACH_MS = 10
const JOIN_MOST_MS = 50_000

/** An open question is asked again after this long, in milliseconds: after one that was lost, and after one that was answered. */
const AFTER_MISS_MS = 250
const AFTER_ANSWER_MS = 500

/** Whom there is something wrong with is asked more often, in milliseconds, and rarer where that is so of many. */
const WRONG_MS = { unreachable: 5_000, lossy: 2_000 } as const
const WRONG_EACH_MS = 100

/** How long to wait before a peer is asked again of whom all is known. */
export const periodMs = (peers: number): number =>
  Math.max(Math.min(Math.max(peers * EACH_MS, FASTEST_MS), SLOWEST_MS), peers * AT_CAPACITY_MS)

/** The same for one of `alike` peers with which something is wrong. */
export const wrongPeriodMs = (reach: keyof typeof WRONG_MS, alike: number, peers: number): number =>
  Math.min(Math.max(WRONG_MS[reach], alike * WRONG_EACH_MS), periodMs(peers))

/** @param hits questions in a row that were answered */
export const openMs = (hits: number): number => (hits > 0 ? AFTER_ANSWER_MS : AFTER_MISS_MS)

/** A tenth more or less, so that nobody is asked by all at once for ever. */
export const jittered = (ms: number, random: Random): number => ms * (0.9 + random() * 0.2)

/** How long from now a peer that has just joined is asked for the first time. */
export const joinDelayMs = (peers: number, random: Random): number =>
  SETTLE_MS + random() * Math.min(peers * JOIN_EACH_MS, JOIN_MOST_MS)

/** How long an answer is waited for, in milliseconds, by the last round trip; NaN: none is known. */
export const patienceMs = (rttMs: number): number =>
  Number.isNaN(rttMs) ? 1_500 : Math.min(Math.max(4 * rttMs + 400, 500), 2_000)
