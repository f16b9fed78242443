import { longs, octets, withRoom } from '../../columns/grow.ts'
import { KeyNumbers } from '../../columns/key-numbers.ts'
import type { PeerRecord, Revision } from '../lease.ts'
import { agesOf, least, most, NO_AGES, withTestimony, type Age, type ClaimAges, type Testimony } from './claim-ages.ts'
import type { Claims } from './claims.ts'
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
  readonly #slots = new KeyNumbers()
  readonly #records = new PackedRecords()
  #marks = octets(0)
  /** The age of all that an accepted record claims, where it is one. */
  #agedFrom = longs(0)
  #agedTo = longs(0)
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
  *slots(): Generator<number, void, undefined> {
    for (const [, slot] of this.#slots) yield slot
  }

  slotOf(key: string): number | undefined {
    return this.#slots.find(key)
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
    const slot = this.#slots.delete(key)
    if (slot === undefined) return
    this.#ages.delete(slot)
    this.#records.clear(slot)
    this.#marks[slot] = 0
  }

  /** Whether nothing has changed, the revision included. */
  isSame(slot: number, record: PeerRecord): boolean {
    return this.#records.isSame(slot, record)
  }

  /** Whether the key goes on from what is known of it; one that was deleted in between begins anew. */
  goesOn(slot: number, { createRevision, modRevision }: PeerRecord): boolean {
    return this.#records.createRevision(slot) === createRevision && this.#records.modRevision(slot) <= modRevision
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
   * @param known the slot of the key; undefined: it has none yet
   * @param goesOn from what is known of it
   * @param changedSince what it has not said before, it says since this revision at the earliest; undefined: since there is the key
   */
  note(
    record: PeerRecord,
    known: number | undefined,
    noted: Noted,
    goesOn: boolean,
    changedSince: Revision | undefined,
  ): number {
    this.#saw(record)
    const { key, createRevision, modRevision } = record
    if (known !== undefined && goesOn && this.#isAgedAlike(known, record, noted)) {
      this.refresh(known, record)
      return known
    }
    const before = known !== undefined && goesOn ? this.agesOf(known) : NO_AGES
    const slot = known ?? this.#take(key)
    // nothing is older than the key, also where the history up to its making was forgotten
    const from = most(createRevision, changedSince ?? createRevision)
    this.#records.set(slot, record, noted.isRejected)
    this.#setAges(slot, noted, before, { from: least(from, modRevision), to: modRevision })
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
    const slot = this.#slots.add(key)
    this.#marks = withRoom(this.#marks, slot, octets)
    this.#agedFrom = withRoom(this.#agedFrom, slot, longs)
    this.#agedTo = withRoom(this.#agedTo, slot, longs)
    this.#marks[slot] = 0
    return slot
  }

  /** @param otherwise the age of what it is not known to have said before */
  #setAges(slot: number, { isRejected, claims }: Noted, before: ClaimAges, otherwise: Age): void {
    const ages = before.size === 0 && !isRejected ? undefined : agesOf(claims ?? NO_CLAIMS, before, otherwise)
    const alike = ages === undefined ? otherwise : ageOfAll(ages)
    if (isRejected || claims === undefined || alike === undefined) this.#ages.set(slot, ages ?? NO_AGES)
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
