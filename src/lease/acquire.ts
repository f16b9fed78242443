import type { Random } from '../time/clock.ts'
import type { Prefix } from '../net/prefix.ts'
import { chooseSubnet } from './allocate.ts'
import {
  decodeAll,
  isOlder,
  isOursBeyondDoubt,
  ownAmong,
  rivalsAmong,
  stands,
  trespass,
  underlayOf,
  type Listed,
} from './candidates.ts'
import type { Challenges } from './challenges.ts'
import { decodeLease, encodeLease, formatLeaseKey, parseLeaseKey } from './codec.ts'
import { LeaseContentionError, OutOfSubnetsError } from './errors.ts'
import { NO_ETCD_LEASE, type Lease, type Revision } from './lease.ts'
import { expectDead, expectNoClone } from './proof.ts'
import type { CasResult, KeyLifetime, LeaseList, LeaseRecord, LeaseStore } from './store.ts'
import { claimFor, isShortLived, leaseFits, ownershipOf, type LeaseTerms } from './terms.ts'

/** Lost races before giving up, as upstream counts. */
const ATTEMPTS = 10

/** Rivals asked in one acquisition, the oldest: one holder of our address that lives is enough, and no flood of leases keeps us busy. */
const MOST_ASKED = 8

export interface Acquired {
  readonly lease: Lease
  readonly record: LeaseRecord
  /** The complete list that the choice was made on, or that confirmed what was written then: `record` stands in it. Peers start from it. */
  readonly list: LeaseList
  readonly how: 'kept' | 'updated' | 'taken over' | 'created'
  /** What the operator should read, in words: a subnet that had to be given up, a proof that could not be had. */
  readonly warnings: readonly string[]
}

/**
 * Gets this node a lease, in upstream's order: our own if it still fits (nothing is written when it says what we would say), then that
 * of a dead node with our address, then the subnet of the previous run, then a random free one. Every write is a compare-and-set; a
 * lost race starts over with a new list, and so does a write of which the next list shows nothing any more. Takes up to 20 s where another node's lease has our address, and up to 3 s where a lease with
 * our node id may be another machine's.
 * @throws {OutOfSubnetsError | RivalError | CloneError | LeaseContentionError | StoreError}
 */
export async function acquireLease(
  store: LeaseStore & Challenges,
  terms: LeaseTerms,
  random: Random,
  signal: AbortSignal,
): Promise<Acquired> {
  const acquisition = new Acquisition(store, terms, random, signal)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const acquired = await acquisition.attempt()
    if (acquired !== undefined) return acquired
  }
  throw new LeaseContentionError(ATTEMPTS)
}

type Attempt = Omit<Acquired, 'warnings'> | undefined

/** What is remembered from one attempt to the next. */
class Acquisition {
  readonly #store: LeaseStore & Challenges
  readonly #terms: LeaseTerms
  readonly #random: Random
  readonly #signal: AbortSignal
  /** Leases whose holders did not answer, and the revision they were asked at: nobody is asked twice. */
  readonly #silent = new Map<string, Revision>()
  /** Leases of a flood whose holders were not asked. */
  readonly #leftAlone = new Set<string>()
  readonly #warnings = new Set<string>()

  constructor(store: LeaseStore & Challenges, terms: LeaseTerms, random: Random, signal: AbortSignal) {
    this.#store = store
    this.#terms = terms
    this.#random = random
    this.#signal = signal
  }

  /** @returns undefined when a key was no longer as listed */
  async attempt(): Promise<Acquired | undefined> {
    const list = await this.#store.list(this.#signal)
    const leases = decodeAll(list.records)
    const own = ownAmong(leases, this.#terms)
    const rivals = this.#worthAsking(rivalsAmong(leases, own, this.#terms))
    await this.#prove(own, rivals)
    const outcome = own === undefined ? await this.#inherit(rivals, leases, list) : await this.#reuse(own, leases, list)
    if (outcome === undefined) return undefined
    this.#warnOfMove(outcome.lease)
    return { ...outcome, warnings: [...this.#warnings] }
  }

  /** Those that were asked before, and the oldest of the others, up to a limit. */
  #worthAsking(rivals: readonly Listed[]): readonly Listed[] {
    const isKnown = ({ record }: Listed): boolean => this.#silent.has(record.key)
    const fresh = rivals.filter((rival) => !isKnown(rival))
    const chosen = fresh.slice(0, Math.max(MOST_ASKED - this.#silent.size, 0))
    const left = fresh.slice(chosen.length)
    for (const { record } of left) this.#leftAlone.add(record.key)
    if (left.length > 0)
      this.#warnings.add(
        `${left.length} more leases of other nodes have our PublicIP; whether they live was not asked, and they are left alone`,
      )
    return [...rivals.filter(isKnown), ...chosen]
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

  /** Asks whoever must be silent before we write anything, all at once. @throws as soon as one of them answers */
  async #prove(own: Listed | undefined, rivals: readonly Listed[]): Promise<void> {
    const enough = new AbortController()
    // one signal for each: a signal that many listen to at once is taken for a leak
    const asking = (): AbortSignal => AbortSignal.any([this.#signal, enough.signal])
    const doubtful = own === undefined || isOursBeyondDoubt(own, this.#terms) ? [] : [own]
    try {
      await Promise.all([
        ...this.#unasked(doubtful).map((listed) => this.#proveOwn(listed, asking())),
        ...this.#unasked(rivals).map((listed) => expectDead(this.#store, listed.lease, this.#terms, asking())),
      ])
    } finally {
      enough.abort()
    }
    for (const { record } of [...doubtful, ...rivals]) this.#silent.set(record.key, record.modRevision)
  }

  #unasked(listed: readonly Listed[]): readonly Listed[] {
    return listed.filter(({ record }) => this.#silent.get(record.key) !== record.modRevision)
  }

  async #proveOwn({ lease }: Listed, signal: AbortSignal): Promise<void> {
    const silence = await expectNoClone(this.#store, lease, this.#terms, signal)
    if (silence === 'forbidden')
      this.#warnings.add(
        `lease ${lease.key} carries our node id and is taken for ours, though whether another machine holds it we may not ask: ` +
          'the role in etcd needs readwrite permission on challenges/ too',
      )
  }

  async #reuse(own: Listed, leases: readonly Listed[], list: LeaseList): Promise<Attempt> {
    if (!this.#isUsable(own, leases)) return this.#remove(own.record)
    const value = encodeLease(claimFor(this.#terms, subnetsOf(own), own.lease))
    const life = await this.#lifeOf(own.record)
    if (life === 'gone') return undefined
    if (value === own.record.value && life === 'long') return { ...own, list, how: 'kept' }
    const lifetime = life === 'short' ? this.#grant : undefined
    return this.#confirm(await this.#store.replace(own.record, value, this.#signal, lifetime), 'updated')
  }

  #isUsable(listed: Listed, leases: readonly Listed[]): boolean {
    const covered = trespass(listed, leases, this.#terms)
    const fits = leaseFits(listed.lease, this.#terms.overlays)
    const { key } = listed.lease
    if (!fits) this.#warnings.add(`lease ${key} was removed: it does not fit the network configuration`)
    else if (covered !== undefined)
      this.#warnings.add(`lease ${key} was removed: it covers ${covered.text}, which the underlay needs`)
    return fits && covered === undefined
  }

  async #remove(record: LeaseRecord): Promise<undefined> {
    await this.#store.remove(record, this.#signal)
    return undefined
  }

  /** Renews the etcd lease of a key before relying on it. A reservation has none. When it has expired, so has the key. */
  async #lifeOf({ etcdLeaseId }: LeaseRecord): Promise<'long' | 'short' | 'gone'> {
    if (etcdLeaseId === NO_ETCD_LEASE) return 'long'
    const renewed = await this.#store.keepAlive(etcdLeaseId, this.#signal)
    if (!renewed.alive) return 'gone'
    return isShortLived(renewed.ttlSeconds, this.#terms) ? 'short' : 'long'
  }

  /** Takes over the lease of a dead node with our address, where it can be used. */
  async #inherit(dead: readonly Listed[], leases: readonly Listed[], list: LeaseList): Promise<Attempt> {
    const unusable = dead.filter((one) => !this.#isUsable(one, leases))
    for (const { record } of unusable) await this.#remove(record)
    if (unusable.length > 0) return undefined
    const heritage = dead.find(({ lease }) => this.#terms.traceOf(lease) !== undefined) ?? dead[0]
    if (heritage === undefined) return this.#create(leases, list)
    // Its subnet, but not its MAC: should the dead one come back, the peers must be able to tell the two apart.
    const value = encodeLease(claimFor(this.#terms, subnetsOf(heritage), undefined))
    const lifetime = heritage.record.etcdLeaseId === NO_ETCD_LEASE ? undefined : this.#grant
    return this.#confirm(await this.#store.replace(heritage.record, value, this.#signal, lifetime), 'taken over')
  }

  async #create(leases: readonly Listed[], list: LeaseList): Promise<Attempt> {
    const subnets = this.#chooseSubnets(leases, list)
    const value = encodeLease(claimFor(this.#terms, subnets, undefined))
    return this.#confirm(await this.#store.create(formatLeaseKey(subnets), value, this.#grant, this.#signal), 'created')
  }

  /**
   * Lists again what was written, since nobody watches yet: it must stand there just as we wrote it. Two nodes with one address may
   * have started at once, neither seeing the other's lease: then the younger lease goes.
   */
  async #confirm(written: CasResult, how: 'updated' | 'taken over' | 'created'): Promise<Attempt> {
    if (!written.ok) return undefined
    const { record } = written
    const list = await this.#store.list(this.#signal)
    if (!stands(record, list)) return undefined
    const isElder = (other: Listed): boolean =>
      ownershipOf(other.lease, this.#terms) === 'rival' &&
      isOlder(other, written) &&
      !this.#leftAlone.has(other.record.key)
    if (how === 'created' && decodeAll(list.records).some(isElder)) return this.#remove(record)
    return { lease: decodeOwn(record), record, list, how }
  }

  /** Even a lease that we cannot read occupies the subnets of its key. */
  #chooseSubnets(leases: readonly Listed[], list: LeaseList): readonly Prefix[] {
    const { overlays, previousSubnets } = this.#terms
    const taken = list.records.flatMap(({ key }) => parseLeaseKey(key) ?? [])
    const avoid = underlayOf(leases, this.#terms)
    return overlays.map((overlay) => {
      const preferred = previousSubnets.find(({ family }) => family === overlay.family)
      const chosen = chooseSubnet(overlay, { taken, avoid }, preferred, this.#random)
      if (chosen === undefined) throw new OutOfSubnetsError(`${overlay.subnetMin.text} to ${overlay.subnetMax.text}`)
      return chosen
    })
  }

  get #grant(): KeyLifetime {
    return { kind: 'grant', ttlSeconds: this.#terms.ttlSeconds }
  }
}

const subnetsOf = ({ lease }: Listed): readonly Prefix[] => lease.families.map(({ subnet }) => subnet)

function decodeOwn(record: LeaseRecord): Lease {
  const lease = decodeLease(record)
  if ('rejected' in lease) throw new TypeError(`our own lease does not decode: ${lease.rejected}`)
  return lease
}
