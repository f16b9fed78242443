import { ipFromWords, sameIp, type Ip } from '../../net/ip.ts'
import { prefixContains, prefixesOverlap, prefixOf, type Prefix } from '../../net/prefix.ts'
import type { Steps } from '../../time/slices.ts'
import { decodeLease, parseLeaseKey, readPlainRecord } from '../codec.ts'
import type { Lease } from '../lease.ts'
import type { LeaseRecord } from '../store.ts'
import type { LeaseTerms } from '../terms.ts'

/** A record of the list, and what it says. */
export interface Listed {
  readonly lease: Lease
  readonly record: LeaseRecord
}

/** By which leases are told that have to do with this host: its ids, and that of a copy; its addresses. */
interface Self {
  readonly ids: readonly string[]
  readonly addresses: readonly Ip[]
}

function selfOf({ node, copy, publicIps }: LeaseTerms): Self {
  const ids = copy === undefined ? [node.id] : [node.id, copy.node.id]
  return { ids, addresses: [...publicIps.values(), ...(copy?.publicIps.values() ?? [])] }
}

/** How a record can be read. 0: not at all. */
const [PLAIN, OTHER] = [1, 2]
/** Records that are taken in between two steps. */
const AT_ONCE = 64

/**
 * The leases of a list, for the choice of ours. There are tens of thousands, of which but a few have to do with this host: of all others that
 * are written as nearly all are, subnet and address are kept as numbers, and the rest is decoded again for those that are asked for.
 */
export class Listing {
  readonly #records: readonly LeaseRecord[]
  readonly #self: Self
  readonly #kinds: Uint8Array<ArrayBuffer>
  /** Of plain ones. */
  readonly #bases: Int32Array<ArrayBuffer>
  readonly #lengths: Uint8Array<ArrayBuffer>
  readonly #addresses: Int32Array<ArrayBuffer>
  /** Of the others that can be read, by their place in the list. */
  readonly #others = new Map<number, Lease>()
  readonly #related: Listed[] = []
  #size = 0

  /** @param terms of the node that lists */
  constructor(records: readonly LeaseRecord[], terms: LeaseTerms) {
    this.#records = records
    this.#self = selfOf(terms)
    this.#kinds = new Uint8Array(records.length)
    this.#bases = new Int32Array(records.length)
    this.#lengths = new Uint8Array(records.length)
    this.#addresses = new Int32Array(records.length)
  }

  /** Has to be gone through before anything is asked. */
  *reading(): Steps {
    for (const [at, record] of this.#records.entries()) {
      this.#take(at, record)
      if (at % AT_ONCE === 0) yield
    }
  }

  /** How many can be read. */
  get size(): number {
    return this.#size
  }

  /** Those that carry an id of this host, or have one of its addresses. */
  get related(): readonly Listed[] {
    return this.#related
  }

  /** Those that have any address of these subnets. */
  overlapping(subnets: readonly Prefix[]): readonly Listed[] {
    const isOverlapping = (subnet: Prefix): boolean => subnets.some((one) => prefixesOverlap(one, subnet))
    return this.#select(
      (at) => subnets.some((one) => this.#overlaps(at, one)),
      ({ families }) => families.some(({ subnet }) => isOverlapping(subnet)),
    )
  }

  /** Those that publish an address within these subnets. */
  publishedWithin(subnets: readonly Prefix[]): readonly Listed[] {
    const isWithin = (address: Ip): boolean => subnets.some((subnet) => prefixContains(subnet, address))
    return this.#select(
      (at) => subnets.some((one) => agree(one, this.#addresses[at] ?? 0, one.length)),
      ({ families }) => families.some(({ publicIp }) => isWithin(publicIp)),
    )
  }

  /** All that is occupied: even a lease that cannot be read occupies the subnets of its key. @param except keys that do not count */
  subnets(except: ReadonlySet<string>): Iterable<Prefix> {
    return { [Symbol.iterator]: () => this.#subnets(except) }
  }

  /** All that are published. */
  get addresses(): Iterable<Ip> {
    return { [Symbol.iterator]: () => this.#allAddresses() }
  }

  *#subnets(except: ReadonlySet<string>): Generator<Prefix, void, undefined> {
    for (const [at, { key }] of this.#records.entries()) {
      if (except.size > 0 && except.has(key)) continue
      if (this.#kinds[at] === PLAIN) yield this.#subnetAt(at)
      else yield* this.#others.get(at)?.families.map(({ subnet }) => subnet) ?? parseLeaseKey(key) ?? []
    }
  }

  *#allAddresses(): Generator<Ip, void, undefined> {
    for (const [at, kind] of this.#kinds.entries()) if (kind === PLAIN) yield this.#addressAt(at)
    for (const { families } of this.#others.values()) for (const { publicIp } of families) yield publicIp
  }

  #take(at: number, record: LeaseRecord): void {
    const plain = readPlainRecord(record)
    if (plain === undefined) this.#takeOther(at, record)
    else {
      const { subnet, publicIp, node } = plain
      this.#kinds[at] = PLAIN
      this.#bases[at] = subnet.base.word0
      this.#lengths[at] = subnet.length
      this.#addresses[at] = publicIp
      this.#size++
      if (this.#mayBeRelated(publicIp | 0, node)) this.#related.push(...this.#listedAt(at).filter(this.#isRelated))
    }
  }

  #takeOther(at: number, record: LeaseRecord): void {
    const lease = decodeLease(record)
    if ('rejected' in lease) return
    this.#kinds[at] = OTHER
    this.#others.set(at, lease)
    this.#size++
    const listed = { lease, record }
    if (this.#isRelated(listed)) this.#related.push(listed)
  }

  readonly #isRelated = ({ lease: { node, families } }: Listed): boolean => {
    const { ids, addresses } = this.#self
    if (node !== undefined && ids.includes(node.id)) return true
    return families.some(({ publicIp }) => addresses.some((address) => sameIp(address, publicIp)))
  }

  #mayBeRelated(publicIp: number, node: string | undefined): boolean {
    const { ids, addresses } = this.#self
    if (addresses.some(({ family, word0 }) => family === 4 && word0 === publicIp)) return true
    return node !== undefined && ids.some((id) => node.includes(id))
  }

  #select(isPlainMeant: (at: number) => boolean, isMeant: (lease: Lease) => boolean): readonly Listed[] {
    const found: Listed[] = []
    for (let at = 0; at < this.#kinds.length; at++) {
      const kind = this.#kinds[at]
      const other = kind === OTHER ? this.#others.get(at) : undefined
      if (kind === PLAIN ? isPlainMeant(at) : other !== undefined && isMeant(other)) found.push(...this.#listedAt(at))
    }
    return found
  }

  #overlaps(at: number, one: Prefix): boolean {
    return agree(one, this.#bases[at] ?? 0, Math.min(one.length, this.#lengths[at] ?? 0))
  }

  #listedAt(at: number): readonly Listed[] {
    const record = this.#records[at]
    const lease = this.#others.get(at) ?? (record && decodeLease(record))
    return record === undefined || lease === undefined || 'rejected' in lease ? [] : [{ lease, record }]
  }

  #subnetAt(at: number): Prefix {
    return prefixOf(ipFromWords(4, this.#bases[at] ?? 0), this.#lengths[at] ?? 0)
  }

  #addressAt(at: number): Ip {
    return ipFromWords(4, this.#addresses[at] ?? 0)
  }
}

/** Whether so many first bits of an IPv4 address are those of a network. As numbers: it is asked of tens of thousands. */
const agree = ({ family, base }: Prefix, word: number, length: number): boolean =>
  family === 4 && (length === 0 || (base.word0 ^ word) >>> (32 - length) === 0)
