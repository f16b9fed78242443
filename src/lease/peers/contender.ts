import type { Revision } from '../lease.ts'
import { isCertain, type Age, type AgedClaim, type ClaimAges } from './claim-ages.ts'
import type { Claims, Thing } from './claims.ts'

/** A lease that every rule allows, with what it claims. */
export interface Contender extends Claims {
  readonly key: string
  readonly createRevision: Revision
  readonly ages: ClaimAges
  /** Whether it names its node, as ours do: such a lease is written again only where it says something else. */
  readonly isSigned: boolean
  /** What it calls itself, for people; undefined: it does not say. */
  readonly node?: string | undefined
  /** Its lease is gone; it is only kept for a while. */
  readonly isRetired: boolean
}

/** When a claim is heard. */
export interface Turn {
  readonly isRetired: boolean
  readonly revision: Revision
  readonly key: string
}

/** Claims of leases that stand come before those of leases that are gone, then the older; those of one revision by their keys. */
export function isBefore(a: Turn, b: Turn): boolean {
  if (a.isRetired !== b.isRetired) return b.isRetired
  return a.revision === b.revision ? a.key < b.key : a.revision < b.revision
}

/** Why a claim was refused. */
export interface Refusal {
  /** The turn of what was claimed in vain: from then on, the lease has nothing. */
  readonly at: Turn
  /** The turn of the claim that stood against it. */
  readonly against: Turn
  readonly by: Case<Contender>
  /** Up to its name. */
  readonly words: string
}

/** One claim of a lease that does not name its node, of an age that is not certain. */
export class Doubt<C extends Contender> implements Claims {
  readonly of: Case<C>
  readonly thing: Thing
  readonly names: Claims['names']
  readonly addresses: Claims['addresses']
  readonly subnets: Claims['subnets'] = []
  /** A lease that names its node claims the same. */
  isContested = false

  constructor(of: Case<C>, thing: Thing) {
    const { names, addresses } = of.contender
    this.of = of
    this.thing = thing
    this.names = names.filter((name) => name === thing)
    this.addresses = addresses.filter(({ text }) => text === thing)
  }
}

/** A contender, and how it fares. */
export class Case<C extends Contender> implements Claims {
  readonly contender: C
  /** Claims for which it depends on an assumption when they are heard. */
  readonly doubts: readonly Doubt<C>[]
  /** Until which turn it has what it claimed before; undefined: it never had anything. */
  holdsUntil: Turn | 'ever' | undefined
  refusal: Refusal | undefined

  constructor(contender: C) {
    this.contender = contender
    const uncertain = contender.isSigned ? [] : [...contender.ages].filter(([, age]) => !isCertain(age))
    this.doubts = uncertain.map(([thing]) => new Doubt(this, thing))
  }

  get names(): Claims['names'] {
    return this.contender.names
  }
  get subnets(): Claims['subnets'] {
    return this.contender.subnets
  }
  get addresses(): Claims['addresses'] {
    return this.contender.addresses
  }

  aged(thing: Thing): AgedClaim {
    const { key, createRevision } = this.contender
    return { key, createRevision, age: this.#ageOf(thing) }
  }

  #ageOf(thing: Thing): Age {
    const { ages, createRevision } = this.contender
    return ages.get(thing) ?? { from: createRevision, to: createRevision }
  }

  /**
   * Of an uncertain age, the later end counts for a lease that names its node, since it is not written again without a reason; for
   * another the earlier, unless one that names its node claims the same.
   */
  turnOf(thing: Thing): Turn {
    const { isSigned, isRetired, key } = this.contender
    const { from, to } = this.#ageOf(thing)
    const isLate = isSigned || this.doubts.some((doubt) => doubt.thing === thing && doubt.isContested)
    return { isRetired, key, revision: isLate ? to : from }
  }

  get firstTurn(): Turn {
    const { isRetired, key, createRevision, ages, subnets } = this.contender
    const things = [...ages.keys()]
    // nothing is older than the key
    if (subnets.length > 0 || things.length === 0) return { isRetired, key, revision: createRevision }
    return things.map((thing) => this.turnOf(thing)).reduce((a, b) => (isBefore(b, a) ? b : a))
  }

  /** Whether it still has what it claimed when a later claim is heard. */
  isHoldingAt(turn: Turn): boolean {
    return this.holdsUntil === 'ever' || (this.holdsUntil !== undefined && isBefore(turn, this.holdsUntil))
  }
}
