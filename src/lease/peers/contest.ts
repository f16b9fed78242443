import { ClaimIndex, disputesBetween, type Claims } from './claims.ts'
import { questionBetween, type Question } from './claim-ages.ts'
import { Case, isBefore, type Contender, type Doubt, type Refusal } from './contender.ts'

/** What was found of a contender: why it is not in force; undefined: it is. */
export interface Finding<C> {
  readonly contender: C
  readonly refused: string | undefined
}

/**
 * Who has what only one may have. All claims are heard one by one, the older first: a claim is refused if it is in conflict with an older
 * one of a lease that has had none refused by then. A lease is in force if none of its claims is refused; from the first refused one on it
 * has nothing, and stands in nobody's way. That depends on who contends only, not on the order in which they came. A change costs in
 * proportion to those in conflict with it, never to all.
 */
export class Contest<C extends Contender> {
  readonly #cases = new Map<string, Case<C>>()
  readonly #all = new ClaimIndex<Case<C>>()
  /** Those that hold something, be it for a while. Who was refused at once is not among them, however many there are. */
  readonly #holding = new ClaimIndex<Case<C>>()
  /** Those that stand and name their nodes. */
  readonly #signed = new ClaimIndex<Case<C>>()
  /** Claims whose turns depend on whether such a one claims the same: where one does, and where none does. */
  readonly #contested = new ClaimIndex<Doubt<C>>()
  readonly #uncontested = new ClaimIndex<Doubt<C>>()
  #undecided = new Set<Case<C>>()

  /** In force as far as is decided. */
  inForce(key: string): C | undefined {
    const one = this.#cases.get(key)
    return one?.holdsUntil === 'ever' ? one.contender : undefined
  }

  get(key: string): C | undefined {
    return this.#cases.get(key)?.contender
  }

  /** Whether somebody in it claims what only one may have, and these claims name too. */
  isContested(claims: Claims): boolean {
    return this.#cases.size > 0 && this.#all.conflicting(claims).next().done === false
  }

  /** Keys of those in conflict with one; some come twice. */
  *rivalsOf(key: string): Generator<string, void, undefined> {
    const one = this.#cases.get(key)
    if (one === undefined) return
    for (const other of this.#all.conflicting(one)) if (other !== one) yield other.contender.key
  }

  enter(contender: C): void {
    const one = new Case(contender)
    this.#cases.set(contender.key, one)
    this.#all.add(one)
    for (const doubt of one.doubts) {
      doubt.isContested = this.#isContested(doubt)
      this.#like(doubt).add(doubt)
    }
    if (contender.isSigned && !contender.isRetired) this.#sign(one)
    this.#undecided.add(one)
  }

  withdraw(key: string): void {
    const one = this.#cases.get(key)
    if (one === undefined) return
    this.#cases.delete(key)
    this.#all.delete(one)
    for (const doubt of one.doubts) this.#like(doubt).delete(doubt)
    this.#undecided.delete(one)
    this.#setHolding(one, undefined)
    if (one.contender.isSigned && !one.contender.isRetired) this.#unsign(one)
  }

  /** Decides what is open. Each round begins with the oldest, so that nearly all are decided once. */
  decide(): readonly Finding<C>[] {
    const findings: Finding<C>[] = []
    while (this.#undecided.size > 0) {
      const round = [...this.#undecided].map((one) => ({ one, turn: one.firstTurn }))
      this.#undecided = new Set()
      for (const { one } of round.sort((a, b) => (isBefore(a.turn, b.turn) ? -1 : 1))) {
        one.refusal = this.#refusalOf(one)
        this.#setHolding(one, holdsUntil(one))
        findings.push({ contender: one.contender, refused: one.refusal && inWords(one, one.refusal) })
      }
    }
    return findings
  }

  /** What would help to tell whether a contender is rightly refused; undefined: it is certain, or it is not refused. */
  questionAbout(key: string): Question | undefined {
    const one = this.#cases.get(key)
    if (one?.refusal === undefined || one.contender.isRetired) return undefined
    const { by } = one.refusal
    const disputes = disputesBetween(one, by)
    // of several disputes, which came first decides all of them
    for (const { mine } of disputes)
      for (const { theirs } of disputes) {
        const question = questionBetween(one.aged(mine), by.aged(theirs))
        if (question !== undefined) return question
      }
    return undefined
  }

  /** The first of its claims to be refused. */
  #refusalOf(one: Case<C>): Refusal | undefined {
    let first: Refusal | undefined
    for (const by of this.#holding.conflicting(one))
      for (const { mine, theirs, words } of by === one ? [] : disputesBetween(one, by)) {
        const [at, against] = [one.turnOf(mine), by.turnOf(theirs)]
        if (!isBefore(against, at) || !by.isHoldingAt(at)) continue
        if (
          first === undefined ||
          isBefore(at, first.at) ||
          (!isBefore(first.at, at) && isBefore(against, first.against))
        )
          first = { at, against, by, words }
      }
    return first
  }

  /** Claims that are heard later and are in conflict with what it holds, or held, have to be decided again. */
  #setHolding(one: Case<C>, until: Case<C>['holdsUntil']): void {
    if (isSame(one.holdsUntil, until)) return
    if (until === undefined) this.#holding.delete(one)
    else if (one.holdsUntil === undefined) this.#holding.add(one)
    one.holdsUntil = until
    for (const other of this.#all.conflicting(one))
      if (other !== one && isInTheWay(one, other)) this.#undecided.add(other)
  }

  #isContested(doubt: Doubt<C>): boolean {
    return this.#signed.conflicting(doubt).next().done === false
  }

  #like({ isContested }: Doubt<C>): ClaimIndex<Doubt<C>> {
    return isContested ? this.#contested : this.#uncontested
  }

  #sign(one: Case<C>): void {
    this.#signed.add(one)
    for (const doubt of new Set(this.#uncontested.conflicting(one))) this.#setContested(doubt, true)
  }

  #unsign(one: Case<C>): void {
    this.#signed.delete(one)
    for (const doubt of new Set(this.#contested.conflicting(one)))
      if (!this.#isContested(doubt)) this.#setContested(doubt, false)
  }

  /** The turn of that claim is another now. */
  #setContested(doubt: Doubt<C>, isContested: boolean): void {
    this.#setHolding(doubt.of, undefined)
    this.#like(doubt).delete(doubt)
    doubt.isContested = isContested
    this.#like(doubt).add(doubt)
    this.#undecided.add(doubt.of)
  }
}

const holdsUntil = (one: Case<Contender>): Case<Contender>['holdsUntil'] => {
  if (one.refusal === undefined) return 'ever'
  return isBefore(one.firstTurn, one.refusal.at) ? one.refusal.at : undefined
}

const isSame = (a: Case<Contender>['holdsUntil'], b: Case<Contender>['holdsUntil']): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && !isBefore(a, b) && !isBefore(b, a))

/** Whether something that it claims is heard before what the other claims. */
const isInTheWay = (one: Case<Contender>, other: Case<Contender>): boolean =>
  disputesBetween(one, other).some(({ mine, theirs }): boolean => isBefore(one.turnOf(mine), other.turnOf(theirs)))

const inWords = ({ contender }: Case<Contender>, { by, words }: Refusal): string => {
  const why = contender.isRetired && !by.contender.isRetired ? 'whose lease still stands' : 'which claimed it before'
  const { key, node } = by.contender
  return `${words} ${key}${node === undefined ? '' : ` of ${node}`}, ${why}`
}
