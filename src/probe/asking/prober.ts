import { sameIp, type Family } from '../../net/ip.ts'
import type { Clock, Random } from '../../time/clock.ts'
import { atOnce, type Steps } from '../../time/slices.ts'
import { Asker } from './asker.ts'
import { Askers } from './askers.ts'
import { beginBisection, isDone, onMissed, onPassed, type Bisection } from './bisection.ts'
import { Budget } from './budget.ts'
import { shortest } from '../echo.ts'
import { judge, judgeBisected, type Judged } from './judge.ts'
import * as pace from './pace.ts'
import { PeerBook, type Way } from './peer-book.ts'
import type { PeerReach, ReachChange } from '../reach.ts'
import { Questions, type Reply } from './questions.ts'
import { newRow, type Row } from './row.ts'
import { inTurn, Schedule } from './schedule.ts'
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
/** Peers that are asked anew in between two steps. */
const AT_ONCE = 64
/** Where there is nobody to ask. */
const IDLE_MS = 3_600_000

/** What there is to know of a question, once it is judged. */
type Heard = Pick<Reply, 'slot' | 'sentMs' | 'says'>

/**
 * Asks peers and judges their answers. Passive: {@link turn} does what is due, and says when it is to be called again. However many peers
 * there are, no more than 50 questions leave in a second ({@link Budget}). While nothing is open and nobody waits, that is once a second:
 * questions leave together, and answers lie in the socket until then, as the kernel notes when they came in.
 */
export class Prober {
  readonly book: PeerBook
  readonly #input: ProberInput
  readonly #questions: Questions
  readonly #asker: Asker
  readonly #exams = new UnderlayExams()
  readonly #totals = new Totals()
  readonly #waiters = new Askers()
  readonly #schedule = new Schedule()
  readonly #budget = new Budget()
  /** For the size that passes. */
  readonly #searches = new Map<number, Bisection>()
  readonly #lastAnswerMs = new Map<Family, number>()
  #changes: ReachChange[] = []
  /** When the next turn was asked for. */
  #expectedMs = Number.POSITIVE_INFINITY

  constructor(input: ProberInput) {
    this.#input = input
    this.book = new PeerBook((slot) => this.#exams.answer(slot))
    this.#questions = new Questions(input.entropy, this.#totals)
    this.#asker = new Asker({
      book: this.book,
      questions: this.#questions,
      exams: this.#exams,
      schedule: this.#schedule,
      budget: this.#budget,
      searches: this.#searches,
      onReply: (reply, nowMs) => {
        this.#hear(reply, nowMs)
      },
    })
  }

  get totals(): ProbeTotals {
    return this.#totals.read()
  }

  /** When any peer last answered, on the monotonic clock, in milliseconds; undefined: none ever did. */
  lastAnswerMs(family: Family): number | undefined {
    return this.#lastAnswerMs.get(family)
  }

  /** How a family is asked from now on; undefined: not at all. In steps, for there may be very many to be asked anew. */
  *settingWay(family: Family, way: Way | undefined): Steps {
    const { book } = this
    const wasAsked = book.ways.has(family)
    book.setWay(family, way, this.#nowMs)
    if (wasAsked === (way !== undefined)) return
    let looked = 0
    for (const slot of book.roster.slots()) {
      if (book.targets.family(slot) === family) this.#askAnew(slot)
      if (++looked % AT_ONCE === 0) yield
    }
  }

  /** What was asked before says nothing: as if it had just been heard of, but for what is known of it. */
  #askAnew(slot: number): void {
    this.#forgetQuestions(slot)
    const { roster } = this.book
    const row = roster.read(slot)
    roster.write(
      slot,
      row.reach === 'unknown' ? newRow(this.#nowMs) : { ...row, fullMisses: 0, smallMisses: 0, extra: 0 },
    )
    this.#join(slot)
    if (this.book.way(slot) === undefined) this.#waiters.settle(slot)
  }

  #join(slot: number): void {
    if (this.book.way(slot) === undefined) this.#schedule.never(slot)
    else this.#schedule.first(slot, this.#joinMs)
  }

  get #joinMs(): number {
    return this.#nowMs + pace.joinDelayMs(this.book.roster.size, this.#input.random)
  }

  /** Sets or changes a peer. One whose addresses stay is what it was. */
  setPeer(target: Target): void {
    const { targets, roster } = this.book
    const slot = targets.slot(target.key, target.family)
    const before = slot === undefined ? undefined : targets.of(slot)
    if (slot === undefined) {
      const added = roster.add(newRow(this.#nowMs), target.family)
      targets.set(added, target)
      this.#join(added)
    } else {
      targets.set(slot, target)
      if (before !== undefined && isAtSamePlace(before, target)) return
      this.#forgetQuestions(slot)
      this.#exams.end(slot)
      roster.write(slot, newRow(this.#nowMs))
      this.#join(slot)
    }
  }

  removePeer(key: string, family: Family): void {
    const slot = this.book.targets.slot(key, family)
    if (slot === undefined) return
    this.#forgetQuestions(slot)
    this.#exams.end(slot)
    this.#schedule.never(slot)
    this.book.targets.remove(slot)
    this.book.roster.remove(slot)
    this.#waiters.settle(slot)
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
      if (this.#schedule.has(slot)) this.#schedule.now(slot)
      if (roster.reach(slot) === 'unreachable') this.#exams.beginNow(slot, this.#nowMs)
    }
    return this.#waiters.wait(slots)
  }

  get #nowMs(): number {
    return this.#input.clock.monotonicMs()
  }

  /** @returns how long the next turn may be put off, in milliseconds */
  turn(): number {
    const nowMs = this.#nowMs
    for (const family of this.book.ways.keys()) this.#receive(family, nowMs)
    if (nowMs > this.#expectedMs + LATE_MS) for (const slot of this.#questions.forget()) this.#asker.putOff(slot, nowMs)
    for (const { slot, asks, sentMs } of this.#questions.takeExpired(nowMs)) {
      const family = this.book.targets.family(slot)
      if (family !== undefined) this.#hear({ slot, asks, sentMs, family, rttMs: undefined }, nowMs)
    }
    this.#asker.ask(nowMs)
    if (this.#changes.length > 0) this.#input.onChanges(this.#changes.splice(0))
    const inMs = this.#nextInMs(nowMs)
    this.#expectedMs = nowMs + inMs
    return inMs
  }

  #nextInMs(nowMs: number): number {
    const { roster, ways } = this.book
    if (ways.size === 0 || roster.size === 0) return IDLE_MS
    const [askMs, isAwaited] = [this.#asker.nextAskMs, this.#waiters.areThere]
    const readMs = this.#asker.nextReadMs(nowMs, isAwaited)
    // Where hardly anybody answers, what is given up on is looked at when others may leave again, which is within a second.
    const isPutOff = this.#budget.isSilent && !isAwaited
    const dueMs = Math.min(askMs, isPutOff ? Math.max(readMs, this.#budget.fromMs) : readMs)
    return Math.ceil(Math.max(0, dueMs - nowMs)) // in parts of a millisecond, a turn might never be over
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
    else {
      const before = this.book.roster.read(slot)
      this.#budget.heard(rttMs !== undefined)
      this.#take(reply, before, judge(before, { size: asks, nowMs, rttMs }), nowMs)
    }
    if (asks === 'full' && rttMs !== undefined) this.#waiters.settle(slot)
  }

  #hearOfSearch(reply: Reply, nowMs: number): void {
    const { slot, rttMs, mtu } = reply
    const search = this.#searches.get(slot)
    if (search !== undefined)
      this.#searchOn(reply, rttMs === undefined ? onMissed(search, mtu) : onPassed(search), nowMs)
  }

  #searchOn({ slot, sentMs }: Reply, search: Bisection, nowMs: number): void {
    if (!isDone(search)) {
      this.#searches.set(slot, search)
      this.#askSoon(slot, nowMs)
      return
    }
    this.#searches.delete(slot)
    const before = this.book.roster.read(slot)
    this.#take({ slot, sentMs }, before, judgeBisected(before, search.passes, search.full, nowMs), nowMs)
  }

  #take({ slot, sentMs, says }: Heard, before: Row, { row, again, bisect }: Judged, nowMs: number): void {
    const { roster, targets } = this.book
    const way = this.book.way(slot)
    const family = targets.family(slot)
    if (family === undefined || way === undefined) return
    roster.write(slot, row)
    if (bisect || again === 'soon') this.#askSoon(slot, bisect ? nowMs : nowMs + pace.openMs(row.hits))
    else this.#schedule.inTurn(slot, sentMs + this.#periodMs(row.reach) * this.#shareOf(before))
    if (bisect) this.#searches.set(slot, beginBisection(shortest(family), way.mtu))
    if (row.reach === 'unreachable' && before.reach !== 'unreachable') this.#beginExam(slot, nowMs, says)
    else if (row.reach !== 'unreachable') this.#exams.end(slot)
    if (row.reach !== before.reach) this.#note(slot, this.book.reachOf(before, slot))
    if (again === 'now and then' && !bisect) this.#settleExamined(slot)
  }

  #beginExam(slot: number, nowMs: number, says?: string): void {
    if (this.#waiters.has(slot)) this.#exams.beginNow(slot, nowMs, says)
    else this.#exams.begin(slot, nowMs, says)
  }

  #note(slot: number, before: PeerReach): void {
    const { roster, targets } = this.book
    const target = targets.of(slot)
    if (target === undefined) return
    const { key, family } = target
    this.#changes.push({ key, family, before, after: this.book.reachOf(roster.read(slot), slot) })
  }

  /** Of one that is not reached, what the underlay says belongs to it. */
  #settleExamined(slot: number): void {
    if (this.book.roster.reach(slot) !== 'unreachable' || this.#exams.isOver(slot)) this.#waiters.settle(slot)
  }

  /** Whom somebody waits for stays before all others until it is judged. */
  #askSoon(slot: number, dueMs: number): void {
    if (this.#waiters.has(slot)) this.#schedule.now(slot)
    else this.#schedule.soon(slot, this.#budget.isSilent ? inTurn(dueMs) : dueMs)
  }

  #periodMs(reach: PeerReach['reach']): number {
    const { roster } = this.book
    const { size } = roster
    const { random } = this.#input
    if (reach === 'unreachable' || reach === 'lossy')
      return pace.jittered(pace.wrongPeriodMs(reach, roster.count(reach), size), random)
    return pace.jittered(pace.periodMs(size), random)
  }

  /** Of the time until it is asked again: peers that all join at once are not to be asked at once for ever. */
  #shareOf(before: Row): number {
    return before.reach === 'unknown' ? 0.1 + 0.9 * this.#input.random() : 1
  }

  /** Nobody is asked any more. */
  close(): void {
    this.#waiters.settleAll()
    for (const family of [...this.book.ways.keys()]) atOnce(this.settingWay(family, undefined))
  }
}

const isAtSamePlace = (a: Target, b: Target): boolean =>
  sameIp(a.address, b.address) && sameIp(a.peer.publicIp, b.peer.publicIp)
