import type { Reach } from '../../probe/reach.ts'
import { isRefusing, type ConditionStatus, type PeersSummary, type StatusDocument } from '../../status/document.ts'

/** How bad: each has a colour and a sign of its own, and stands in words beside both. */
export type Level = 'good' | 'warn' | 'bad' | 'none'

export const SIGNS: Readonly<Record<Level, string>> = { good: '✓', warn: '!', bad: '✕', none: '–' }

export const REACH_WORDS: Readonly<Record<Reach, string>> = {
  unreachable: 'not reached',
  mtu: 'only small packets pass',
  lossy: 'losing packets',
  unknown: 'not known',
  reachable: 'reached',
}

export const REACH_LEVELS: Readonly<Record<Reach, Level>> = {
  ...{ unreachable: 'bad', mtu: 'bad', lossy: 'warn', unknown: 'none', reachable: 'good' },
}

export const EFFECT_LEVELS: Readonly<Record<ConditionStatus['effect'], Level>> = {
  ...{ unready: 'bad', incomplete: 'bad', degraded: 'warn', none: 'none' },
}

export const EFFECT_WORDS: Readonly<Record<ConditionStatus['effect'], string>> = {
  unready: 'not ready',
  incomplete: 'not complete',
  degraded: 'degraded',
  none: 'noted',
}

export interface Headline {
  readonly level: Level
  readonly title: string
  readonly detail: string
}

/** Conditions that say of peers what each of them is shown with, and in more detail. */
const OF_PEERS = /^(answers of|losses to|packet size to) peers over /

/** Conditions that stand for themselves. */
export const ownConditions = ({ conditions }: StatusDocument): readonly ConditionStatus[] =>
  conditions.filter(({ what }) => !OF_PEERS.test(what))

/** What a person must read first. */
export function headlineOf(status: StatusDocument): Headline {
  const { state, peers } = status
  const [first] = ownConditions(status).filter(({ effect }) => effect !== 'none')
  const missed = missedOf(peers)
  const detail = first === undefined ? reachedText(peers) : `${first.what}: ${first.reason}`
  if (state === 'unready') return { level: 'bad', title: 'This node is not ready', detail }
  if (missed > 0) return { level: 'bad', title: missedText(missed, peers), detail }
  if (state === 'degraded') return { level: 'warn', title: 'This node works, but not all is well', detail }
  return { level: 'good', title: 'All is well', detail }
}

/** How it fares with the store. */
export function storeText(store: StatusDocument['store']): string {
  if (isRefusing(store)) return 'refuses'
  return store.isUp ? 'answers' : 'out of reach'
}

export const missedOf = ({ byReach }: PeersSummary): number => byReach.unreachable + byReach.mtu + byReach.lossy

/** A peer may be missed in one family alone: where there are several, ways count. */
function missedText(missed: number, { total, families }: PeersSummary): string {
  if (families.length > 1)
    return `${count(missed, 'path')} of ${number(total * families.length)} to peers ${missed === 1 ? 'is' : 'are'} broken`
  return `${count(missed, 'peer')} of ${number(total)} ${missed === 1 ? 'has' : 'have'} a broken path`
}

/** `40 of 41 peers are reached`, and what is known of the rest. */
export function reachedText({ total, byReach, families, probes }: PeersSummary): string {
  if (total === 0) return 'There are no peers yet'
  if (!probes.isOn) return `${count(total, 'peer')}; they are not asked${probes.why === null ? '' : `: ${probes.why}`}`
  if (families.length < 2) return reachedIn(byReach, total)
  return families.map((one) => `IPv${one.family}: ${reachedIn(one.byReach, total)}`).join('; ')
}

function reachedIn(byReach: PeersSummary['byReach'], total: number): string {
  const parts = (['unreachable', 'mtu', 'lossy', 'unknown'] as const)
    .filter((reach) => byReach[reach] > 0)
    .map((reach) => `${number(byReach[reach])} ${REACH_WORDS[reach]}`)
  return [`${number(byReach.reachable)} of ${count(total, 'peer')} reached`, ...parts].join(', ')
}

/** `1 peer`, `5 000 peers`. */
export const count = (many: number | bigint, what: string): string =>
  `${number(many)} ${what}${many === 1 || many === 1n ? '' : 's'}`

/** Groups of three digits, with spaces between that do not break. */
export const number = (value: number | bigint): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, '\u00a0')

const MINUTE = 60
const HOUR = 3_600
const DAY = 86_400

/** `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`: the two largest units that there are. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < MINUTE) return `${whole} s`
  if (whole < HOUR) return pair(whole, MINUTE, 'min', 1, 's')
  return whole < DAY ? pair(whole, HOUR, 'h', MINUTE, 'min') : pair(whole, DAY, 'd', HOUR, 'h')
}

function pair(whole: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((whole % large) / small)
  const first = `${Math.floor(whole / large)} ${largeUnit}`
  return rest === 0 ? first : `${first} ${rest} ${smallUnit}`
}

/** `0.4 ms`, `12 ms`. */
export const milliseconds = (value: number | null): string =>
  value === null ? '–' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

/** Seconds from one time to another, as in the documents; 0 for what is no time. */
export function secondsBetween(from: string, to: string): number {
  const seconds = (Date.parse(to) - Date.parse(from)) / 1_000
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0
}
