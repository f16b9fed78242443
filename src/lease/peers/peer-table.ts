import type { Question } from './claim-ages.ts'
import type { Claims } from './claims.ts'
import type { Contender } from './contender.ts'
import { Contest } from './contest.ts'
import { KnownPeers, type KnownPeer } from './known-peers.ts'
import { OpenQuestions } from './open-questions.ts'
import type { PeerRecord, Revision } from '../lease.ts'

/** What the rules say of one record. Where two leases claim what only one may have, whoever claimed it first has it. */
export type PeerVerdict<E> =
  | { readonly accepted: E; readonly claims: Claims; readonly isSigned: boolean }
  /** `claims`: what it says all the same, as far as that can be made out. */
  | { readonly rejected: string; readonly claims?: Claims | undefined }
  /** Our own lease, or one that is not a peer for another innocent reason. */
  | { readonly ignored: true }

export type Judge<E> = (record: PeerRecord) => PeerVerdict<E>

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

interface Claimant<E> extends Contender {
  readonly entries: E
}

/**
 * The peers in force, out of all lease records: judged one by one, so that a bad one is rejected for itself alone. Those accepted contend
 * for what only one may have. Who is in force depends on what is known of the records only, not on the order in which they came. A change
 * costs in proportion to the leases in conflict with it, never to all.
 */
export class PeerTable<E> {
  readonly #judge: Judge<E>
  readonly #rejected = new Map<string, string>()
  /** Keys that were rejected, or were so no more, since somebody asked. */
  readonly #rejectionsChanged = new Set<string>()
  readonly #known = new KnownPeers()
  /** Keys whose lease is gone, but which are kept for a while. */
  readonly #retired = new Set<string>()
  /** All that are accepted, in force or waiting. */
  readonly #contest = new Contest<Claimant<E>>()
  readonly #questions = new OpenQuestions()
  readonly #touched = new Set<string>()
  /** What `drain` said last. */
  readonly #reported = new Map<string, Claimant<E>>()

  constructor(judge: Judge<E>) {
    this.#judge = judge
  }

  /** Peers in force, as of the last `drain`. */
  get size(): number {
    return this.#reported.size
  }

  /** Whether this peer is in force, as of the last `drain`. */
  isInForce(key: string): boolean {
    return this.#reported.has(key)
  }

  /** Those in force, as of the last `drain`, by key. May be read on while they change. */
  *inForce(): Generator<readonly [string, E]> {
    for (const [key, { entries }] of this.#reported) yield [key, entries]
  }

  /** What one in force has, as of the last `drain`. */
  entriesOf(key: string): E | undefined {
    return this.#reported.get(key)?.entries
  }

  /** What stands there; undefined: there is no such key, or what it says was too long to keep. */
  recordOf(key: string): PeerRecord | undefined {
    return this.#known.get(key)?.record
  }

  /** Rejected leases and those that wait, as of the last `drain`: key → reason. */
  get rejected(): ReadonlyMap<string, string> {
    return this.#rejected
  }

  /** Known keys, rejected and ignored ones included. */
  get knownKeys(): Iterable<string> {
    return this.#known.keys
  }

  /** A change, after which nothing of this key is unknown. */
  put(record: PeerRecord): void {
    const before = this.#known.before(record)
    const isSame = before?.record?.value === record.value && !this.#retired.has(record.key)
    if (isSame) this.#known.refresh(before, record)
    else this.#admit(record, before, before && record.modRevision)
  }

  delete(key: string): void {
    this.#known.delete(key)
    this.#retired.delete(key)
    this.#withdraw(key)
  }

  /**
   * Replaces everything by a complete list. Records that are already known are not judged again.
   * @param keep those of these keys that are not listed are retired
   * @param wasReset whether the list is of another history than what is known; what stands there unchanged is common to both
   */
  replaceAll(records: readonly PeerRecord[], keep: ReadonlySet<string> = new Set(), wasReset = false): void {
    const listed = new Set(records.map(({ key }) => key))
    for (const key of [...this.#known.keys])
      if (!listed.has(key)) {
        if (keep.has(key)) this.retire(key)
        else this.delete(key)
      }
    const changedSince = this.#known.seenUpTo + 1n
    if (wasReset) this.#forgetHistory()
    for (const record of records) {
      const isKnown = this.#known.isKnown(record)
      if (isKnown && !this.#retired.has(record.key)) continue
      const before = isKnown || !wasReset ? this.#known.before(record) : undefined
      this.#admit(record, before, before && changedSince)
    }
  }

  /** Its lease is gone, but it is kept until it is deleted or put again; it gives way to any that has a lease, however young. */
  retire(key: string): void {
    if (this.#known.get(key) === undefined || this.#retired.has(key)) return
    this.#retired.add(key)
    const claimant = this.#contest.get(key)
    if (claimant === undefined) return
    this.#withdraw(key)
    this.#enter({ ...claimant, isRetired: true })
  }

  /** Judges every known record again, since what the judge goes by has changed. Costs in proportion to all. */
  rejudge(): void {
    for (const record of this.#known.records)
      this.#admit(record, this.#known.get(record.key), undefined, this.#retired.has(record.key))
  }

  /**
   * What has changed in force since the last call. Peers that went away come first, so that what they held is free when the next
   * one takes it.
   */
  drain(): readonly PeerChange<E>[] {
    this.#decide()
    const gone: PeerChange<E>[] = []
    const set: PeerChange<E>[] = []
    for (const key of this.#touched) {
      const [before, after] = [this.#reported.get(key), this.#contest.inForce(key)]
      if (before === after) continue
      if (after === undefined) {
        this.#reported.delete(key)
        gone.push({ key, before: before?.entries, entries: undefined })
      } else {
        this.#reported.set(key, after)
        set.push({ key, before: before?.entries, entries: after.entries })
      }
    }
    this.#touched.clear()
    return [...gone, ...set]
  }

  /** What has changed of {@link PeerTable.rejected} since the last call, as of the last `drain`. */
  takeRejections(): readonly RejectionChange[] {
    const changes = [...this.#rejectionsChanged].map((key) => ({ key, reason: this.#rejected.get(key) }))
    this.#rejectionsChanged.clear()
    return changes
  }

  /** What a key said at some revision, where that would help to tell whose claim is older; none is asked twice. As of the last `drain`. */
  nextQuestion(): Question | undefined {
    return this.#questions.next((key) => this.#contest.questionAbout(key))
  }

  /** @param said what the key held then; undefined: there was no such key */
  testify({ key, revision }: Question, said: PeerRecord | undefined): void {
    const [known, claimant] = [this.#known.get(key), this.#contest.get(key)]
    if (known === undefined || claimant === undefined || !this.#questions.isAsked({ key, revision })) return
    const verdict = said?.createRevision === known.createRevision ? this.#judge(said) : undefined
    const claims = verdict === undefined || 'ignored' in verdict ? undefined : verdict.claims
    const ages = this.#known.testify(key, { revision, claims, writtenAt: said?.modRevision ?? revision })
    this.#withdraw(key)
    this.#enter({ ...claimant, ages })
  }

  /** Nobody knows any more what keys said at that revision, or before. */
  isForgotten({ revision }: Question): void {
    this.#questions.closeUpTo(revision)
  }

  #forgetHistory(): void {
    this.#known.forgetHistory()
    this.#questions.forget()
  }

  /** @param changedSince what it has not said before, it says since this revision at the earliest; undefined: since there is the key */
  #admit(record: PeerRecord, before: KnownPeer | undefined, changedSince?: Revision, isRetired = false): void {
    const { key, createRevision } = record
    if (!isRetired) this.#retired.delete(key)
    this.#withdraw(key)
    const verdict = this.#judge(record)
    const claims = 'ignored' in verdict ? undefined : verdict.claims
    const ages = this.#known.note(record, { isRejected: 'rejected' in verdict, claims }, before, changedSince)
    if ('rejected' in verdict) this.#setRejected(key, verdict.rejected)
    if ('accepted' in verdict) {
      const { accepted: entries, isSigned } = verdict
      this.#enter({ ...verdict.claims, key, createRevision, ages, isSigned, isRetired, entries })
    }
  }

  #enter(claimant: Claimant<E>): void {
    this.#touched.add(claimant.key)
    this.#contest.enter(claimant)
  }

  #withdraw(key: string): void {
    this.#setRejected(key, undefined)
    this.#questions.drop(key)
    this.#touched.add(key)
    this.#contest.withdraw(key)
  }

  #decide(): void {
    for (const {
      contender: { key },
      refused,
    } of this.#contest.decide()) {
      this.#touched.add(key)
      this.#setRejected(key, refused)
      if (this.#contest.questionAbout(key) === undefined) this.#questions.drop(key)
      else this.#questions.open(key)
    }
  }

  #setRejected(key: string, reason: string | undefined): void {
    if (this.#rejected.get(key) === reason) return
    if (reason === undefined) this.#rejected.delete(key)
    else this.#rejected.set(key, reason)
    this.#rejectionsChanged.add(key)
  }
}
