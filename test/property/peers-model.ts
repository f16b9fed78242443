import { rejectedFor } from '../../src/lease/rejection.ts'
import type { PeerRecord, Revision } from '../../src/lease/lease.ts'
import type { Question } from '../../src/lease/peers/claim-ages.ts'
import type { Claims } from '../../src/lease/peers/claims.ts'
import type { Judge } from '../../src/lease/peers/peer-table.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix, prefixContains, prefixesOverlap } from '../../src/net/prefix.ts'
import { judgeThat, type Judgement } from '../fake/judges.ts'

/**
 * The value is what the lease claims: `m1` is a name, `10.0.0.0/24` a subnet, `@10.0.0.5` an address. `node` says that it names its node;
 * one with an `x` cannot be read.
 */
export function claimsOf(value: string): Claims {
  const tokens = value.split(' ').filter((token) => token !== '')
  return {
    names: tokens.filter((token) => token.startsWith('m')),
    subnets: tokens.filter((token) => token.includes('/')).map(prefix),
    addresses: tokens.filter((token) => token.startsWith('@')).map((token) => ip(token.slice(1))),
  }
}

/** What the judge goes by, and what may change: leases that name it are bad. */
export interface Bad {
  token: string
}

const isToken = (value: string, token: string): boolean => value.split(' ').includes(token)

export const judgeBy = (bad: Bad): Judge<string> =>
  judgeThat(
    (record) => finds(record, bad.token),
    (record) => finds(record, undefined),
  )

function finds({ value }: PeerRecord, bad: string | undefined): Judgement<string> {
  if (isToken(value, 'x')) return rejectedFor('malformed', 'unreadable')
  const claims = claimsOf(value)
  return bad !== undefined && isToken(value, bad)
    ? { ...rejectedFor('other_vni', 'bad'), claims }
    : { accepted: value, claims, isSigned: isToken(value, 'node') }
}

/** A record, and since when at the earliest it can say what it says: the key was known before, and up to when; but never before it was made. */
interface Seen {
  readonly record: PeerRecord
  readonly since: Revision
}

/** What somebody has told of a key, when the last record seen was the one at this place. */
interface Told {
  readonly at: number
  readonly revision: Revision
  readonly said: PeerRecord
}

interface Modelled {
  /** All that was seen of the key in its present life; what matters is the last. */
  readonly seen: readonly [Seen, ...Seen[]]
  readonly told: readonly Told[]
  readonly isRetired: boolean
}

interface Span {
  from: Revision
  to: Revision
}

/** One claim of one lease, and when it is heard. */
interface Heard {
  readonly key: string
  readonly isRetired: boolean
  readonly revision: Revision
  /** With nothing but this. */
  readonly claims: Claims
}

const NOTHING: Claims = { names: [], subnets: [], addresses: [] }

/** Remembers everything it was told, and works out from scratch, by the rules as they are written, who is in force. */
export class PeersModel {
  readonly #keys = new Map<string, Modelled>()
  #seenUpTo: Revision = 0n

  get keys(): readonly string[] {
    return [...this.#keys.keys()]
  }

  put(record: PeerRecord): void {
    this.#see(record, record.modRevision, false)
  }

  delete(key: string): void {
    this.#keys.delete(key)
  }

  retire(key: string): void {
    const known = this.#keys.get(key)
    if (known !== undefined) this.#keys.set(key, { ...known, isRetired: true })
  }

  replaceAll(records: readonly PeerRecord[], keep: readonly string[], wasReset: boolean): void {
    const listed = new Set(records.map(({ key }) => key))
    for (const key of this.keys)
      if (!listed.has(key)) {
        if (keep.includes(key)) this.retire(key)
        else this.delete(key)
      }
    const since = this.#seenUpTo + 1n
    if (wasReset) this.#seenUpTo = 0n
    for (const record of records) this.#see(record, since, wasReset)
  }

  testify({ key, revision }: Question, said: PeerRecord): void {
    const known = this.#keys.get(key)
    if (known !== undefined)
      this.#keys.set(key, { ...known, told: [...known.told, { at: known.seen.length - 1, revision, said }] })
  }

  #see(record: PeerRecord, since: Revision, wasReset: boolean): void {
    const known = this.#keys.get(record.key)
    const last = known?.seen.at(-1)?.record
    const { value, createRevision, modRevision } = record
    const isSame = last?.value === value && last.modRevision === modRevision
    const goesOn = last?.createRevision === createRevision && last.modRevision <= modRevision && (isSame || !wasReset)
    const atLeast = since > createRevision ? since : createRevision
    if (modRevision > this.#seenUpTo) this.#seenUpTo = modRevision
    this.#keys.set(
      record.key,
      known !== undefined && goesOn
        ? { ...known, isRetired: false, seen: [...known.seen, { record, since: atLeast }] }
        : { isRetired: false, told: [], seen: [{ record, since: createRevision }] },
    )
  }

  /** Key → value of those in force. */
  inForce(bad: Bad): Record<string, string> {
    const accepted = [...this.#keys].filter(([, { seen }]) => {
      const { value } = lastOf(seen).record
      return !isToken(value, 'x') && !isToken(value, bad.token)
    })
    const heard = accepted.flatMap(([key, one]) => this.#hearings(key, one, accepted)).toSorted(inTurn)
    const refused = new Map<string, Heard>()
    for (const one of heard) {
      const isRefused = heard.some((other) => {
        if (other.key === one.key || inTurn(other, one) >= 0 || !areInConflict(other.claims, one.claims)) return false
        const end = refused.get(other.key)
        return end === undefined || inTurn(one, end) < 0
      })
      if (isRefused && !refused.has(one.key)) refused.set(one.key, one)
    }
    return Object.fromEntries(
      accepted.filter(([key]) => !refused.has(key)).map(([key, { seen }]) => [key, lastOf(seen).record.value]),
    )
  }

  #hearings(key: string, one: Modelled, accepted: readonly (readonly [string, Modelled])[]): readonly Heard[] {
    const { isRetired } = one
    const { value, createRevision } = lastOf(one.seen).record
    const claims = claimsOf(value)
    const isContested = (claim: Claims): boolean =>
      accepted.some(([other, { seen, isRetired: isGone }]) => {
        const theirs = lastOf(seen).record.value
        return other !== key && !isGone && isToken(theirs, 'node') && areInConflict(claimsOf(theirs), claim)
      })
    const hear = (token: string, claim: Partial<Claims>): Heard => {
      const { from, to } = ageOf(one, token)
      const isLate = isToken(value, 'node') || isContested({ ...NOTHING, ...claim })
      return { key, isRetired, revision: isLate ? to : from, claims: { ...NOTHING, ...claim } }
    }
    return [
      { key, isRetired, revision: createRevision, claims: { ...NOTHING, subnets: claims.subnets } },
      ...claims.names.map((name) => hear(name, { names: [name] })),
      ...claims.addresses.map((address) => hear(`@${address.text}`, { addresses: [address] })),
    ]
  }
}

const lastOf = (seen: readonly [Seen, ...Seen[]]): Seen => seen.at(-1) ?? seen[0]

/** Since when the key has said it without a break, as far as that was seen and told. */
function ageOf({ seen, told }: Modelled, token: string): Span {
  const isSaid = ({ value }: PeerRecord): boolean => !isToken(value, 'x') && isToken(value, token)
  let start = seen.length - 1
  while (start > 0 && isSaid(seen[start - 1]?.record ?? seen[0].record)) start--
  const { record, since } = seen[start] ?? seen[0]
  const span: Span = { from: since < record.modRevision ? since : record.modRevision, to: record.modRevision }
  for (const { at, revision, said } of told) {
    if (at < start || revision < span.from || revision >= span.to) continue
    if (said.createRevision !== record.createRevision || !isSaid(said)) span.from = revision + 1n
    else span.to = said.modRevision > span.from ? said.modRevision : span.from
  }
  return span
}

function inTurn(a: Heard, b: Heard): number {
  return (
    Number(a.isRetired) - Number(b.isRetired) ||
    Number(a.revision - b.revision) ||
    (a.key === b.key ? 0 : a.key < b.key ? -1 : 1)
  )
}

function areInConflict(a: Claims, b: Claims): boolean {
  const covers = (x: Claims, y: Claims): boolean =>
    x.subnets.some((subnet) => y.addresses.some((address) => prefixContains(subnet, address)))
  return (
    a.names.some((name) => b.names.includes(name)) ||
    a.subnets.some((subnet) => b.subnets.some((other) => prefixesOverlap(subnet, other))) ||
    covers(a, b) ||
    covers(b, a)
  )
}
