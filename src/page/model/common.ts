import { addressBits, parseIp, type Ip } from '../../net/ip.ts'
import { prefixContains, prefixOf, type Prefix } from '../../net/prefix.ts'
import type { PeerStatus } from '../../status/document.ts'

/** Fewer have nothing in common but chance. */
const FEWEST = 3

/**
 * The network that holds the addresses of all these peers and of none of the others: where to look for what they have in common, such as a rack
 * or its switch.
 * @returns undefined where there is none, they are too few, or there are no others
 */
export function commonPlace(some: readonly PeerStatus[], others: readonly PeerStatus[]): Prefix | undefined {
  if (some.length < FEWEST || others.length === 0) return undefined
  const place = smallestAround(some.flatMap(({ publicIp }) => parseIp(publicIp) ?? []))
  if (place === undefined) return undefined
  const isWithin = ({ publicIp }: PeerStatus): boolean => {
    const address = parseIp(publicIp)
    return address !== undefined && prefixContains(place, address)
  }
  return some.every(isWithin) && !others.some(isWithin) ? place : undefined
}

function smallestAround([first, ...rest]: readonly Ip[]): Prefix | undefined {
  if (first === undefined) return undefined
  let place = prefixOf(first, addressBits(first.family))
  for (const address of rest) {
    if (address.family !== first.family) return undefined
    while (!prefixContains(place, address)) place = prefixOf(first, place.length - 1)
  }
  return place
}
