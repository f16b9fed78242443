import { ClaimIndex, conflictBetween, type Claims } from './claims.ts'
import { isSame, remember, type KnownRecord } from '../known-record.ts'
import type { PeerRecord, Revision } from '../lease.ts'

/**
 * What the rules say of one record. Where two leases claim what only one may have, the one created first has it and the other waits.
 */
export type PeerVerdict<E> =
  | { readonly accepted: E; readonly claims: Claims }
  | { readonly rejected: string }
  /** Our own lease, or one that is not a peer for another innocent reason. */
  | { readonly ignored: true }

export type Judge<E> = (record: PeerRecord) => PeerVerdict<E>

/** A peer that appeared, changed (`entries` are its new ones) or went away (undefined). */
export interface PeerChange<E> {
  readonly key: string
  readonly entries: E | undefined
}

interface Claimant<E> extends Claims {
  readonly key: string
  readonly createRevision: Revision
  readonly entries: E
  /** Its lease is gone; it is only kept for a while. */
  readonly isRetired: boolean
}

/**
 * The peers in force, out of all lease records: judged one by one, so that a bad one is rejected for itself alone. Of those accepted,
 * a peer is in force unless it is in conflict with an older one that is. That depends on the set of records only, not on the order
 * in which they came. A change costs in proportion to the leases in conflict with it, never to all.
 */
export class PeerTable<E> {
  readonly #judge: Judge<E>
  readonly #rejected = new Map<string, string>()
  readonly #known = new Map<string, KnownRecord>()
  /** Keys whose lease is gone, but which are kept for a while. */
  readonly #retired = new Set<string>()
  /** All that are accepted, in force or waiting. */
  readonly #claimants = new Map<string, Claimant<E>>()
  readonly #claims = new ClaimIndex<Claimant<E>>()
  readonly #inForce = new Set<Claimant<E>>()
  readonly #claimsInForce = new ClaimIndex<Claimant<E>>()
  /** Whether these are in force has to be decided (again). */
  #undecided = new Set<Claimant<E>>()
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

  /** Rejected leases and those that wait, as of the last `drain`: key → reason. */
  get rejected(): ReadonlyMap<string, string> {
    return this.#rejected
  }

  /** Known keys, rejected and ignored ones included. */
  get knownKeys(): Iterable<string> {
    return this.#known.keys()
  }

  put(record: PeerRecord): void {
    this.#retired.delete(record.key)
    this.#admit(record)
  }

  delete(key: string): void {
    this.#known.delete(key)
    this.#retired.delete(key)
    this.#withdraw(key)
  }

  /**
   * Replaces everything by a complete list, but for the keys in `keep`: those that are not listed are retired. Records that are
   * already known are not judged again.
   */
  replaceAll(records: readonly PeerRecord[], keep: ReadonlySet<string> = new Set()): void {
    const listed = new Set(records.map(({ key }) => key))
    for (const key of [...this.#known.keys()])
      if (!listed.has(key)) {
        if (keep.has(key)) this.retire(key)
        else this.delete(key)
      }
    for (const record of records) {
      const known = this.#known.get(record.key)
      if (known === undefined || this.#retired.has(record.key) || !isSame(known, record)) this.put(record)
    }
  }

  /** Its lease is gone, but it is kept until it is deleted or put again; it gives way to any that has a lease, however young. */
  retire(key: string): void {
    if (!this.#known.has(key) || this.#retired.has(key)) return
    this.#retired.add(key)
    const claimant = this.#claimants.get(key)
    if (claimant === undefined) return
    this.#withdraw(key)
    this.#enter({ ...claimant, isRetired: true })
  }

  /** Judges every known record again, since what the judge goes by has changed. Costs in proportion to all. */
  rejudge(): void {
    for (const { record } of [...this.#known.values()]) if (record !== undefined) this.#admit(record)
  }

  /**
   * What has changed in force since the last call. Peers that went away come first, so that what they held is free when the next
   * one takes it.
   */
  drain(): readonly PeerChange<E>[] {
    this.#decideAll()
    const gone: PeerChange<E>[] = []
    const set: PeerChange<E>[] = []
    for (const key of this.#touched) {
      const before = this.#reported.get(key)
      const claimant = this.#claimants.get(key)
      const after = claimant !== undefined && this.#inForce.has(claimant) ? claimant : undefined
      if (before === after) continue
      if (after === undefined) {
        this.#reported.delete(key)
        gone.push({ key, entries: undefined })
      } else {
        this.#reported.set(key, after)
        set.push({ key, entries: after.entries })
      }
    }
    this.#touched.clear()
    return [...gone, ...set]
  }

  #admit(record: PeerRecord): void {
    const { key, createRevision } = record
    const isRetired = this.#retired.has(key)
    this.#withdraw(key)
    const verdict = this.#judge(record)
    this.#known.set(key, remember(record, 'rejected' in verdict))
    if ('rejected' in verdict) this.#rejected.set(key, verdict.rejected)
    if ('accepted' in verdict)
      this.#enter({ key, createRevision, entries: verdict.accepted, isRetired, ...verdict.claims })
  }

  #enter(claimant: Claimant<E>): void {
    this.#claimants.set(claimant.key, claimant)
    this.#claims.add(claimant)
    this.#undecided.add(claimant)
  }

  #withdraw(key: string): void {
    this.#rejected.delete(key)
    const claimant = this.#claimants.get(key)
    if (claimant === undefined) return
    this.#claimants.delete(key)
    this.#claims.delete(claimant)
    this.#undecided.delete(claimant)
    this.#setInForce(claimant, false)
  }

  /** Oldest first, so that each is decided once; what a decision overturns is younger, and comes in the next round. */
  #decideAll(): void {
    while (this.#undecided.size > 0) {
      const round = [...this.#undecided].sort((a, b) => (comesFirst(a, b) ? -1 : 1))
      this.#undecided = new Set()
      for (const claimant of round) this.#decide(claimant)
    }
  }

  #decide(claimant: Claimant<E>): void {
    const elder = this.#elderOf(claimant)
    if (elder === undefined) this.#rejected.delete(claimant.key)
    else
      this.#rejected.set(
        claimant.key,
        `${conflictBetween(claimant, elder)} ${elder.key}, ${precedence(claimant, elder)}`,
      )
    this.#setInForce(claimant, elder === undefined)
  }

  /** The oldest of those in force that keep it from being so. */
  #elderOf(claimant: Claimant<E>): Claimant<E> | undefined {
    let elder: Claimant<E> | undefined
    for (const other of this.#claimsInForce.conflicting(claimant))
      if (comesFirst(other, claimant) && (elder === undefined || comesFirst(other, elder))) elder = other
    return elder
  }

  /** Younger ones in conflict with it have to be decided again. */
  #setInForce(claimant: Claimant<E>, isInForce: boolean): void {
    if (this.#inForce.has(claimant) === isInForce) return
    if (isInForce) {
      this.#inForce.add(claimant)
      this.#claimsInForce.add(claimant)
    } else {
      this.#inForce.delete(claimant)
      this.#claimsInForce.delete(claimant)
    }
    this.#touched.add(claimant.key)
    for (const other of this.#claims.conflicting(claimant)) if (comesFirst(claimant, other)) this.#undecided.add(other)
  }
}

/** Who comes first: a living lease before a retired one, then the older. */
function comesFirst(a: Claimant<unknown>, b: Claimant<unknown>): boolean {
  if (a.isRetired !== b.isRetired) return b.isRetired
  return a.createRevision === b.createRevision ? a.key < b.key : a.createRevision < b.createRevision
}

const precedence = (claimant: Claimant<unknown>, elder: Claimant<unknown>): string =>
  claimant.isRetired && !elder.isRetired ? 'whose lease still stands' : 'which is older'
