import { addressBits, sameIp, type Family, type Ip } from '../../net/ip.ts'
import type { AddressState, LinkState } from '../../kernel/kernel.ts'
import type { AddressFlag, Scope } from '../../kernel/words.ts'

const UNUSABLE: ReadonlySet<AddressFlag> = new Set(['dadfailed', 'deprecated', 'tentative'])
const NARROW: ReadonlySet<Scope> = new Set(['link', 'host', 'nowhere'])

/** Whether the address means something beyond its link, as that of a tunnel must once there is a router in between. */
export const isGlobal = ({ scope }: AddressState): boolean => !NARROW.has(scope)

/** Of an IPv4 address that one of the same network stands before: it goes when that goes (IFA_F_SECONDARY is IFA_F_TEMPORARY). */
const isSecondary = ({ ip, flags }: AddressState): boolean => ip.family === 4 && flags.includes('temporary')

const isTemporary = ({ ip, flags }: AddressState): boolean => ip.family === 6 && flags.includes('temporary')

/**
 * What is against an address, the gravest first. A VIP of keepalived, MetalLB or kube-vip is a /32 (/128), a secondary one or one of
 * equal width; its owner changes, so it comes behind whatever else there is, permanent as it may be called.
 */
const penalties = (address: AddressState): readonly number[] => [
  Number(!isGlobal(address)),
  Number(address.prefixLength === addressBits(address.ip.family)),
  Number(isSecondary(address)),
  address.prefixLength,
  Number(!address.flags.includes('permanent')),
  Number(isTemporary(address)),
]

/** Less than zero: the first is better. */
function compare(a: AddressState, b: AddressState): number {
  const [ofA, ofB] = [penalties(a), penalties(b)]
  const at = ofA.findIndex((penalty, index) => penalty !== ofB[index])
  return at === -1 ? 0 : (ofA[at] ?? 0) - (ofB[at] ?? 0)
}

/**
 * One of the `known`, which peers send to, while the link has it; else global before link-local, the widest network first, permanent
 * before dynamic, lasting before temporary; never a deprecated or unusable one.
 */
export function bestAddress(
  addresses: readonly AddressState[],
  link: LinkState | undefined,
  family: Family,
  known: readonly Ip[] = [],
): AddressState | undefined {
  const own = addresses.filter(({ linkIndex, ip }) => linkIndex === link?.index && ip.family === family)
  const kept = own.find(({ ip, flags }) => !flags.includes('dadfailed') && known.some((one) => sameIp(one, ip)))
  if (kept !== undefined) return kept
  const usable = own.filter(({ flags }) => !flags.some((flag) => UNUSABLE.has(flag)))
  return usable.reduce<AddressState | undefined>(
    (best, other) => (best !== undefined && compare(best, other) <= 0 ? best : other),
    undefined,
  )
}
