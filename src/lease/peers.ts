import type { LeaseRecord } from './store.ts'
import type { Revision } from './lease.ts'

/**
 * What the rules say of one record. `claims` are names that only one peer at a time may hold (its subnet, its VtepMAC):
 * where two leases claim the same, the one created first has it and the other waits.
 */
export type Verdict<E> =
  | { readonly accepted: E; readonly claims: readonly string[] }
  | { readonly rejected: string }
  /** Our own lease, or one that is not a peer for another innocent reason. */
  | { readonly ignored: true }

export type Judge<E> = (record: LeaseRecord) => Verdict<E>

/** A peer that appeared, changed (`entries` are its new ones) or went away (undefined). */
export interface PeerChange<E> {
  readonly key: string
  readonly entries: E | undefined
}

interface Claimant<E> {
  readonly key: string
  readonly modRevision: Revision
  readonly createRevision: Revision
  readonly entries: E
  readonly claims: readonly string[]
  /** Its lease is gone; it is only kept for a while. */
  readonly isStale: boolean
}

/**
 * The peers in force, out of all lease records: judged one by one, so that a bad one is rejected for itself alone, and with every
 * exclusive claim resolved. A change costs in proportion to the leases it touches, never to all.
 */
export class PeerTable<E> {
  readonly #judge: Judge<E>
  readonly #claimants = new Map<string, Claimant<E>>()
  /** Claim → those who make it, oldest lease first; the first holds it. */
  readonly #queues = new Map<string, Claimant<E>[]>()
  readonly #rejected = new Map<string, string>()
  readonly #inForce = new Map<string, Claimant<E>>()
  readonly #touched = new Set<string>()
  readonly #known = new Map<string, LeaseRecord>()

  constructor(judge: Judge<E>) {
    this.#judge = judge
  }

  /** Peers in force. */
  get size(): number {
    return this.#inForce.size
  }

  /** Rejected leases: key → reason. */
  get rejected(): ReadonlyMap<string, string> {
    return this.#rejected
  }

  put(record: LeaseRecord): void {
    this.#withdraw(record.key)
    this.#known.set(record.key, record)
    const verdict = this.#judge(record)
    if ('rejected' in verdict) this.#rejected.set(record.key, verdict.rejected)
    const { key, createRevision, modRevision } = record
    if ('accepted' in verdict)
      this.#enter({
        key,
        createRevision,
        modRevision,
        entries: verdict.accepted,
        claims: verdict.claims,
        isStale: false,
      })
  }

  delete(key: string): void {
    this.#known.delete(key)
    this.#withdraw(key)
  }

  /** Known keys, rejected and ignored ones included. */
  get knownKeys(): Iterable<string> {
    return this.#known.keys()
  }

  /** Replaces everything by a complete list, but for the keys in `keep`; records that are already known are not judged again. */
  replaceAll(records: readonly LeaseRecord[], keep: ReadonlySet<string> = new Set()): void {
    const listed = new Set(records.map(({ key }) => key))
    for (const key of [...this.#known.keys()]) if (!listed.has(key) && !keep.has(key)) this.delete(key)
    for (const record of records)
      if (!isSame(this.#known.get(record.key), record) || this.#claimants.get(record.key)?.isStale === true)
        this.put(record)
    for (const key of keep) this.#yield(key)
  }

  /** A peer that is kept although its lease is gone gives way to any that has one. */
  #yield(key: string): void {
    const claimant = this.#claimants.get(key)
    if (claimant === undefined || claimant.isStale) return
    this.#withdraw(key)
    this.#enter({ ...claimant, isStale: true })
  }

  /**
   * What has changed in force since the last call. Peers that went away come first, so that what they held is free when the next
   * one takes it.
   */
  drain(): readonly PeerChange<E>[] {
    const gone: PeerChange<E>[] = []
    const set: PeerChange<E>[] = []
    for (const key of this.#touched) {
      const before = this.#inForce.get(key)
      const after = this.#holder(key)
      if (before === after) continue
      if (after === undefined) {
        this.#inForce.delete(key)
        gone.push({ key, entries: undefined })
      } else {
        this.#inForce.set(key, after)
        set.push({ key, entries: after.entries })
      }
    }
    this.#touched.clear()
    return [...gone, ...set]
  }

  /** The claimant of this key if it comes first in every queue it stands in. */
  #holder(key: string): Claimant<E> | undefined {
    const claimant = this.#claimants.get(key)
    if (claimant === undefined) return undefined
    const blocking = claimant.claims.find((claim) => this.#queues.get(claim)?.[0] !== claimant)
    if (blocking === undefined) {
      this.#rejected.delete(key)
      return claimant
    }
    const first = this.#queues.get(blocking)?.[0]
    this.#rejected.set(key, `${blocking} is held by ${first?.key ?? 'another lease'}, which is older`)
    return undefined
  }

  #enter(claimant: Claimant<E>): void {
    this.#claimants.set(claimant.key, claimant)
    this.#touched.add(claimant.key)
    for (const claim of claimant.claims) {
      const queue = this.#queues.get(claim) ?? []
      const at = queue.findIndex((other) => comesFirst(claimant, other))
      queue.splice(at < 0 ? queue.length : at, 0, claimant)
      this.#queues.set(claim, queue)
      if (at === 0) for (const other of queue) this.#touched.add(other.key)
    }
  }

  #withdraw(key: string): void {
    this.#rejected.delete(key)
    const claimant = this.#claimants.get(key)
    if (claimant === undefined) return
    this.#claimants.delete(key)
    this.#touched.add(key)
    for (const claim of claimant.claims) this.#leaveQueue(claim, claimant)
  }

  #leaveQueue(claim: string, claimant: Claimant<E>): void {
    const rest = (this.#queues.get(claim) ?? []).filter((other) => other !== claimant)
    if (rest.length === 0) this.#queues.delete(claim)
    else this.#queues.set(claim, rest)
    for (const other of rest) this.#touched.add(other.key)
  }
}

/** The value counts as well as the revision: an etcd that was wiped or restored gives the same revisions to other values. */
const isSame = (known: LeaseRecord | undefined, record: LeaseRecord): boolean =>
  known?.modRevision === record.modRevision &&
  known.createRevision === record.createRevision &&
  known.value === record.value

/** Who comes first in a queue: a living lease before a kept one, then the older. */
function comesFirst(a: Claimant<unknown>, b: Claimant<unknown>): boolean {
  if (a.isStale !== b.isStale) return b.isStale
  return a.createRevision === b.createRevision ? a.key < b.key : a.createRevision < b.createRevision
}
