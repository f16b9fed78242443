import { shortest } from '../echo.ts'
import type { Bisection } from './bisection.ts'
import type { Budget } from './budget.ts'
import { patienceMs } from './pace.ts'
import type { PeerBook, Way } from './peer-book.ts'
import type { Question, Questions, Reply } from './questions.ts'
import { inTurn, type Schedule } from './schedule.ts'
import type { UnderlayExams } from './underlay-exams.ts'

export interface AskerInput {
  readonly book: PeerBook
  readonly questions: Questions
  readonly exams: UnderlayExams
  readonly schedule: Schedule
  readonly budget: Budget
  /** For the size that passes, by the peer's number. */
  readonly searches: ReadonlyMap<number, Bisection>
  /** What could not be sent is answered at once. */
  readonly onReply: (reply: Reply, nowMs: number) => void
}

/** What others ask is read at least this often, in milliseconds. */
const LISTEN_MS = 5_000
/** Where a question could not be sent for a reason of ours, in milliseconds. */
const PUT_OFF_MS = 1_000
/** Answers to open questions are read after this long, and answers that somebody waits for this often, in milliseconds. */
const READ_MS = 100
/**
 * Who has the first claim on what is left to be asked in a second: the underlay on one part in so many, what is open on all but one of the
 * rest, whoever is not known yet on all but one of what is left then. What nobody claims is for whoever needs more. So where all are
 * overdue, nobody waits for ever, and what is found of some is known before all have been asked.
 */
const UNDERLAY_PART = 5
const ALL_BUT_OPEN_PART = 5
const KNOWN_PART = 4

/**
 * When the answer is read: soon, or together with all others of the same second; and when it is given up on: `exact`, or with those. Where
 * hardly anybody answers, with those.
 */
type Read = 'exact' | 'soon' | 'in turn'

/** Sends what is due, as far as the budget goes. Times are on the monotonic clock, in milliseconds. */
export class Asker {
  readonly #input: AskerInput
  /** When answers to open questions are to be read. */
  #readMs = Number.POSITIVE_INFINITY

  constructor(input: AskerInput) {
    this.#input = input
  }

  /** When something is to be sent. */
  get nextAskMs(): number {
    const { schedule, exams, budget } = this.#input
    const askMs = Math.max(Math.min(schedule.nextMs, exams.nextDueMs), budget.fromMs)
    return schedule.isUrgent ? Math.min(askMs, budget.urgentFromMs) : askMs
  }

  /** When answers are to be read, or no longer waited for. */
  nextReadMs(nowMs: number, isAwaited: boolean): number {
    const { questions } = this.#input
    const awaitedMs = isAwaited && questions.open > 0 ? nowMs + READ_MS : Number.POSITIVE_INFINITY
    return Math.min(awaitedMs, this.#readMs, questions.nextDeadlineMs, nowMs + LISTEN_MS)
  }

  /** A question was neither answered nor lost: it is asked again. */
  putOff(slot: number, nowMs: number): void {
    this.#input.schedule.inTurn(slot, nowMs + PUT_OFF_MS)
    this.#input.exams.putOff(slot, nowMs)
  }

  ask(nowMs: number): void {
    const { schedule, budget } = this.#input
    if (nowMs >= this.#readMs) this.#readMs = Number.POSITIVE_INFINITY
    this.#askEach(budget.urgent(nowMs), nowMs, () => schedule.takeUrgent(), 'exact')
    this.#examine(Math.ceil(budget.left(nowMs) / UNDERLAY_PART), nowMs)
    const takeSoon = (): number | undefined => schedule.takeSoon(nowMs)
    this.#askEach(allBut(ALL_BUT_OPEN_PART, budget.left(nowMs)), nowMs, takeSoon, 'exact')
    const takeFirst = (): number | undefined => schedule.takeFirst(nowMs)
    this.#askEach(allBut(KNOWN_PART, budget.left(nowMs)), nowMs, takeFirst, 'soon')
    this.#askEach(budget.left(nowMs), nowMs, () => schedule.takeInTurn(nowMs), 'in turn')
    this.#askEach(budget.left(nowMs), nowMs, takeFirst, 'soon')
    this.#askEach(budget.left(nowMs), nowMs, takeSoon, 'exact')
    this.#examine(budget.left(nowMs), nowMs)
  }

  #askEach(most: number, nowMs: number, take: () => number | undefined, read: Read): void {
    for (let count = 0; count < most; count++) {
      const slot = take()
      if (slot === undefined) return
      this.#ask(slot, nowMs, read)
    }
  }

  #examine(most: number, nowMs: number): void {
    for (let count = 0; count < most; count++) {
      const slot = this.#input.exams.takeDue(nowMs)
      if (slot === undefined) return
      this.#askUnderlay(slot, nowMs)
    }
  }

  #ask(slot: number, nowMs: number, read: Read): void {
    const { book, budget, searches } = this.#input
    const [to, way] = [book.targets.address(slot), book.way(slot)]
    if (to === undefined || way === undefined) return
    const row = book.roster.read(slot)
    const search = searches.get(slot)
    const small = row.passes === 0 ? shortest(to.family) : row.passes
    const packetLength = search?.asking ?? (row.next === 'full' ? way.mtu : Math.min(small, way.mtu))
    const asks = search === undefined ? row.next : 'search'
    const soonestMs = nowMs + patienceMs(row.rttMs)
    const deadlineMs = read === 'exact' && !budget.isSilent ? soonestMs : inTurn(soonestMs)
    if (read !== 'in turn' && !budget.isSilent) this.#readMs = nowMs + READ_MS
    this.#dispatch(way, { slot, asks, to, from: way.from, packetLength, deadlineMs }, nowMs)
  }

  #askUnderlay(slot: number, nowMs: number): void {
    const { book } = this.#input
    const [target, way] = [book.targets.of(slot), book.way(slot)]
    if (target === undefined || way === undefined) return
    const packetLength = shortest(target.family)
    const addresses = { to: target.peer.publicIp, from: way.underlayFrom }
    const deadlineMs = inTurn(nowMs + patienceMs(Number.NaN))
    this.#dispatch(way, { slot, asks: 'underlay', ...addresses, packetLength, deadlineMs }, nowMs)
  }

  #dispatch(way: Way, question: Question, nowMs: number): void {
    const { budget, questions, onReply } = this.#input
    budget.sent(nowMs)
    const outcome = questions.send(way, question, nowMs)
    if (outcome === 'not now') this.putOff(question.slot, nowMs)
    else if (outcome !== undefined) onReply(outcome, nowMs)
  }
}

const allBut = (part: number, count: number): number => Math.ceil(count * (1 - 1 / part))
