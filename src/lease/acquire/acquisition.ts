import type { Clock, Random } from '../../time/clock.ts'
import type { Prefix } from '../../net/prefix.ts'
import { Slices, type Steps } from '../../time/slices.ts'
import type { Challenges } from '../challenges.ts'
import { decodeLease, earlierSubnets, encodeLease, formatLeaseKey } from '../codec.ts'
import { OtherAddressError, OutOfSubnetsError, type CloneError } from '../errors.ts'
import { NO_ETCD_LEASE, type Lease } from '../lease.ts'
import { newcomersAmong } from '../overlap.ts'
import type { CasResult, KeyLifetime, LeaseList, LeaseRecord, LeaseStore } from '../store.ts'
import { claimFor, hasOurAddress, isShortLived, ownershipOf, saysOthers, type LeaseTerms } from '../terms.ts'
import { candidatesAt, choosingSubnet, widestOf } from './allocate.ts'
import {
  holderBefore,
  isOlder,
  ownAmong,
  rivalsAmong,
  stands,
  subnetsOf,
  underlayOf,
  whyUnusable,
} from './candidates.ts'
import { Listing, type Listed } from './listing.ts'
import { Proofs } from './proofs.ts'
import { ChangesSince } from './since.ts'

export interface Acquired {
  readonly lease: Lease
  readonly record: LeaseRecord
  /** The complete list that the choice was made on, or that confirmed what was written then: `record` stands in it. Peers start from it. */
  readonly list: LeaseList
  readonly how: 'kept' | 'updated' | 'taken over' | 'created'
  /** What it is held on: the terms that were asked for, or those of a copy. */
  readonly terms: LeaseTerms
  /** What the operator should read, in words: a subnet that had to be given up, a proof that could not be had. */
  readonly warnings: readonly string[]
}

type Attempt = Omit<Acquired, 'warnings' | 'terms'> | undefined

/** What stands in the store, as one attempt sees it. */
interface Situation {
  readonly list: LeaseList
  readonly listing: Listing
  /** Leases of our own that can be used no more, and those of the dead with our address: they go as soon as we hold something else. */
  readonly givenUp: readonly Listed[]
}

export interface AcquisitionInput {
  readonly store: LeaseStore & Challenges
  readonly clock: Clock
  readonly random: Random
  readonly terms: LeaseTerms
  /** Another machine with our node id was met: whatever this host shows of a lease, that one may hold it. */
  readonly isCloneKnown: boolean
}

/** The way to one lease, and what is remembered from one attempt to the next. */
export class Acquisition {
  readonly #input: AcquisitionInput
  readonly #store: LeaseStore & Challenges
  readonly #signal: AbortSignal
  #terms: LeaseTerms
  readonly #proofs: Proofs
  readonly #warnings = new Set<string>()
  readonly #slices: Slices

  constructor(input: AcquisitionInput, signal: AbortSignal) {
    this.#input = input
    this.#store = input.store
    this.#terms = input.terms
    this.#signal = signal
    this.#slices = new Slices(input.clock)
    const warn = (warning: string): void => void this.#warnings.add(warning)
    this.#proofs = new Proofs({ ...input, warn })
  }

  /**
   * The machine that has our node id lives.
   * @returns whether we can go on under an identity of our own; not beside one with our own address, whose packets we would get
   */
  goOnAsCopy(error: CloneError): boolean {
    const { copy } = this.#terms
    if (copy === undefined || hasOurAddress(error.lease, this.#terms)) return false
    this.#warnings.add(`${error.message}; until then this one goes on as node ${copy.node.id}`)
    this.#terms = copy
    return true
  }

  /** @param attempt from 1: chance chooses among ever more subnets @returns undefined when a key was no longer as listed */
  async attempt(attempt: number): Promise<Acquired | undefined> {
    const list = await this.#store.list(this.#signal)
    const listing = await this.#read(list.records)
    const { related, size } = listing
    this.#recogniseCopy(related)
    const all = ownAmong(related, this.#terms)
    const own = all.find((listed) => this.#isUsable(listed, listing))
    await this.#offerAddresses(own, all, size)
    const rivals = this.#proofs.worthAsking(rivalsAmong(related, own, this.#terms))
    const doubtful = this.#proofs.doubtful(own, all, this.#terms)
    await this.#proofs.demand({ doubtful, rivals, leases: size }, this.#terms, this.#signal)
    const heritage = own === undefined ? rivals : []
    const usable = heritage.filter((listed) => this.#isUsable(listed, listing) && this.#canSayAll(listed))
    const givenUp = own === undefined ? [...all, ...heritage].filter((listed) => !usable.includes(listed)) : []
    const situation = { list, listing, givenUp }
    const outcome =
      own === undefined ? await this.#moveIn(usable, situation, attempt) : await this.#reuse(own, situation)
    if (outcome === undefined) return undefined
    await this.#giveUp(situation, outcome.lease)
    this.#warnOfMove(outcome.lease)
    this.#warnOfAddress(this.#signedAmong(own, all), outcome.lease)
    return { ...outcome, terms: this.#terms, warnings: [...this.#warnings] }
  }

  /** Others have their turn meanwhile. */
  async #read(records: readonly LeaseRecord[]): Promise<Listing> {
    const listing = new Listing(records, this.#terms)
    await this.#slices.run(listing.reading())
    return listing
  }

  /** The lease that carries our node id, and so says which addresses peers know us by. */
  #signedAmong(own: Listed | undefined, all: readonly Listed[]): Listed | undefined {
    return [...(own === undefined ? [] : [own]), ...all].find(({ lease }) => lease.node?.id === this.#terms.node.id)
  }

  /**
   * Before anybody is asked about addresses that we may not take: ours may be others. Where this host shows nothing of the lease, its
   * holder must be silent first, since copies of this machine have our node id as well.
   * @throws {OtherAddressError | CloneError | StoreError}
   */
  async #offerAddresses(own: Listed | undefined, all: readonly Listed[], leases: number): Promise<void> {
    const signed = this.#signedAmong(own, all)
    if (this.#terms.isAddressOpen !== true || signed === undefined || !saysOthers(signed.lease, this.#terms)) return
    const isOurs = this.#terms.traceOf(signed.lease) !== undefined && !this.#input.isCloneKnown
    const doubtful = isOurs ? [] : this.#proofs.doubtful(own, all, this.#terms)
    await this.#proofs.demand({ doubtful, leases }, this.#terms, this.#signal)
    throw new OtherAddressError(signed.lease)
  }

  #warnOfAddress(before: Listed | undefined, { families }: Lease): void {
    for (const { family, publicIp } of before?.lease.families ?? []) {
      const now = families.find((part) => part.family === family)?.publicIp
      if (now !== undefined && now.text !== publicIp.text)
        this.#warnings.add(`our PublicIP is ${now.text} now, and was ${publicIp.text} before`)
    }
  }

  /** A lease under the identity of a copy is of this machine alone: that is who we were before. */
  #recogniseCopy(related: readonly Listed[]): void {
    const { copy } = this.#terms
    if (copy === undefined || related.every(({ lease }) => lease.node?.id !== copy.node.id)) return
    this.#warnings.add(
      `another machine has, or had, the same machine id (${this.#terms.node.id}): as before, this one goes on as node ${copy.node.id}. ` +
        'Give one of them --node-id',
    )
    this.#terms = copy
  }

  #isUsable(listed: Listed, listing: Listing): boolean {
    return whyUnusable(listed, listing, this.#terms) === undefined
  }

  /** Of families in which we have no address we can only go on saying what we have said. */
  #canSayAll({ lease }: Listed): boolean {
    return lease.families.every(({ family }) => this.#terms.publicIps.has(family))
  }

  #warnOfMove({ families }: Lease): void {
    for (const previous of this.#terms.previousSubnets) {
      const subnet = families.find(({ family }) => family === previous.family)?.subnet
      if (subnet !== undefined && subnet.text !== previous.text)
        this.#warnings.add(
          `our subnet is ${subnet.text} now, and was ${previous.text} before: containers that are still there must move`,
        )
    }
  }

  async #reuse(own: Listed, situation: Situation): Promise<Attempt> {
    const { list } = situation
    const value = encodeLease(claimFor(this.#terms, subnetsOf(own.lease), own.lease, earlierSubnets(own.record)))
    const life = await this.#lifeOf(own.record)
    if (life === 'gone') return undefined
    if (value === own.record.value && life === 'long') return { ...own, list, how: 'kept' }
    const lifetime = life === 'short' ? this.#grant : undefined
    const write = (): Promise<CasResult> => this.#store.replace(own.record, value, this.#signal, lifetime)
    return this.#write(write, 'updated', situation)
  }

  /** Renews the etcd lease of a key before relying on it. A reservation has none. When it has expired, so has the key. */
  async #lifeOf({ etcdLeaseId }: LeaseRecord): Promise<'long' | 'short' | 'gone'> {
    if (etcdLeaseId === NO_ETCD_LEASE) return 'long'
    const renewed = await this.#store.keepAlive(etcdLeaseId, this.#signal)
    if (!renewed.alive) return 'gone'
    return isShortLived(renewed.ttlSeconds, this.#terms) ? 'short' : 'long'
  }

  /** Takes over the lease of a dead node with our address, where there is one to use, else a free subnet. */
  #moveIn(dead: readonly Listed[], situation: Situation, attempt: number): Promise<Attempt> {
    const heritage = dead.find(({ lease }) => this.#terms.traceOf(lease) !== undefined) ?? dead[0]
    return heritage === undefined ? this.#create(situation, attempt) : this.#inherit(heritage, situation)
  }

  #inherit({ lease, record }: Listed, situation: Situation): Promise<Attempt> {
    // Its subnet, but not its MAC: should the dead one come back, the peers must be able to tell the two apart.
    const value = encodeLease(claimFor(this.#terms, subnetsOf(lease), undefined))
    const lifetime = record.etcdLeaseId === NO_ETCD_LEASE ? undefined : this.#grant
    const write = (): Promise<CasResult> => this.#store.replace(record, value, this.#signal, lifetime)
    return this.#write(write, 'taken over', situation)
  }

  async #create(situation: Situation, attempt: number): Promise<Attempt> {
    const { list, givenUp } = situation
    const own = givenUp.filter(({ lease }) => ownershipOf(lease, this.#terms) === 'ours')
    const earlier = own.flatMap(({ lease, record }) => [...subnetsOf(lease), ...earlierSubnets(record)])
    const subnets = await this.#slices.outcome(this.#choosingSubnets(situation, earlier, attempt))
    const isLeft = ({ text }: Prefix): boolean => subnets.every((subnet) => subnet.text !== text)
    const value = encodeLease(claimFor(this.#terms, subnets, undefined, earlier.filter(isLeft)))
    const unless = newcomersAmong(subnets, list)
    const write = (): Promise<CasResult> =>
      this.#store.create(formatLeaseKey(subnets), value, this.#grant, this.#signal, unless)
    return this.#write(write, 'created', situation)
  }

  /** Writes, and looks at what was written: what changes meanwhile is listened for from before. */
  async #write(write: () => Promise<CasResult>, how: Acquired['how'], situation: Situation): Promise<Attempt> {
    const since = new ChangesSince(situation.list, this.#input, this.#signal)
    try {
      await since.listening()
      const written = await write()
      return written.ok ? await this.#confirm(written.record, how, situation, since) : undefined
    } finally {
      since.end()
    }
  }

  /**
   * Looks at what was written, and what was before it, since nobody watches yet: it must stand there just as we wrote it, and nobody older
   * may have what only one can have. Of two that start at once, neither seeing the other's lease before, the younger one makes way.
   */
  async #confirm(
    record: LeaseRecord,
    how: Acquired['how'],
    { listing, givenUp }: Situation,
    since: ChangesSince,
  ): Promise<Attempt> {
    const later = await since.listWith(record)
    const list = later?.list ?? (await this.#store.list(this.#signal))
    if (!stands(record, list)) return undefined
    const own = { record, lease: decodeOwn(record) }
    if (how !== 'created') return { ...own, list, how }
    const concerned = (among: Listing): readonly Listed[] => [
      ...among.related,
      ...among.overlapping(subnetsOf(own.lease)),
    ]
    const unchanged = later && concerned(listing).filter((listed) => !later.changed.has(keyOf(listed)))
    const now = [...(unchanged ?? []), ...concerned(await this.#read(later?.put ?? list.records))]
    const goes = new Set(givenUp.map(keyOf))
    if (!this.#isBehind(own, goes.size === 0 ? now : now.filter((other) => !goes.has(keyOf(other)))))
      return { ...own, list, how }
    await this.#store.remove(record, this.#signal)
    return undefined
  }

  /** Whether a copy of us, a node with our address, or one with our subnet was faster. */
  #isBehind(own: Listed, leases: readonly Listed[]): boolean {
    const isFaster = (other: Listed): boolean => {
      const ownership = ownershipOf(other.lease, this.#terms)
      return ownership === 'rival' || (ownership === 'ours' && other.lease.node !== undefined)
    }
    return (
      holderBefore(own, leases, this.#terms) !== undefined ||
      leases.some((other) => isOlder(other, own) && isFaster(other) && !this.#proofs.isSettled(other))
    )
  }

  *#choosingSubnets(
    { listing, givenUp }: Situation,
    earlier: readonly Prefix[],
    attempt: number,
  ): Steps<readonly Prefix[]> {
    const { overlays, previousSubnets, hintedSubnets } = this.#terms
    const taken = listing.subnets(new Set(givenUp.map(keyOf)))
    const { addresses } = listing
    const avoid = [...underlayOf(this.#terms), ...(this.#terms.avoidAnew ?? [])]
    const preferred = [...previousSubnets, ...earlier, ...hintedSubnets]
    const candidates = candidatesAt(attempt)
    const subnets: Prefix[] = []
    for (const overlay of overlays) {
      const obstacles = { taken, avoid, addresses }
      const chosen = yield* choosingSubnet(overlay, obstacles, { preferred, candidates }, this.#input.random)
      const range = `${overlay.subnetMin.text} to ${overlay.subnetMax.text}`
      if (chosen === undefined) throw new OutOfSubnetsError(range, widestOf(taken, overlay))
      subnets.push(chosen)
    }
    return subnets
  }

  /** Only now that there is another: whoever fails in between still has the old one. One that was changed meanwhile is left. */
  async #giveUp({ listing, givenUp }: Situation, instead: Lease): Promise<void> {
    for (const listed of givenUp) {
      const { record } = listed
      if (record.key === instead.key) continue
      const why = whyUnusable(listed, listing, this.#terms) ?? 'it is not needed'
      if (await this.#store.remove(record, this.#signal))
        this.#warnings.add(`lease ${record.key} was given up for ${instead.key}: ${why}`)
    }
  }

  get #grant(): KeyLifetime {
    return { kind: 'grant', ttlSeconds: this.#terms.ttlSeconds }
  }
}

const keyOf = ({ record }: Listed): string => record.key

function decodeOwn(record: LeaseRecord): Lease {
  const lease = decodeLease(record)
  if ('rejected' in lease) throw new TypeError(`our own lease does not decode: ${lease.rejected}`)
  return lease
}
