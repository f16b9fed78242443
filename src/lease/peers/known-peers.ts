import type { PeerRecord, Revision } from '../lease.ts'
import { agesOf, least, most, NO_AGES, withTestimony, type Age, type ClaimAges, type Testimony } from './claim-ages.ts'
import type { Claims } from './claims.ts'
import { grown, Slots } from '../packed/column.ts'
import { PackedRecords } from '../packed/packed-records.ts'

/** What is thought of a key, in bits. */
const MARKS = { accepted: 1, retired: 2, disputed: 4, reported: 8 } as const
type Mark = keyof typeof MARKS

/** What a record was found to claim. */
export interface Noted {
  readonly isRejected: boolean
  /** Undefined: nothing that can be made out. */
  readonly claims: Claims | undefined
}

const NO_CLAIMS: Claims = { names: [], subnets: [], addresses: [] }

/** Undefined: there are several, or none. */
function ageOfAll(ages: ClaimAges): Age | undefined {
  let first: Age | undefined
  for (const age of ages.values()) {
    first ??= age
    if (age.from !== first.from || age.to !== first.to) return undefined
  }
  return first
}

/** All keys there are, each in a slot: what it says, since when, and what is thought of it. */
export class KnownPeers {
  readonly #slots = new Map<string, number>()
  readonly #numbers = new Slots()
  readonly #records = new PackedRecords()
  #marks = new Uint8Array()
  /** The age of all that an accepted record claims, where it is one. */
  #agedFrom = new BigInt64Array()
  #agedTo = new BigInt64Array()
  /** Of all others that claim something. */
  readonly #ages = new Map<number, ClaimAges>()
  #seenUpTo: Revision = -1n
  readonly #claimsOf: (record: PeerRecord) => Claims | undefined

  /** @param claimsOf what a record claims that was accepted */
  constructor(claimsOf: (record: PeerRecord) => Claims | undefined) {
    this.#claimsOf = claimsOf
  }

  get keys(): Iterable<string> {
    return this.#slots.keys()
  }

  /** May be read on while it changes. */
  get slots(): Iterable<number> {
    return this.#slots.values()
  }

  slotOf(key: string): number | undefined {
    return this.#slots.get(key)
  }

  keyOf(slot: number): string {
    return this.#records.key(slot)
  }

  /** Undefined: it was rejected, and is too long to keep. */
  record(slot: number): PeerRecord | undefined {
    return this.#records.record(slot)
  }

  createRevision(slot: number): Revision {
    return this.#records.createRevision(slot)
  }

  is(slot: number, mark: Mark): boolean {
    return ((this.#marks[slot] ?? 0) & MARKS[mark]) !== 0
  }

  mark(slot: number, mark: Mark, isSo: boolean): void {
    const others = (this.#marks[slot] ?? 0) & ~MARKS[mark]
    this.#marks[slot] = isSo ? others | MARKS[mark] : others
  }

  /** The newest revision of all that was seen: until then, every key said what is known of it. */
  get seenUpTo(): Revision {
    return this.#seenUpTo
  }

  /** What comes is of another history. */
  forgetHistory(): void {
    this.#seenUpTo = -1n
  }

  delete(key: string): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#slots.delete(key)
    this.#ages.delete(slot)
    this.#records.clear(slot)
    this.#marks[slot] = 0
    this.#numbers.giveBack(slot)
  }

  /** Whether nothing has changed, the revision included. */
  isKnown(record: PeerRecord): boolean {
    const slot = this.#slots.get(record.key)
    return slot !== undefined && this.#records.isSame(slot, record)
  }

  /** The slot of the same key, if it goes on from what is known of it; one that was deleted in between begins anew. */
  before({ key, createRevision, modRevision }: PeerRecord): number | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    const goesOn =
      this.#records.createRevision(slot) === createRevision && this.#records.modRevision(slot) <= modRevision
    return goesOn ? slot : undefined
  }

  saysSame(slot: number, { value }: PeerRecord): boolean {
    return this.#records.saysSame(slot, value)
  }

  /** It was written again, and says the same. */
  refresh(slot: number, record: PeerRecord): void {
    this.#saw(record)
    this.#records.setRevisions(slot, record)
  }

  /**
   * @param goesOn from what is known of the key
   * @param changedSince what it has not said before, it says since this revision at the earliest; undefined: since there is the key
   */
  note(record: PeerRecord, noted: Noted, goesOn: boolean, changedSince: Revision | undefined): number {
    this.#saw(record)
    const { key, createRevision, modRevision } = record
    const known = this.#slots.get(key)
    if (known !== undefined && goesOn && this.#isAgedAlike(known, record, noted)) {
      this.refresh(known, record)
      return known
    }
    const before = known !== undefined && goesOn ? this.agesOf(known) : NO_AGES
    const slot = known ?? this.#take(key)
    // nothing is older than the key, also where the history up to its making was forgotten
    const from = most(createRevision, changedSince ?? createRevision)
    const ages = agesOf(noted.claims ?? NO_CLAIMS, before, { from: least(from, modRevision), to: modRevision })
    this.#records.set(slot, record, noted.isRejected)
    this.#setAges(slot, ages, noted)
    return slot
  }

  /** It was accepted, says what it said, and claims all of it since one time. */
  #isAgedAlike(slot: number, record: PeerRecord, { isRejected }: Noted): boolean {
    return !isRejected && !this.#ages.has(slot) && this.#records.saysSame(slot, record.value)
  }

  /** Ages of what it claims. @param claims of an accepted record; where not given, they are made out */
  agesOf(slot: number, claims?: Claims): ClaimAges {
    const ages = this.#ages.get(slot)
    if (ages !== undefined) return ages
    const record = claims === undefined ? this.record(slot) : undefined
    const said = claims ?? (record && this.#claimsOf(record))
    if (said === undefined) return NO_AGES
    return agesOf(said, NO_AGES, { from: this.#agedFrom[slot] ?? 0n, to: this.#agedTo[slot] ?? 0n })
  }

  /** @returns the ages of what it claims, now that this is known */
  testify(slot: number, testimony: Testimony): ClaimAges {
    const ages = withTestimony(this.agesOf(slot), testimony)
    this.#ages.set(slot, ages)
    return ages
  }

  #take(key: string): number {
    const slot = this.#numbers.take()
    this.#slots.set(key, slot)
    this.#marks = grown(this.#marks, slot)
    this.#agedFrom = grown(this.#agedFrom, slot)
    this.#agedTo = grown(this.#agedTo, slot)
    this.#marks[slot] = 0
    return slot
  }

  #setAges(slot: number, ages: ClaimAges, { isRejected, claims }: Noted): void {
    const alike = isRejected || claims === undefined ? undefined : ageOfAll(ages)
    if (alike === undefined) this.#ages.set(slot, ages)
    else {
      this.#ages.delete(slot)
      this.#agedFrom[slot] = alike.from
      this.#agedTo[slot] = alike.to
    }
  }

  #saw({ modRevision }: PeerRecord): void {
    if (modRevision > this.#seenUpTo) this.#seenUpTo = modRevision
  }
}
