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

/**
 * The names of all leases that could overlap an IPv4 subnet, and a few more: those that share its whole octets (10.15.64.0/20: `10.15.`),
 * which are those within it and around it; and around it those with fewer bits than that, one by one.
 */
function namesOverlapping({ family, base, length }: Prefix): readonly NameRange[] {
  if (family !== 4) return []
  const octets = Math.min(Math.floor(length / 8), 3)
  if (octets === 0) return [{ from: '0', to: ':' }] // whatever begins with a digit
  // behind an address comes `-`, behind the length nothing or `&`; `/` is the character after `.`, and `'` the one after `&`
  const shared = base.text
    .split('.')
    .slice(0, octets)
    .map((octet) => `${octet}.`)
    .join('')
  const wider = Array.from({ length: octets * 8 }, (_, bits) => `${prefixOf(base, bits).base.text}-${bits}`)
  return [{ from: shared, to: `${shared.slice(0, -1)}/` }, ...wider.map((name) => ({ from: name, to: `${name}'` }))]
}
