import { addressBits } from '../../net/ip.ts'
import type { RouteQuestion, RouteState } from '../../kernel/kernel.ts'
import type { MessageCursor } from './reader.ts'
import { readAnyRoute, rtmsg, RTMSG } from './route.ts'
import { NLM_F, RTA, RTM, RTM_F_CLONED, RTM_F_FIB_MATCH, RTM_F_LOOKUP_TABLE } from './uapi.ts'
import { ROUTE_PROTOCOLS } from './words.ts'
import type { MessageWriter } from './writer.ts'

/** Of IPv6 the table is always told, and the kernel refuses who asks for it (inet6_rtm_valid_getroute_req). */
const FLAGS = { 4: RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH, 6: RTM_F_FIB_MATCH } as const

/** `ip route get fibmatch`, for a packet of the host's own (`from ADDRESS`, where it says so) or a forwarded one (`from ADDRESS iif LINK`). */
export function writeRouteQuestion(writer: MessageWriter, question: RouteQuestion, sequence: number): void {
  const { destination, forwarded } = question
  const source = forwarded?.source ?? question.source
  const bits = addressBits(destination.family)
  writer.begin(RTM.GETROUTE, NLM_F.REQUEST, sequence)
  rtmsg(writer, destination.family, bits, {
    sourceLength: source === undefined ? 0 : bits,
    flags: FLAGS[destination.family],
  })
  writer.attributeIp(RTA.DST, destination)
  if (source !== undefined) writer.attributeIp(RTA.SRC, source)
  if (forwarded !== undefined) writer.attributeU32(RTA.IIF, forwarded.linkIndex)
  writer.end()
}

/** The route that was found. Kernels before 4.13 answer with what they made of it, which does not say who made it. */
export function readRouteAnswer(message: MessageCursor): RouteState | undefined {
  if (message.type !== RTM.NEWROUTE) return undefined
  const route = readAnyRoute(message)
  const isMade = (message.u32(RTMSG.flags) & RTM_F_CLONED) !== 0
  return route && isMade ? { ...route, protocol: ROUTE_PROTOCOLS.word(0) } : route
}
