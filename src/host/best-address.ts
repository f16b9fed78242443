import type { Family } from '../net/ip.ts'
import type { AddressState, LinkState } from '../kernel/kernel.ts'

/** IFA_F_* (linux/if_addr.h) */
const IFA_F_TEMPORARY = 0x01
const IFA_F_DADFAILED = 0x08
const IFA_F_DEPRECATED = 0x20
const IFA_F_TENTATIVE = 0x40
const IFA_F_PERMANENT = 0x80
const UNUSABLE = IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE
/** RT_SCOPE_LINK (linux/rtnetlink.h) */
const RT_SCOPE_LINK = 253

/** Whether the address means something beyond its link, as that of a tunnel must once there is a router in between. */
export const isGlobal = ({ scope }: AddressState): boolean => scope < RT_SCOPE_LINK

/** Global before link-local, permanent before dynamic, lasting before temporary; never a deprecated or unusable one. */
export function bestAddress(
  addresses: readonly AddressState[],
  link: LinkState | undefined,
  family: Family,
): AddressState | undefined {
  const penalty = (address: AddressState): number =>
    (isGlobal(address) ? 0 : 4) +
    (address.flags & IFA_F_PERMANENT ? 0 : 2) +
    (address.flags & IFA_F_TEMPORARY && family === 6 ? 1 : 0)
  const usable = addresses.filter(
    ({ linkIndex, ip, flags }) => linkIndex === link?.index && ip.family === family && (flags & UNUSABLE) === 0,
  )
  return usable.reduce<AddressState | undefined>(
    (best, other) => (best !== undefined && penalty(best) <= penalty(other) ? best : other),
    undefined,
  )
}
