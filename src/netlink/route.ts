import { addressBits, ipFromBytes, type Family, type Ip } from '../net/ip.ts'
import { prefixOf, type Prefix } from '../net/prefix.ts'
import type { KernelOp, RouteLookup, RouteState } from '../reconcile/kernel.ts'
import { DecodeError, familyOf, type Attributes, type MessageCursor } from './reader.ts'
import { AF, NLM_F, RT_SCOPE, RT_TABLE_MAIN, RTA, RTM, RTM_F_CLONED, RTN, RTNH_F_ONLINK } from './uapi.ts'
import type { MessageWriter } from './writer.ts'

/** struct rtmsg (linux/rtnetlink.h) */
const RTMSG = { family: 0, length: 1, table: 4, protocol: 5, scope: 6, type: 7, flags: 8, size: 12 } as const
/** struct rtnexthop */
const RTNEXTHOP = { length: 0, index: 4, size: 8 } as const

type RouteReplace = Extract<KernelOp, { op: 'route.replace' }>
type RouteDelete = Extract<KernelOp, { op: 'route.delete' }>

interface RtmsgFields {
  readonly table?: number
  readonly protocol?: number
  readonly scope?: number
  readonly type?: number
  readonly flags?: number
}

function rtmsg(writer: MessageWriter, family: Family, length: number, fields: RtmsgFields): void {
  writer.u8(family === 4 ? AF.INET : AF.INET6)
  writer.u8(length)
  writer.u16(0)
  writer.u8(fields.table ?? 0)
  writer.u8(fields.protocol ?? 0)
  writer.u8(fields.scope ?? 0)
  writer.u8(fields.type ?? 0)
  writer.u32(fields.flags ?? 0)
}

const TYPE = { unicast: RTN.UNICAST, blackhole: RTN.BLACKHOLE } as const

function writeRoute(writer: MessageWriter, route: RouteReplace | RouteDelete, scope: number, flags: number): void {
  const { destination, protocol, type } = route
  rtmsg(writer, destination.family, destination.length, {
    table: RT_TABLE_MAIN,
    protocol,
    scope,
    type: TYPE[type],
    flags,
  })
  writer.attributeBytes(RTA.DST, destination.base.bytes)
  if (route.gateway !== undefined) writer.attributeBytes(RTA.GATEWAY, route.gateway.bytes)
  if (route.metric !== 0) writer.attributeU32(RTA.PRIORITY, route.metric)
  if (route.linkIndex !== undefined) writer.attributeU32(RTA.OIF, route.linkIndex)
  writer.end()
}

/** `ip route replace`: creates the route, or puts it in place of the one with the same destination and metric. */
export function writeRouteReplace(writer: MessageWriter, route: RouteReplace, sequence: number): void {
  writer.begin(RTM.NEWROUTE, NLM_F.REQUEST | NLM_F.CREATE | NLM_F.REPLACE, sequence)
  writeRoute(
    writer,
    route,
    isOnLink(route) ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE,
    route.onlink === true ? RTNH_F_ONLINK : 0,
  )
}

/** Scope "nowhere" in a deletion means any scope. No gateway means any, too, but for the scope: routes with one have another. */
export function writeRouteDelete(writer: MessageWriter, route: RouteDelete, sequence: number): void {
  writer.begin(RTM.DELROUTE, NLM_F.REQUEST, sequence)
  writeRoute(writer, route, isOnLink(route) ? RT_SCOPE.LINK : RT_SCOPE.NOWHERE, 0)
}

const isOnLink = ({ type, gateway }: RouteReplace | RouteDelete): boolean => type === 'unicast' && gateway === undefined

/** Main-table routes of one family, of one link if it is given. */
export function writeRouteQuery(
  writer: MessageWriter,
  family: Family,
  linkIndex: number | undefined,
  sequence: number,
): void {
  writer.begin(RTM.GETROUTE, NLM_F.REQUEST | NLM_F.DUMP, sequence)
  rtmsg(writer, family, 0, { table: RT_TABLE_MAIN })
  if (linkIndex !== undefined) writer.attributeU32(RTA.OIF, linkIndex)
  writer.end()
}

/** `ip route get`. */
export function writeRouteLookup(writer: MessageWriter, destination: Ip, sequence: number): void {
  writer.begin(RTM.GETROUTE, NLM_F.REQUEST, sequence)
  rtmsg(writer, destination.family, addressBits(destination.family), {})
  writer.attributeBytes(RTA.DST, destination.bytes)
  writer.end()
}

interface NextHop {
  readonly linkIndex: number | undefined
  readonly gateway: Ip | undefined
}

/** Link of a route message (of its first next hop), without decoding the rest. */
export function routeLink(message: MessageCursor): number | undefined {
  const attributes = message.attributes(RTMSG.size)
  return attributes.u32(RTA.OIF) ?? firstOfMany(attributes)?.linkIndex
}

/** A main-table route out of RTM_NEWROUTE or RTM_DELROUTE; undefined for other tables, families and the cache's clones. */
export function readRoute(message: MessageCursor): RouteState | undefined {
  const family = familyOf(message.u8(RTMSG.family))
  const attributes = message.attributes(RTMSG.size)
  const table = attributes.u32(RTA.TABLE) ?? message.u8(RTMSG.table)
  const flags = message.u32(RTMSG.flags)
  if (family === undefined || table !== RT_TABLE_MAIN || (flags & RTM_F_CLONED) !== 0) return undefined
  const { linkIndex, gateway } = nextHop(attributes)
  return {
    destination: readPrefix(attributes.ip(RTA.DST), family, message),
    gateway,
    metric: attributes.u32(RTA.PRIORITY) ?? 0,
    protocol: message.u8(RTMSG.protocol),
    scope: message.u8(RTMSG.scope),
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    type: message.u8(RTMSG.type),
    table,
    linkIndex,
  }
}

/** The answer to a lookup; undefined when the route leads nowhere (unreachable, prohibited, blackhole). */
export function readLookup(message: MessageCursor): RouteLookup | undefined {
  const type = message.u8(RTMSG.type)
  const attributes = message.attributes(RTMSG.size)
  const { linkIndex, gateway } = nextHop(attributes)
  if ((type !== RTN.UNICAST && type !== RTN.LOCAL) || linkIndex === undefined) return undefined
  return { linkIndex, gateway, source: attributes.ip(RTA.PREFSRC) }
}

function nextHop(attributes: Attributes): NextHop {
  const linkIndex = attributes.u32(RTA.OIF)
  if (linkIndex === undefined) return firstOfMany(attributes) ?? { linkIndex, gateway: undefined }
  return { linkIndex, gateway: gatewayOf(attributes) }
}

/** The first of a multipath route's next hops: struct rtnexthop, then its attributes, up to the length the structure says. */
function firstOfMany(attributes: Attributes): NextHop | undefined {
  if (!attributes.has(RTA.MULTIPATH)) return undefined
  const inner = attributes.nested(RTA.MULTIPATH, RTNEXTHOP.size, attributes.u16(RTA.MULTIPATH, RTNEXTHOP.length))
  return { linkIndex: attributes.u32(RTA.MULTIPATH, RTNEXTHOP.index), gateway: inner && gatewayOf(inner) }
}

/** RTA_VIA (struct rtvia: family, then address) is a gateway of the other family. */
function gatewayOf(attributes: Attributes): Ip | undefined {
  const gateway = attributes.ip(RTA.GATEWAY)
  if (gateway !== undefined) return gateway
  const via = attributes.bytes(RTA.VIA)
  return via?.length === 6 || via?.length === 18 ? ipFromBytes(via.slice(2)) : undefined
}

/** A default route has no RTA_DST. */
function readPrefix(base: Ip | undefined, family: Family, message: MessageCursor): Prefix {
  const length = message.u8(RTMSG.length)
  const bits = addressBits(family)
  if ((base !== undefined && base.family !== family) || length > bits)
    throw new DecodeError(`destination ${base?.text ?? ''}/${length} in family ${family}`, message.payload)
  return prefixOf(base ?? ipFromBytes(new Uint8Array(bits / 8)), length)
}
