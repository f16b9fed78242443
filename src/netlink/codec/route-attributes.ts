import { ipFromBytes, type Ip } from '../../net/ip.ts'
import type { NextHop, RouteExtra } from '../../kernel/kernel.ts'
import { align4 } from './buffer.ts'
import { DecodeError, type Attributes } from './reader.ts'
import { RTA } from './uapi.ts'

/** struct rtnexthop (linux/rtnetlink.h): attributes follow, up to the length that it says. */
const RTNEXTHOP = { length: 0, index: 4, size: 8 } as const
/** rta_expires of struct rta_cacheinfo: the time that is left, in hundredths of a second; 0 for a route that stays. */
const CACHEINFO_EXPIRES = 8

export const NOWHERE: NextHop = { linkIndex: undefined, gateway: undefined }

/** Where a route message sends packets: one next hop, several of a multipath route, or none (a blackhole). */
export function nextHops(attributes: Attributes): readonly NextHop[] {
  const linkIndex = attributes.u32(RTA.OIF)
  return linkIndex === undefined ? severalHops(attributes) : [{ linkIndex, gateway: gatewayOf(attributes) }]
}

/** @throws {DecodeError} when they do not fit the attribute they stand in */
export function severalHops(attributes: Attributes): readonly NextHop[] {
  const hops: NextHop[] = []
  const size = attributes.lengthOf(RTA.MULTIPATH)
  for (let at = 0; at < size;) {
    const length = attributes.u16(RTA.MULTIPATH, at + RTNEXTHOP.length) ?? 0
    if (length < RTNEXTHOP.size || length > size - at) throw new DecodeError(`next hop of ${length} octets`, at)
    const inner = attributes.nested(RTA.MULTIPATH, at + RTNEXTHOP.size, at + length)
    hops.push({ linkIndex: attributes.u32(RTA.MULTIPATH, at + RTNEXTHOP.index), gateway: inner && gatewayOf(inner) })
    at += align4(length)
  }
  return hops
}

/** RTA_VIA (struct rtvia: family, then address) is a gateway of the other family. */
export function gatewayOf(attributes: Attributes): Ip | undefined {
  const gateway = attributes.ip(RTA.GATEWAY)
  if (gateway !== undefined || !attributes.has(RTA.VIA)) return gateway
  const via = attributes.bytes(RTA.VIA)
  return via?.length === 6 || via?.length === 18 ? ipFromBytes(via.slice(2)) : undefined
}

/** The attributes that stand for something extra by being there. */
const EXTRAS: readonly (readonly [types: number, extra: RouteExtra])[] = [
  [1 << RTA.PREFSRC, 'src'],
  [1 << RTA.METRICS, 'metrics'],
  [1 << RTA.FLOW, 'realm'],
  [(1 << RTA.ENCAP) | (1 << RTA.ENCAP_TYPE), 'encap'],
  [1 << RTA.NH_ID, 'nhid'],
]
const ANY_EXTRA = EXTRAS.reduce((all, [types]) => all | types, 0)

/** Undefined for most routes. */
export function extrasOf(attributes: Attributes): readonly RouteExtra[] | undefined {
  const types = attributes.types()
  const expires = (types & (1 << RTA.CACHEINFO)) !== 0 && attributes.u32(RTA.CACHEINFO, CACHEINFO_EXPIRES) !== 0
  if ((types & ANY_EXTRA) === 0 && !expires) return undefined
  const extras = EXTRAS.filter(([bits]) => (types & bits) !== 0).map(([, extra]) => extra)
  return expires ? [...extras, 'expires'] : extras
}
