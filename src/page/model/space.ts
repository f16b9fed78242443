import { ipToInteger, parseIp } from '../../net/ip.ts'
import { parsePrefix, subnetAt, subnetCount, type Prefix } from '../../net/prefix.ts'
import type { Reach } from '../../probe/reach.ts'
import type { NetworkStatus, PeerStatus, RejectedStatus, StatusDocument } from '../../status/document.ts'

/** What a place in the address space is used for. */
export type Use = 'ours' | 'rejected' | 'reserved' | 'leased' | 'free' | 'outside'

/** All of them; where several meet in one cell, the first counts. */
export const USES: readonly Use[] = ['ours', 'rejected', 'reserved', 'leased', 'free', 'outside']

/** Who has a subnet, or claims it. */
export interface Holder {
  readonly use: 'ours' | 'rejected' | 'reserved' | 'leased'
  readonly subnet: string
  readonly name: string
  /** Undefined for our own, and for leases that are no peer's. */
  readonly reach: Reach | undefined
  /** Why it is rejected. */
  readonly reason: string | undefined
}

/** The address space of one family, cut into 2^bits cells of equal size. */
export interface Space {
  readonly network: Prefix
  readonly subnetLength: number
  readonly bits: number
  /** How many subnets one cell stands for. */
  readonly subnetsPerCell: bigint
  /** By cell: index in {@link USES}. */
  readonly uses: Uint8Array
  readonly holders: ReadonlyMap<number, readonly Holder[]>
  /** Subnets that are handed out at all (SubnetMin to SubnetMax), and those among them that nobody has. */
  readonly handedOut: bigint
  readonly free: bigint
  readonly counts: Readonly<Record<Holder['use'], number>>
}

export interface Claims {
  readonly status: StatusDocument
  readonly peers: readonly PeerStatus[]
  readonly rejected: readonly RejectedStatus[]
}

/** Who has what in this family's network, in no order. */
export function holdersIn({ family }: NetworkStatus, { status, peers, rejected }: Claims): readonly Holder[] {
  const own = (status.lease?.subnets ?? []).map((subnet): Holder => ({
    ...{ use: 'ours', subnet, name: status.node.hostname, reach: undefined, reason: undefined },
  }))
  const others = peers.map(({ subnet, name, reach, isReserved }): Holder => ({
    ...{ use: isReserved === true ? 'reserved' : 'leased', subnet, name, reach, reason: undefined },
  }))
  const refused = rejected.flatMap(({ subnet, name, publicIp, key, reason }): readonly Holder[] =>
    subnet === null ? [] : [{ use: 'rejected', subnet, name: name ?? publicIp ?? key, reach: undefined, reason }],
  )
  return [...own, ...others, ...refused].filter(({ subnet }) => parsePrefix(subnet)?.family === family)
}

/**
 * @param mostBits cells that can be shown, as a power of two: a larger network has several subnets in each cell
 * @returns undefined for a network that is none
 */
export function spaceOf(status: NetworkStatus, holders: readonly Holder[], mostBits: number): Space | undefined {
  const network = parsePrefix(status.network)
  if (network === undefined || status.subnetLength < network.length) return undefined
  const bits = Math.min(status.subnetLength - network.length, mostBits)
  const scale = new Scale(network, bits)
  const uses = new Uint8Array(2 ** bits).fill(USES.indexOf('free'))
  const found = new Map<number, Holder[]>()
  const counts = { ours: 0, rejected: 0, reserved: 0, leased: 0 }
  markOutside(uses, scale, status)
  for (const holder of holders) {
    counts[holder.use]++
    for (const cell of scale.cellsOf(holder.subnet)) {
      uses[cell] = Math.min(uses[cell] ?? 0, USES.indexOf(holder.use))
      const others = found.get(cell)
      if (others === undefined) found.set(cell, [holder])
      else others.push(holder)
    }
  }
  const handedOut = handedOutIn(network, status)
  const taken = BigInt(counts.ours + counts.reserved + counts.leased)
  return {
    ...{ network, subnetLength: status.subnetLength, bits, uses, holders: found, handedOut, counts },
    subnetsPerCell: subnetCount(network, status.subnetLength) >> BigInt(bits),
    free: taken > handedOut ? 0n : handedOut - taken,
  }
}

/** The subnets of one cell, as text. */
export function cellText({ network, subnetLength, bits, subnetsPerCell }: Space, cell: number): string {
  const first = subnetAt(network, subnetLength, BigInt(cell) * subnetsPerCell)
  return subnetsPerCell === 1n ? first.text : subnetAt(network, network.length + bits, BigInt(cell)).text
}

/** Ranges of cells in which nothing is taken, the largest first. */
export function freeRanges({ uses }: Space): readonly { readonly first: number; readonly cells: number }[] {
  const free = USES.indexOf('free')
  const ranges: { first: number; cells: number }[] = []
  let current: { first: number; cells: number } | undefined
  uses.forEach((use, cell) => {
    if (use !== free) current = undefined
    else if (current === undefined) ranges.push((current = { first: cell, cells: 1 }))
    else current.cells++
  })
  return ranges.sort((a, b) => b.cells - a.cells || a.first - b.first)
}

function handedOutIn(network: Prefix, { firstSubnet, lastSubnet, subnetLength }: NetworkStatus): bigint {
  const [first, last] = [parseIp(firstSubnet), parseIp(lastSubnet)]
  if (first?.family !== network.family || last?.family !== network.family) return subnetCount(network, subnetLength)
  const host = BigInt((network.family === 4 ? 32 : 128) - subnetLength)
  return ((ipToInteger(last) - ipToInteger(first)) >> host) + 1n
}

function markOutside(uses: Uint8Array, scale: Scale, { firstSubnet, lastSubnet }: NetworkStatus): void {
  const [first, last] = [scale.cellAt(firstSubnet), scale.cellAt(lastSubnet)]
  if (first === undefined || last === undefined) return
  const outside = USES.indexOf('outside')
  uses.fill(outside, 0, Math.max(first, 0))
  uses.fill(outside, Math.min(last + 1, uses.length))
}

/** From addresses to cells. */
class Scale {
  readonly #base: bigint
  readonly #shift: bigint
  readonly #family: number
  readonly #cells: number

  constructor(network: Prefix, bits: number) {
    this.#family = network.family
    this.#base = ipToInteger(network.base)
    this.#shift = BigInt((network.family === 4 ? 32 : 128) - network.length - bits)
    this.#cells = 2 ** bits
  }

  /** May lie before the first cell or behind the last; undefined for what is no address of this family. */
  cellAt(address: string): number | undefined {
    const parsed = parseIp(address)
    if (parsed?.family !== this.#family) return undefined
    return clamp((ipToInteger(parsed) - this.#base) >> this.#shift, -1, this.#cells)
  }

  /** Every cell that the subnet has a part of. */
  *cellsOf(subnet: string): Iterable<number> {
    const parsed = parsePrefix(subnet)
    if (parsed?.family !== this.#family) return
    const first = ipToInteger(parsed.base)
    const size = 1n << BigInt((parsed.family === 4 ? 32 : 128) - parsed.length)
    const from = clamp((first - this.#base) >> this.#shift, 0, this.#cells)
    const to = clamp((first + size - 1n - this.#base) >> this.#shift, -1, this.#cells - 1)
    for (let cell = from; cell <= to; cell++) yield cell
  }
}

/** A number as large as it may be, without leaving what a number can hold. */
function clamp(value: bigint, least: number, most: number): number {
  if (value < BigInt(least)) return least
  return value > BigInt(most) ? most : Number(value)
}
