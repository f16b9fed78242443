import { sameIp, type Family } from '../../net/ip.ts'
import type { Clock, Random } from '../../time/clock.ts'
import { Askers } from './askers.ts'
import { beginBisection, isDone, onMissed, onPassed, type Bisection } from './bisection.ts'
import { shortest } from '../echo.ts'
import { judge, judgeBisected, type Judged } from './judge.ts'
import * as pace from './pace.ts'
import { PeerBook, type Way } from './peer-book.ts'
import type { PeerReach, ReachChange } from '../reach.ts'
import { Questions, type Question, type Reply } from './questions.ts'
import { newRow } from './row.ts'
import type { Target } from './targets.ts'
import { Totals, type ProbeTotals } from '../totals.ts'
import { UnderlayExams } from './underlay-exams.ts'

export interface ProberInput {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly random: Random
  /** As many random octets, which nobody can guess. */
  readonly entropy: (octets: number) => Uint8Array
  /** Called after each turn in which peers were judged otherwise than before; must not throw. */
  readonly onChanges: (changes: readonly ReachChange[]) => void
}

/** Whoever has his turn so much later than he asked for was suspended: what was asked before says nothing, in milliseconds. */
const LATE_MS = 2_000
/** What others ask is read at least this often, in milliseconds. */
const LISTEN_MS = 5_000
/** Where there is nobody to ask. */
const IDLE_MS = 3_600_000
/** Where a question could not be sent for a reason of ours, in milliseconds. */
const PUT_OFF_MS = 1_000
/** Who is asked for comes before all others, in milliseconds. */
const URGENT_MS = 1e9

/**
 * Asks peers and judges their answers. Passive: {@link turn} does what is due, and says when it is to be called again. However many peers
 * there are, no more than 50 questions leave in a second.
 */
export class Prober {
  readonly book: PeerBook
  readonly #input: ProberInput
  readonly #questions: Questions
  readonly #exams = new UnderlayExams()
  readonly #totals = new Totals()
  readonly #askers = new Askers()
  /** For the size that passes. */
  readonly #searches = new Map<number, Bisection>()
  readonly #lastAnswerMs = new Map<Family, number>()
  #changes: ReachChange[] = []
  /** When the next turn was asked for, and when questions last left. */
  #expectedMs = Number.POSITIVE_INFINITY
  #sentMs = Number.NEGATIVE_INFINITY

  constructor(input: ProberInput) {
    this.#input = input
    this.book = new PeerBook((slot) => this.#exams.answer(slot))
    this.#questions = new Questions(input.entropy, this.#totals)
  }

  get totals(): ProbeTotals {
    return this.#totals.read()
  }

  /** When any peer last answered, on the monotonic clock, in milliseconds; undefined: none ever did. */
  lastAnswerMs(family: Family): number | undefined {
    return this.#lastAnswerMs.get(family)
  }

  /** How a family is asked from now on; undefined: not at all. */
  setWay(family: Family, way: Way | undefined): void {
    const wasAsked = this.book.ways.has(family)
    this.book.setWay(family, way, this.#nowMs)
    if (wasAsked === (way !== undefined)) return
    for (const slot of this.book.roster.slots()) if (this.book.targets.family(slot) === family) this.#askAnew(slot)
  }

  /** What was asked before says nothing: as if it had just been heard of, but for what is known of it. */
  #askAnew(slot: number): void {
    this.#forgetQuestions(slot)
    const { roster } = this.book
    const row = roster.read(slot)
    const known = row.reach === 'unknown' ? newRow(this.#nowMs, 0) : { ...row, fullMisses: 0, smallMisses: 0, extra: 0 }
    roster.write(slot, { ...known, dueMs: this.#joinMs })
    if (this.book.way(slot) === undefined) this.#askers.settle(slot)
  }

  get #joinMs(): number {
    return this.#nowMs + pace.joinDelayMs(this.book.roster.size, this.#input.random)
  }

  /** Sets or changes a peer. One whose addresses stay is what it was. */
  setPeer(target: Target): void {
    const { targets, roster } = this.book
    const slot = targets.slot(target.key, target.family)
    const before = slot === undefined ? undefined : targets.of(slot)
    if (slot === undefined) targets.set(roster.add(newRow(this.#nowMs, this.#joinMs)), target)
    else {
      targets.set(slot, target)
      if (before !== undefined && isAtSamePlace(before, target)) return
      this.#forgetQuestions(slot)
      this.#exams.end(slot)
      roster.write(slot, newRow(this.#nowMs, this.#joinMs))
    }
  }

  removePeer(key: string, family: Family): void {
    const slot = this.book.targets.slot(key, family)
    if (slot === undefined) return
    this.#forgetQuestions(slot)
    this.#exams.end(slot)
    this.book.targets.remove(slot)
    this.book.roster.remove(slot)
    this.#askers.settle(slot)
  }

  #forgetQuestions(slot: number): void {
    this.#questions.forget(slot)
    this.#searches.delete(slot)
  }

  /** Has these asked before all others. @returns settles when all are judged, or not to be asked */
  askNow(keys: readonly string[]): Promise<void> {
    const { targets, ways, roster } = this.book
    const slots = keys.flatMap((key) => [...ways.keys()].flatMap((family) => targets.slot(key, family) ?? []))
    for (const slot of slots) {
      if (roster.dueMs(slot) !== Number.POSITIVE_INFINITY) roster.setDue(slot, this.#nowMs - URGENT_MS)
      if (roster.reach(slot) === 'unreachable') this.#exams.begin(slot, this.#nowMs)
    }
    return this.#askers.wait(slots)
  }

  get #nowMs(): number {
    return this.#input.clock.monotonicMs()
  }

  /** @returns how long the next turn may be put off, in milliseconds */
  turn(): number {
    const nowMs = this.#nowMs
    for (const family of this.book.ways.keys()) this.#receive(family, nowMs)
    if (nowMs > this.#expectedMs + LATE_MS) for (const slot of this.#questions.forget()) this.#putOff(slot, nowMs)
    for (const { slot, asks } of this.#questions.takeExpired(nowMs)) {
      const family = this.book.targets.family(slot)
      if (family !== undefined) this.#hear({ slot, asks, family, rttMs: undefined }, nowMs)
    }
    if (nowMs - this.#sentMs >= pace.TICK_MS) this.#send(nowMs)
    if (this.#changes.length > 0) this.#input.onChanges(this.#changes.splice(0))
    const inMs = this.#nextInMs(nowMs)
    this.#expectedMs = nowMs + inMs
    return inMs
  }

  #nextInMs(nowMs: number): number {
    const { roster, ways } = this.book
    if (ways.size === 0 || roster.size === 0) return IDLE_MS
    const dueMs = Math.min(roster.nextDueMs(nowMs, this.#isAsked), this.#exams.nextDueMs)
    const askMs = Math.max(dueMs, this.#sentMs + pace.TICK_MS)
    const readMs = nowMs + (this.#questions.open > 0 ? pace.TICK_MS : LISTEN_MS)
    return Math.ceil(Math.max(0, Math.min(askMs, readMs) - nowMs)) // in parts of a millisecond, a tick might never be over
  }

  readonly #isAsked = (slot: number): boolean => this.book.way(slot) !== undefined

  /** A question was neither answered nor lost: it is asked again. */
  #putOff(slot: number, nowMs: number): void {
    this.book.roster.setDue(slot, nowMs + PUT_OFF_MS)
    this.#exams.putOff(slot, nowMs)
  }

  #send(nowMs: number): void {
    // one for the underlay, if there is one: where all are overdue, none would be left for it
    const examined = this.#examineNext(nowMs) ? 1 : 0
    const slots = this.book.roster.firstDue(nowMs, pace.PER_TICK - examined, this.#isAsked)
    for (const slot of slots) this.#ask(slot, nowMs)
    for (let left = pace.PER_TICK - examined - slots.length; left > 0; left--) if (!this.#examineNext(nowMs)) break
    if (slots.length > 0) this.#sentMs = nowMs
  }

  /** @returns whether there was one */
  #examineNext(nowMs: number): boolean {
    const slot = this.#exams.takeDue(nowMs)
    if (slot !== undefined) this.#askUnderlay(slot, nowMs)
    return slot !== undefined
  }

  #ask(slot: number, nowMs: number): void {
    const [target, way] = [this.book.targets.of(slot), this.book.way(slot)]
    if (target === undefined || way === undefined) return
    const row = this.book.roster.read(slot)
    const search = this.#searches.get(slot)
    const small = row.passes === 0 ? shortest(target.family) : row.passes
    const packetLength = search?.asking ?? (row.next === 'full' ? way.mtu : Math.min(small, way.mtu))
    this.book.roster.setDue(slot, Number.POSITIVE_INFINITY)
    const asks = search === undefined ? row.next : 'search'
    const patienceMs = pace.patienceMs(row.rttMs)
    this.#dispatch(way, { slot, asks, to: target.address, from: way.from, packetLength, patienceMs }, nowMs)
  }

  #askUnderlay(slot: number, nowMs: number): void {
    const [target, way] = [this.book.targets.of(slot), this.book.way(slot)]
    if (target === undefined || way === undefined) return
    const packetLength = shortest(target.family)
    const addresses = { to: target.peer.publicIp, from: way.underlayFrom }
    const patienceMs = pace.patienceMs(Number.NaN)
    this.#sentMs = nowMs
    this.#dispatch(way, { slot, asks: 'underlay', ...addresses, packetLength, patienceMs }, nowMs)
  }

  #dispatch(way: Way, question: Question, nowMs: number): void {
    const outcome = this.#questions.send(way, question, nowMs)
    if (outcome === 'not now') this.#putOff(question.slot, nowMs)
    else if (outcome !== undefined) this.#hear(outcome, nowMs)
  }

  #receive(family: Family, nowMs: number): void {
    for (const report of this.book.ways.get(family)?.socket.receive() ?? [])
      if (report.kind === 'request') {
        const slot = this.book.targets.slotAt(report.from)
        if (slot !== undefined) this.book.roster.setHeard(slot, nowMs)
      } else {
        const reply = this.#questions.take(family, report, nowMs)
        if (reply !== undefined) this.#hear(reply, nowMs)
      }
  }

  #hear(reply: Reply, nowMs: number): void {
    const { slot, asks, family, rttMs } = reply
    if (asks === 'underlay') {
      if (rttMs === undefined) this.#exams.missed(slot, nowMs, reply.says)
      else this.#exams.answered(slot, rttMs, nowMs)
      this.#settleExamined(slot)
      return
    }
    if (rttMs !== undefined) {
      this.#totals.answered(rttMs)
      this.#lastAnswerMs.set(family, nowMs)
    } else if (asks === 'small') this.#totals.missed()
    if (asks === 'search') this.#hearOfSearch(reply, nowMs)
    else this.#take(slot, judge(this.book.roster.read(slot), { size: asks, nowMs, rttMs }), nowMs, reply.says)
    if (asks === 'full' && rttMs !== undefined) this.#askers.settle(slot)
  }

  #hearOfSearch({ slot, rttMs, mtu }: Reply, nowMs: number): void {
    const search = this.#searches.get(slot)
    if (search !== undefined)
      this.#searchOn(slot, rttMs === undefined ? onMissed(search, mtu) : onPassed(search), nowMs)
  }

  #searchOn(slot: number, search: Bisection, nowMs: number): void {
    if (!isDone(search)) {
      this.#searches.set(slot, search)
      this.book.roster.setDue(slot, this.#soonest(slot, nowMs, 0))
      return
    }
    this.#searches.delete(slot)
    this.#take(slot, judgeBisected(this.book.roster.read(slot), search.passes, search.full, nowMs), nowMs)
  }

  #take(slot: number, { row, again, bisect }: Judged, nowMs: number, says?: string): void {
    const { roster, targets } = this.book
    const before = roster.read(slot)
    const target = targets.of(slot)
    const way = this.book.way(slot)
    if (target === undefined || way === undefined) return
    const waitMs = bisect ? 0 : again === 'soon' ? this.#soonMs(row.hits) : this.#periodMs(row.reach)
    const isOpen = bisect || again === 'soon'
    roster.write(slot, { ...row, dueMs: isOpen ? this.#soonest(slot, nowMs, waitMs) : nowMs + waitMs })
    if (bisect) this.#searches.set(slot, beginBisection(shortest(target.family), way.mtu))
    if (row.reach === 'unreachable' && before.reach !== 'unreachable') this.#exams.begin(slot, nowMs, says)
    else if (row.reach !== 'unreachable') this.#exams.end(slot)
    if (row.reach !== before.reach) this.#note(slot, target, this.book.reachOf(before, slot))
    if (again === 'now and then' && !bisect) this.#settleExamined(slot)
  }

  #note(slot: number, { key, family }: Target, before: PeerReach): void {
    const { roster } = this.book
    this.#changes.push({ key, family, before, after: this.book.reachOf(roster.read(slot), slot) })
  }

  /** Of one that is not reached, what the underlay says belongs to it. */
  #settleExamined(slot: number): void {
    if (this.book.roster.reach(slot) !== 'unreachable' || this.#exams.isOver(slot)) this.#askers.settle(slot)
  }

  /** Whom somebody waits for stays before all others until it is judged. @returns when it is asked again */
  #soonest(slot: number, nowMs: number, waitMs: number): number {
    return this.#askers.has(slot) ? nowMs - URGENT_MS : nowMs + waitMs
  }

  #soonMs(hits: number): number {
    return hits > 0 ? pace.AFTER_ANSWER_MS : pace.AFTER_MISS_MS
  }

  #periodMs(reach: PeerReach['reach']): number {
    const { roster } = this.book
    const { size } = roster
    const { random } = this.#input
    if (reach === 'unreachable' || reach === 'lossy')
      return pace.jittered(pace.wrongPeriodMs(reach, roster.count(reach), size), random)
    return pace.jittered(pace.periodMs(size), random)
  }

  /** Nobody is asked any more. */
  close(): void {
    this.#askers.settleAll()
    for (const family of [...this.book.ways.keys()]) this.setWay(family, undefined)
  }
}

const isAtSamePlace = (a: Target, b: Target): boolean =>
  sameIp(a.address, b.address) && sameIp(a.peer.publicIp, b.peer.publicIp)
