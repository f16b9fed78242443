import type { Question } from './claim-ages.ts'
import type { Claims } from './claims.ts'
import { Hearing, type Standing } from './hearing.ts'
import { KnownPeers } from './known-peers.ts'
import { OpenQuestions } from './open-questions.ts'
import type { Steps } from '../../time/slices.ts'
import type { PeerRecord, Revision } from '../lease.ts'
import type { Rejected, RejectionCode } from '../rejection.ts'

/** What the rules say of one record. Where two leases claim what only one may have, whoever claimed it first has it. */
export type PeerVerdict =
  | { readonly accepted: Standing }
  /** `claims`: what it says all the same, as far as that can be made out. */
  | (Rejected & { readonly claims?: Claims | undefined })
  /** Our own lease, or one that is not a peer for another innocent reason. */
  | { readonly ignored: true }

/** What the record of a peer stands for. */
export interface Accepted<E> extends Standing {
  readonly entries: E
}

/** Judges records. Pure but for the rules, which may change: the same record stands for the same at any time. */
export interface Judge<E> {
  verdict(record: PeerRecord): PeerVerdict
  /** What a record that was accepted stands for, whatever the rules say now. @returns undefined where it stands for nothing */
  accepted(record: PeerRecord): Accepted<E> | undefined
}

/** A peer that appeared, changed (`entries` are its new ones) or went away (undefined). */
export interface PeerChange<E> {
  readonly key: string
  /** What `drain` said of it before; undefined: nothing, or that it went away. */
  readonly before: E | undefined
  readonly entries: E | undefined
}

/** A lease that is rejected or waits, and why; undefined: it is no more. */
export interface RejectionChange {
  readonly key: string
  readonly reason: string | undefined
}

/** What is known of a record when it is judged. */
interface Admission {
  /** Of its key; undefined: that is new. */
  readonly slot: number | undefined
  /** Whether it goes on from what is known of the key. */
  readonly goesOn: boolean
  /** What it has not said before, it says since this revision at the earliest; undefined: since there is the key. */
  readonly changedSince?: Revision | undefined
  readonly isRetired?: boolean
}

/**
 * The peers in force, out of all lease records: judged one by one, so that a bad one is rejected for itself alone. Those accepted contend
 * for what only one may have. Who is in force depends on what is known of the records only, not on the order in which they came. A change
 * costs in proportion to the leases in conflict with it, never to all. What is kept of a peer is its record, packed, and some marks: what
 * it stands for is made out again when somebody looks.
 */
export class PeerTable<E> {
  readonly #judge: Judge<E>
  readonly #rejected = new Map<string, string>()
  /** Of those rejected by a rule: the others wait for whoever claimed before them. */
  readonly #codes = new Map<string, RejectionCode>()
  /** Keys that were rejected, or were so no more, since somebody asked. */
  readonly #rejectionsChanged = new Set<string>()
  readonly #known: KnownPeers
  /** All that are accepted, in force or waiting. */
  readonly #heard: Hearing
  readonly #questions = new OpenQuestions()
  readonly #touched = new Set<string>()
  /** What was said last of those that say something else since, or are gone. */
  readonly #former = new Map<string, E>()
  #size = 0

  /** @param seed 32 bits of chance, which nobody knows who writes leases */
  constructor(judge: Judge<E>, seed = 0) {
    this.#judge = judge
    this.#known = new KnownPeers((record) => judge.accepted(record)?.claims)
    this.#heard = new Hearing(this.#known, (slot) => this.#standing(slot), seed)
  }

  #standing(slot: number): Accepted<E> | undefined {
    const record = this.#known.record(slot)
    return record && this.#judge.accepted(record)
  }

  /** Peers in force, as of the last `drain`. */
  get size(): number {
    return this.#size
  }

  /** Whether this peer is in force, as of the last `drain`. */
  isInForce(key: string): boolean {
    const slot = this.#known.slotOf(key)
    return this.#former.has(key) || (slot !== undefined && this.#known.is(slot, 'reported'))
  }

  /** Those in force, as of the last `drain`, by key. May be read on while they change. */
  *inForce(): Generator<readonly [string, E]> {
    for (const slot of this.#known.slots()) {
      const entries = this.#known.is(slot, 'reported') ? this.#standing(slot)?.entries : undefined
      if (entries !== undefined) yield [this.#known.keyOf(slot), entries]
    }
    yield* this.#former
  }

  /** What one in force has, as of the last `drain`. */
  entriesOf(key: string): E | undefined {
    const slot = this.#known.slotOf(key)
    if (slot !== undefined && this.#known.is(slot, 'reported')) return this.#standing(slot)?.entries
    return this.#former.get(key)
  }

  /** What stands there; undefined: there is no such key, or what it says was too long to keep. */
  recordOf(key: string): PeerRecord | undefined {
    const slot = this.#known.slotOf(key)
    return slot === undefined ? undefined : this.#known.record(slot)
  }

  /** Rejected leases and those that wait, as of the last `drain`: key → reason. */
  get rejected(): ReadonlyMap<string, string> {
    return this.#rejected
  }

  /** The code of why one is rejected or waits; undefined: it does not. */
  codeOf(key: string): RejectionCode | undefined {
    return this.#rejected.has(key) ? (this.#codes.get(key) ?? 'claimed_by_other') : undefined
  }

  /** Those of {@link rejected} with this code. */
  *rejectedFor(code: RejectionCode): Generator<readonly [key: string, reason: string]> {
    for (const [key, reason] of this.#rejected) if (this.codeOf(key) === code) yield [key, reason]
  }

  /** Known keys, rejected and ignored ones included. */
  get knownKeys(): Iterable<string> {
    return this.#known.keys
  }

  /** A change, after which nothing of this key is unknown. */
  put(record: PeerRecord): void {
    const slot = this.#known.slotOf(record.key)
    const goesOn = slot !== undefined && this.#known.goesOn(slot, record)
    const isSame = goesOn && !this.#known.is(slot, 'retired') && this.#known.saysSame(slot, record)
    if (isSame) this.#known.refresh(slot, record)
    else this.#admit(record, { slot, goesOn, changedSince: goesOn ? record.modRevision : undefined })
  }

  delete(key: string): void {
    const slot = this.#known.slotOf(key)
    if (slot !== undefined) this.#keepFormer(slot)
    this.#withdraw(key, slot)
    this.#known.delete(key)
  }

  /**
   * Replaces everything by a complete list. Records that are already known are not judged again.
   * @param keep those of these keys that are not listed are retired
   * @param wasReset whether the list is of another history than what is known; what stands there unchanged is common to both
   */
  replaceAll(records: readonly PeerRecord[], keep?: ReadonlySet<string>, wasReset?: boolean): void {
    exhaust(this.replacing(records, keep, wasReset))
  }

  /** The same, record by record: whoever has others to let in between may pause at each. */
  *replacing(records: readonly PeerRecord[], keep: ReadonlySet<string> = new Set(), wasReset = false): Steps {
    const known = [...this.#known.keys]
    const listed = new Set(known.length === 0 ? [] : records.map(({ key }) => key))
    for (const key of known)
      if (!listed.has(key)) {
        if (keep.has(key)) this.retire(key)
        else this.delete(key)
        yield
      }
    const changedSince = this.#known.seenUpTo + 1n
    if (wasReset) this.#forgetHistory()
    for (const record of records) {
      this.#take(record, changedSince, wasReset)
      yield
    }
  }

  #take(record: PeerRecord, changedSince: Revision, wasReset: boolean): void {
    const slot = this.#known.slotOf(record.key)
    const isKnown = slot !== undefined && this.#known.isSame(slot, record)
    if (isKnown && !this.#known.is(slot, 'retired')) return
    const goesOn = slot !== undefined && (isKnown || !wasReset) && this.#known.goesOn(slot, record)
    this.#admit(record, { slot, goesOn, changedSince: goesOn ? changedSince : undefined })
  }

  /** Its lease is gone, but it is kept until it is deleted or put again; it gives way to any that has a lease, however young. */
  retire(key: string): void {
    const slot = this.#known.slotOf(key)
    if (slot === undefined || this.#known.is(slot, 'retired')) return
    this.#known.mark(slot, 'retired', true)
    if (this.#known.is(slot, 'accepted')) this.#enterAnew(slot)
  }

  /** Whether it is kept without a lease. */
  isRetired(key: string): boolean {
    const slot = this.#known.slotOf(key)
    return slot !== undefined && this.#known.is(slot, 'retired')
  }

  /** Judges every known record again, since what the judge goes by has changed. Costs in proportion to all. */
  rejudge(): void {
    exhaust(this.rejudging())
  }

  /** The same, record by record. */
  *rejudging(): Steps {
    for (const slot of [...this.#known.slots()]) {
      const record = this.#known.record(slot)
      const isRetired = this.#known.is(slot, 'retired')
      if (record !== undefined) this.#admit(record, { slot, goesOn: true, isRetired })
      yield
    }
  }

  /**
   * What has changed in force since the last call. Peers that went away come first, so that what they held is free when the next
   * one takes it.
   */
  drain(): readonly PeerChange<E>[] {
    return [...this.changes()]
  }

  /** The same, one by one. What changes meanwhile may be among them, or comes the next time. */
  *changes(): Generator<PeerChange<E>, void, undefined> {
    this.#decide()
    const touched = [...this.#touched]
    this.#touched.clear()
    const set: number[] = []
    for (const key of touched) {
      const slot = this.#known.slotOf(key)
      if (slot !== undefined && this.#heard.isInForce(slot)) set.push(slot)
      else {
        const before = this.entriesOf(key)
        if (before === undefined) continue
        this.#report(key, slot, false)
        yield { key, before, entries: undefined }
      }
    }
    for (const slot of set) {
      if (this.#known.is(slot, 'reported') || !this.#heard.isInForce(slot)) continue
      const key = this.#known.keyOf(slot)
      const [before, entries] = [this.#former.get(key), this.#standing(slot)?.entries]
      if (entries === undefined) continue
      this.#report(key, slot, true)
      yield { key, before, entries }
    }
  }

  /** Takes note of what is said of a key now. */
  #report(key: string, slot: number | undefined, isInForce: boolean): void {
    const was = this.#former.delete(key) || (slot !== undefined && this.#known.is(slot, 'reported'))
    this.#size += Number(isInForce) - Number(was)
    if (slot !== undefined) this.#known.mark(slot, 'reported', isInForce)
  }

  /** It is to say something else: what was said of it is remembered for the next time. */
  #keepFormer(slot: number): void {
    if (!this.#known.is(slot, 'reported')) return
    const entries = this.#standing(slot)?.entries
    if (entries !== undefined) this.#former.set(this.#known.keyOf(slot), entries)
    this.#known.mark(slot, 'reported', false)
  }

  /** What has changed of {@link PeerTable.rejected} since the last call, as of the last `drain`. */
  takeRejections(): readonly RejectionChange[] {
    const changes = [...this.#rejectionsChanged].map((key) => ({ key, reason: this.#rejected.get(key) }))
    this.#rejectionsChanged.clear()
    return changes
  }

  /** What a key said at some revision, where that would help to tell whose claim is older; none is asked twice. As of the last `drain`. */
  nextQuestion(): Question | undefined {
    return this.#questions.next((key) => this.#heard.questionAbout(key))
  }

  /** @param said what the key held then; undefined: there was no such key */
  testify({ key, revision }: Question, said: PeerRecord | undefined): void {
    const slot = this.#known.slotOf(key)
    if (slot === undefined || !this.#known.is(slot, 'accepted') || !this.#questions.isAsked({ key, revision })) return
    const isOfItsLife = said?.createRevision === this.#known.createRevision(slot)
    const claims = isOfItsLife ? claimsIn(this.#judge.verdict(said)) : undefined
    this.#known.testify(slot, { revision, claims, writtenAt: said?.modRevision ?? revision })
    this.#enterAnew(slot)
  }

  /** Nobody knows any more what keys said at that revision, or before. */
  isForgotten({ revision }: Question): void {
    this.#questions.closeUpTo(revision)
  }

  #forgetHistory(): void {
    this.#known.forgetHistory()
    this.#questions.forget()
  }

  #admit(record: PeerRecord, { slot: known, goesOn, changedSince, isRetired = false }: Admission): void {
    const { key } = record
    this.#withdraw(key, known)
    if (known !== undefined && !this.#known.saysSame(known, record)) this.#keepFormer(known)
    const verdict = this.#judge.verdict(record)
    const noted = { isRejected: 'rejected' in verdict, claims: claimsIn(verdict) }
    const slot = this.#known.note(record, known, noted, goesOn, changedSince)
    this.#known.mark(slot, 'retired', isRetired)
    if ('rejected' in verdict) this.#setRejected(key, verdict.rejected, verdict.code)
    if ('accepted' in verdict) this.#enter(slot, verdict.accepted)
  }

  #enterAnew(slot: number): void {
    const standing = this.#standing(slot)
    this.#withdraw(this.#known.keyOf(slot), slot)
    if (standing !== undefined) this.#enter(slot, standing)
  }

  #enter(slot: number, standing: Standing): void {
    this.#touched.add(this.#known.keyOf(slot))
    this.#heard.enter(slot, standing)
  }

  #withdraw(key: string, slot: number | undefined): void {
    this.#setRejected(key, undefined)
    this.#questions.drop(key)
    this.#touched.add(key)
    if (slot !== undefined) this.#heard.withdraw(slot)
  }

  #decide(): void {
    for (const { key, refused, isOpen } of this.#heard.decide()) {
      this.#touched.add(key)
      this.#setRejected(key, refused)
      if (isOpen) this.#questions.open(key)
      else this.#questions.drop(key)
    }
  }

  #setRejected(key: string, reason: string | undefined, code?: RejectionCode): void {
    if (code === undefined) this.#codes.delete(key)
    else this.#codes.set(key, code)
    if (this.#rejected.get(key) === reason) return
    if (reason === undefined) this.#rejected.delete(key)
    else this.#rejected.set(key, reason)
    this.#rejectionsChanged.add(key)
  }
}

const claimsIn = (verdict: PeerVerdict): Claims | undefined => {
  if ('accepted' in verdict) return verdict.accepted.claims
  return 'rejected' in verdict ? verdict.claims : undefined
}

function exhaust(steps: Steps): void {
  while (steps.next().done !== true);
}
