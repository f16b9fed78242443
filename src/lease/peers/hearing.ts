import type { Question } from './claim-ages.ts'
import { ClaimHashes } from './claim-hashes.ts'
import { areInConflict, type Claims } from './claims.ts'
import type { Contender } from './contender.ts'
import { Contest } from './contest.ts'
import type { KnownPeers } from './known-peers.ts'

/** What an accepted record comes into the contest with. */
export interface Standing {
  readonly claims: Claims
  /** Whether it names its node. */
  readonly isSigned: boolean
  /** What that node calls itself, for people. */
  readonly node?: string | undefined
}

/** What was found of one that is accepted. */
export interface Heard {
  readonly key: string
  /** Why it is not in force; undefined: it is. */
  readonly refused: string | undefined
  /** What its key, or another, said before would help to tell whether that is right. */
  readonly isOpen: boolean
}

/**
 * Who of those that are accepted is in force. Nearly all are in conflict with nobody: of these there are hashes, and nothing to decide.
 * Whoever is in conflict with another comes into the contest, with all that it takes to decide it, and so does the other.
 */
export class Hearing {
  readonly #known: KnownPeers
  readonly #standingOf: (slot: number) => Standing | undefined
  /** What those claim that are in conflict with nobody. */
  readonly #calm: ClaimHashes
  readonly #contest = new Contest<Contender>()
  /** Keys in the contest that may be in conflict with nobody any more. */
  readonly #maybeCalm = new Set<string>()
  /** How many are looked at for that, in all: as many as came into the contest, so that nobody makes it dear by going. */
  #mayLook = 0

  /**
   * @param standingOf what the record in a slot stands for
   * @param seed 32 bits of chance, for hashes
   */
  constructor(known: KnownPeers, standingOf: (slot: number) => Standing | undefined, seed: number) {
    this.#known = known
    this.#standingOf = standingOf
    this.#calm = new ClaimHashes(() => this.#members(), seed)
  }

  *#members(): Generator<readonly [number, Claims]> {
    for (const slot of this.#known.slots()) {
      const isCalm = this.#known.is(slot, 'accepted') && !this.#known.is(slot, 'disputed')
      const standing = isCalm ? this.#standingOf(slot) : undefined
      if (standing !== undefined) yield [slot, standing.claims]
    }
  }

  /** As far as is decided. */
  isInForce(slot: number): boolean {
    if (!this.#known.is(slot, 'accepted')) return false
    return !this.#known.is(slot, 'disputed') || this.#contest.inForce(this.#known.keyOf(slot)) !== undefined
  }

  /** What would help to tell whether one is rightly refused; undefined: it is certain, or it is not refused. */
  questionAbout(key: string): Question | undefined {
    return this.#contest.questionAbout(key)
  }

  enter(slot: number, standing: Standing): void {
    const { claims } = standing
    const rivals: number[] = []
    this.#calm.some(claims, (other) => rivals.push(other) < 0)
    let isDisputed = this.#contest.isContested(claims)
    for (const rival of rivals) if (this.#isInConflict(rival, claims)) isDisputed = true
    if (isDisputed) this.#contend(slot, standing)
    else this.#calm.add(slot, claims)
    this.#known.mark(slot, 'accepted', true)
  }

  /** Whether one that was in conflict with nobody is in conflict with these claims: then it has to contend. */
  #isInConflict(rival: number, claims: Claims): boolean {
    if (this.#known.is(rival, 'disputed')) return true // found twice
    const standing = this.#standingOf(rival)
    if (standing === undefined || !areInConflict(claims, standing.claims)) return false
    this.#calm.delete(rival)
    this.#contend(rival, standing)
    return true
  }

  #contend(slot: number, { claims: { names, subnets, addresses }, isSigned, node }: Standing): void {
    const [key, createRevision] = [this.#known.keyOf(slot), this.#known.createRevision(slot)]
    const ages = this.#known.agesOf(slot, { names, subnets, addresses })
    const isRetired = this.#known.is(slot, 'retired')
    this.#known.mark(slot, 'disputed', true)
    this.#contest.enter({ names, subnets, addresses, key, createRevision, ages, isSigned, node, isRetired })
    this.#mayLook++
  }

  /** It is not accepted any more, if it was. */
  withdraw(slot: number): void {
    if (!this.#known.is(slot, 'accepted')) return
    if (this.#known.is(slot, 'disputed')) this.#leaveContest(slot)
    else this.#calm.delete(slot)
    this.#known.mark(slot, 'accepted', false)
  }

  #leaveContest(slot: number): void {
    const key = this.#known.keyOf(slot)
    for (const rival of this.#contest.rivalsOf(key)) {
      if (this.#mayLook === 0) break
      this.#mayLook--
      this.#maybeCalm.add(rival)
    }
    this.#contest.withdraw(key)
    this.#known.mark(slot, 'disputed', false)
  }

  /** Decides what is open. */
  decide(): readonly Heard[] {
    const findings = this.#contest.decide().map(({ contender: { key }, refused }) => ({
      ...{ key, refused },
      isOpen: this.#contest.questionAbout(key) !== undefined,
    }))
    for (const key of this.#maybeCalm) this.#calmDown(key)
    this.#maybeCalm.clear()
    return findings
  }

  /** Whoever is in conflict with nobody any more need not contend. */
  #calmDown(key: string): void {
    const [slot, contender] = [this.#known.slotOf(key), this.#contest.get(key)]
    if (slot === undefined || contender === undefined || this.#contest.rivalsOf(key).next().done === false) return
    this.#contest.withdraw(key)
    this.#calm.add(slot, contender)
    this.#known.mark(slot, 'disputed', false)
  }
}
