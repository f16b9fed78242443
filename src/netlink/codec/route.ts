import { addressBits, ipFromWords, type Family, type Ip } from '../../net/ip.ts'
import { prefixOf, type Prefix } from '../../net/prefix.ts'
import type { KernelOp, RouteLookup, RouteState, SelectiveRoute } from '../../kernel/kernel.ts'
import type { RoutesApart, RouteSelection } from '../../kernel/route-selection.ts'
import { DecodeError, familyOf, type MessageCursor } from './reader.ts'
import { extrasOf, gatewayOf, nextHops, NOWHERE, severalHops } from './route-attributes.ts'
import { AF, NLM_F, RT_SCOPE, RT_TABLE_MAIN, RTA, RTM, RTM_F_CLONED, RTN, RTNH_F_ONLINK } from './uapi.ts'
import { ROUTE_PROTOCOLS, ROUTE_TABLES, ROUTE_TYPES, SCOPES } from './words.ts'
import type { MessageWriter } from './writer.ts'

/** struct rtmsg (linux/rtnetlink.h) */
export const RTMSG = {
  family: 0,
  length: 1,
  sourceLength: 2,
  tos: 3,
  table: 4,
  protocol: 5,
  scope: 6,
  type: 7,
  flags: 8,
  size: 12,
} as const

type RouteReplace = Extract<KernelOp, { op: 'route.replace' }>
type RouteDelete = Extract<KernelOp, { op: 'route.delete' }>

interface RtmsgFields {
  readonly sourceLength?: number
  readonly table?: number
  readonly protocol?: number
  readonly scope?: number
  readonly type?: number
  readonly flags?: number
}

export function rtmsg(writer: MessageWriter, family: Family, length: number, fields: RtmsgFields): void {
  writer.u8(family === 4 ? AF.INET : AF.INET6)
  writer.u8(length)
  writer.u16(fields.sourceLength ?? 0) // and no type of service
  writer.u8(fields.table ?? 0)
  writer.u8(fields.protocol ?? 0)
  writer.u8(fields.scope ?? 0)
  writer.u8(fields.type ?? 0)
  writer.u32(fields.flags ?? 0)
}

function writeRoute(writer: MessageWriter, route: RouteReplace | RouteDelete, scope: number, flags: number): void {
  const { destination, protocol, type } = route
  rtmsg(writer, destination.family, destination.length, {
    table: RT_TABLE_MAIN,
    protocol: ROUTE_PROTOCOLS.number(protocol),
    scope,
    type: ROUTE_TYPES.number(type),
    flags,
  })
  writer.attributeIp(RTA.DST, destination.base)
  if (route.gateway !== undefined) writer.attributeIp(RTA.GATEWAY, route.gateway)
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
  { linkIndex, type, protocol }: RouteSelection,
  sequence: number,
): void {
  writer.begin(RTM.GETROUTE, NLM_F.REQUEST | NLM_F.DUMP, sequence)
  rtmsg(writer, family, 0, {
    table: RT_TABLE_MAIN,
    ...(type !== undefined && { type: ROUTE_TYPES.number(type) }),
    ...(protocol !== undefined && { protocol: ROUTE_PROTOCOLS.number(protocol) }),
  })
  if (linkIndex !== undefined) writer.attributeU32(RTA.OIF, linkIndex)
  writer.end()
}

/** `ip route get`. */
export function writeRouteLookup(writer: MessageWriter, destination: Ip, sequence: number): void {
  writer.begin(RTM.GETROUTE, NLM_F.REQUEST, sequence)
  rtmsg(writer, destination.family, addressBits(destination.family), {})
  writer.attributeIp(RTA.DST, destination)
  writer.end()
}

/** Whether a route message is about one of the links, without decoding the rest. */
export function isRouteOn(message: MessageCursor, links: readonly number[]): boolean {
  const attributes = message.attributes(RTMSG.size)
  const link = attributes.u32(RTA.OIF)
  if (link !== undefined) return links.includes(link)
  return severalHops(attributes).some(({ linkIndex }) => linkIndex !== undefined && links.includes(linkIndex))
}

/** Whether the route of a message is one that is told apart, without decoding the rest. */
export function isRouteApart(message: MessageCursor, { protocol, links }: RoutesApart): boolean {
  if (message.u8(RTMSG.protocol) !== ROUTE_PROTOCOLS.number(protocol)) return false
  const link = message.attributes(RTMSG.size).u32(RTA.OIF)
  return link !== undefined && links.includes(link) && isForAll(message)
}

/** Of the main table, for whatever packets, and in no cache. */
const isForAll = (message: MessageCursor): boolean =>
  tableOf(message) === RT_TABLE_MAIN &&
  (message.u32(RTMSG.flags) & RTM_F_CLONED) === 0 &&
  message.u8(RTMSG.sourceLength) === 0 &&
  message.u8(RTMSG.tos) === 0

/**
 * A main-table route out of RTM_NEWROUTE or RTM_DELROUTE; undefined for other tables, families and the cache's clones, and for routes
 * that only some packets follow (of a type of service, from some sources), which stand beside those for all.
 */
export function readRoute(message: MessageCursor): RouteState | undefined {
  return isForAll(message) ? readAnyRoute(message) : undefined
}

const tableOf = (message: MessageCursor): number =>
  message.attributes(RTMSG.size).u32(RTA.TABLE) ?? message.u8(RTMSG.table)

/** A route of whatever table and for whatever packets; undefined for other families. */
export function readAnyRoute(message: MessageCursor): RouteState | undefined {
  const family = familyOf(message.u8(RTMSG.family))
  if (family === undefined) return undefined
  const attributes = message.attributes(RTMSG.size)
  const flags = message.u32(RTMSG.flags)
  const linkIndex = attributes.u32(RTA.OIF)
  const hops = linkIndex === undefined ? severalHops(attributes) : undefined
  return {
    destination: readPrefix(attributes.ip(RTA.DST), family, message),
    gateway: hops === undefined ? gatewayOf(attributes) : hops[0]?.gateway,
    metric: attributes.u32(RTA.PRIORITY) ?? 0,
    protocol: ROUTE_PROTOCOLS.word(message.u8(RTMSG.protocol)),
    scope: SCOPES.word(message.u8(RTMSG.scope)),
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    type: ROUTE_TYPES.word(message.u8(RTMSG.type)),
    table: ROUTE_TABLES.word(tableOf(message)),
    linkIndex: linkIndex ?? hops?.[0]?.linkIndex,
    furtherHops: hops === undefined || hops.length < 2 ? undefined : hops.slice(1),
    extras: extrasOf(attributes),
  }
}

/** A route of the main table that only some packets follow; undefined for all others. */
export function readSelectiveRoute(message: MessageCursor): SelectiveRoute | undefined {
  const [sourceLength, tos] = [message.u8(RTMSG.sourceLength), message.u8(RTMSG.tos)]
  const isCached = (message.u32(RTMSG.flags) & RTM_F_CLONED) !== 0
  if ((sourceLength === 0 && tos === 0) || isCached || tableOf(message) !== RT_TABLE_MAIN) return undefined
  const route = readAnyRoute(message)
  const source = message.attributes(RTMSG.size).ip(RTA.SRC)
  const only = source === undefined ? `tos 0x${tos.toString(16)}` : `from ${source.text}/${sourceLength}`
  return route && { route, only }
}

/** Where a route leads, of whatever table and for whatever packets; undefined for other families and for what is in a cache. */
export function readDestination(message: MessageCursor): Prefix | undefined {
  const family = familyOf(message.u8(RTMSG.family))
  if (family === undefined || (message.u32(RTMSG.flags) & RTM_F_CLONED) !== 0) return undefined
  return readPrefix(message.attributes(RTMSG.size).ip(RTA.DST), family, message)
}

/** The answer to a lookup; undefined when the route leads nowhere (unreachable, prohibited, blackhole). */
export function readLookup(message: MessageCursor): RouteLookup | undefined {
  const type = message.u8(RTMSG.type)
  const attributes = message.attributes(RTMSG.size)
  const [{ linkIndex, gateway } = NOWHERE] = nextHops(attributes)
  if ((type !== RTN.UNICAST && type !== RTN.LOCAL) || linkIndex === undefined) return undefined
  return { linkIndex, gateway, source: attributes.ip(RTA.PREFSRC) }
}

/** A default route has no RTA_DST. */
function readPrefix(base: Ip | undefined, family: Family, message: MessageCursor): Prefix {
  const length = message.u8(RTMSG.length)
  const bits = addressBits(family)
  if ((base !== undefined && base.family !== family) || length > bits)
    throw new DecodeError(`destination ${base?.text ?? ''}/${length} in family ${family}`, message.payload)
  return prefixOf(base ?? ipFromWords(family, 0), length)
}
