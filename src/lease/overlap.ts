import { prefixesOverlap, prefixOf, type Prefix } from '../net/prefix.ts'
import { parseLeaseKey } from './codec.ts'
import type { LeaseList, NameRange, Newcomers } from './store.ts'

/** Whether any address is in both, in either family. */
export const haveCommon = (some: readonly Prefix[], others: readonly Prefix[]): boolean =>
  some.some((one) => others.some((other) => prefixesOverlap(one, other)))

/** Whether a lease of this name has any address of these subnets, whatever its length and form. */
export const overlaps = (subnets: readonly Prefix[], key: string): boolean =>
  haveCommon(subnets, parseLeaseKey(key) ?? [])

/**
 * Comparing all leases costs etcd some microseconds for each, in every transaction, and fails whenever anybody at all was faster. With
 * more leases than this, whoever takes an IPv6 subnet looks afterwards whether an older lease has it.
 */
const EVERYWHERE_UP_TO = 1_000

/**
 * Who must not have been faster than us, for subnets that were chosen on this list. A name begins with its IPv4 address, so that all that
 * can overlap it stands in a few ranges of names; an IPv6 subnet can stand behind any.
 */
export function newcomersAmong(subnets: readonly Prefix[], { revision, records }: LeaseList): Newcomers {
  const isNamedFirst = subnets.every(({ family }) => family === 4)
  const within =
    isNamedFirst || records.length > EVERYWHERE_UP_TO ? subnets.flatMap(namesOverlapping) : ('everywhere' as const)
  return { after: revision, within }
}

/** Whether nobody who could overlap these subnets was left out. */
export const isComplete = ({ within }: Newcomers, subnets: readonly Prefix[]): boolean =>
  within === 'everywhere' || subnets.every(({ family }) => family === 4)

/** With more ranges than these etcd would not take the transaction (`--max-txn-ops`: 128). */
const MOST_RANGES_WITHIN = 64

/**
 * The names of all leases that could overlap an IPv4 subnet, and few more: those within it and around it that share its whole octets and, of
 * the octet that it has a part of, one of the values that are its own (10.15.64.0/20: `10.15.64.` to `10.15.79.`), or any where those are too
 * many; and around it those with fewer bits, one by one.
 */
function namesOverlapping(subnet: Prefix): readonly NameRange[] {
  const { family, base, length } = subnet
  if (family !== 4) return []
  const octets = Math.min(Math.floor(length / 8), 3)
  const within = namesWithin(subnet, octets)
  const isWhole = within.length === 1
  if (isWhole && octets === 0) return [{ from: '0', to: ':' }] // whatever begins with a digit
  // behind the length comes nothing or `&`; `'` is the character after that
  const wider = Array.from(
    { length: isWhole ? octets * 8 : length },
    (_, bits) => `${prefixOf(base, bits).base.text}-${bits}`,
  )
  return [...within, ...wider.map((name) => ({ from: name, to: `${name}'` }))]
}

/** The names that begin with these whole octets of a subnet, and with what is its own of the next. */
function namesWithin({ base, length }: Prefix, octets: number): readonly NameRange[] {
  const parts = base.text.split('.')
  const shared = parts
    .slice(0, octets)
    .map((octet) => `${octet}.`)
    .join('')
  const values = 2 ** (8 - (length - octets * 8))
  // `/` is the character after `.`
  if (values > MOST_RANGES_WITHIN) return [{ from: shared, to: `${shared.slice(0, -1)}/` }]
  // behind the last octet comes `-`, behind the others `.`, which is the character after it
  const [behind, after] = octets === 3 ? ['-', '.'] : ['.', '/']
  const first = Number(parts[octets])
  return Array.from({ length: values }, (_, more) => `${shared}${first + more}`).map((name) => ({
    from: `${name}${behind}`,
    to: `${name}${after}`,
  }))
}
