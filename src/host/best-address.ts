import type { Family } from '../net/ip.ts'
import type { AddressState, LinkState } from '../kernel/kernel.ts'
import type { AddressFlag, Scope } from '../kernel/words.ts'

const UNUSABLE: ReadonlySet<AddressFlag> = new Set(['dadfailed', 'deprecated', 'tentative'])
const NARROW: ReadonlySet<Scope> = new Set(['link', 'host', 'nowhere'])

/** Whether the address means something beyond its link, as that of a tunnel must once there is a router in between. */
export const isGlobal = ({ scope }: AddressState): boolean => !NARROW.has(scope)

/** Global before link-local, permanent before dynamic, lasting before temporary; never a deprecated or unusable one. */
export function bestAddress(
  addresses: readonly AddressState[],
  link: LinkState | undefined,
  family: Family,
): AddressState | undefined {
  const penalty = (address: AddressState): number =>
    (isGlobal(address) ? 0 : 4) +
    (address.flags.includes('permanent') ? 0 : 2) +
    (address.flags.includes('temporary') && family === 6 ? 1 : 0)
  const usable = addresses.filter(
    ({ linkIndex, ip, flags }) =>
      linkIndex === link?.index && ip.family === family && !flags.some((flag) => UNUSABLE.has(flag)),
  )
  return usable.reduce<AddressState | undefined>(
    (best, other) => (best !== undefined && penalty(best) <= penalty(other) ? best : other),
    undefined,
  )
}
