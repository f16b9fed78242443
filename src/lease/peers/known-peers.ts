import { isSame, remember, type KnownRecord } from '../known-record.ts'
import type { PeerRecord, Revision } from '../lease.ts'
import { agesOf, least, most, NO_AGES, withTestimony, type ClaimAges, type Testimony } from './claim-ages.ts'
import type { Claims } from './claims.ts'

/** What is remembered of a key, whatever was thought of it. */
export interface KnownPeer extends KnownRecord {
  readonly ages: ClaimAges
}

/** All keys there are, and since when each has said what it says. */
export class KnownPeers {
  readonly #peers = new Map<string, KnownPeer>()
  #seenUpTo: Revision = -1n

  get keys(): Iterable<string> {
    return this.#peers.keys()
  }

  get(key: string): KnownPeer | undefined {
    return this.#peers.get(key)
  }

  /** The newest revision of all that was seen: until then, every key said what is known of it. */
  get seenUpTo(): Revision {
    return this.#seenUpTo
  }

  /** What comes is of another history. */
  forgetHistory(): void {
    this.#seenUpTo = -1n
  }

  /** Those that can be judged again. */
  get records(): readonly PeerRecord[] {
    return [...this.#peers.values()].flatMap(({ record }) => record ?? [])
  }

  delete(key: string): void {
    this.#peers.delete(key)
  }

  /** Whether nothing has changed, the revision included. */
  isKnown(record: PeerRecord): boolean {
    const known = this.#peers.get(record.key)
    return known !== undefined && isSame(known, record)
  }

  /** What was known of the same key; one that was deleted in between begins anew. */
  before({ key, createRevision, modRevision }: PeerRecord): KnownPeer | undefined {
    const known = this.#peers.get(key)
    return known?.createRevision === createRevision && known.modRevision <= modRevision ? known : undefined
  }

  /** It was written again, and says the same. */
  refresh(before: KnownPeer, record: PeerRecord): void {
    this.#saw(record)
    this.#peers.set(record.key, { ...before, record, modRevision: record.modRevision })
  }

  /**
   * @param claims undefined: none that can be made out
   * @param before what it goes on from; undefined: nothing
   * @param changedSince what it has not said before, it says since this revision at the earliest; undefined: since there is the key
   * @returns the ages of what it claims
   */
  note(
    record: PeerRecord,
    verdict: { readonly isRejected: boolean; readonly claims: Claims | undefined },
    before: KnownPeer | undefined,
    changedSince: Revision | undefined,
  ): ClaimAges {
    this.#saw(record)
    const { key, createRevision, modRevision } = record
    // nothing is older than the key, also where the history up to its making was forgotten
    const from = most(createRevision, changedSince ?? createRevision)
    const otherwise = { from: least(from, modRevision), to: modRevision }
    const ages = verdict.claims === undefined ? NO_AGES : agesOf(verdict.claims, before?.ages ?? NO_AGES, otherwise)
    this.#peers.set(key, { ...remember(record, verdict.isRejected), ages })
    return ages
  }

  #saw({ modRevision }: PeerRecord): void {
    if (modRevision > this.#seenUpTo) this.#seenUpTo = modRevision
  }

  /** @returns the ages of what it claims, now that this is known */
  testify(key: string, testimony: Testimony): ClaimAges {
    const known = this.#peers.get(key)
    if (known === undefined) return NO_AGES
    const ages = withTestimony(known.ages, testimony)
    this.#peers.set(key, { ...known, ages })
    return ages
  }
}
