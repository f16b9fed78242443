import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { ErrnoName, RouteAnswer, RouteState, RuleState } from './kernel.ts'

/** A peer as far as routes to it go. */
export interface RoutedPeer {
  readonly subnet: Prefix
  /** Where it is on the underlay. */
  readonly publicIp: Ip
}

/** The links over which packets may go to a peer. */
export interface RightLinks {
  readonly device: number | undefined
  readonly underlay: number | undefined
  /** The network to which one route over the device leads to all peers. Absent: each has a route of its own. */
  readonly oneRoute?: Prefix | undefined
}

/**
 * Whether it is the way that we have made: through the tunnel by the base of its subnet, straight to its address on the underlay, or into
 * the device with all that goes to the network.
 */
export function isRightWay(
  answer: RouteAnswer,
  { subnet, publicIp }: RoutedPeer,
  { device, underlay, oneRoute }: RightLinks,
): boolean {
  if (answer.is === 'none') return false
  const { type, linkIndex, gateway, furtherHops, destination } = answer.route
  if (type !== 'unicast' || linkIndex === undefined || furtherHops !== undefined) return false
  if (gateway === undefined) return linkIndex === device && destination.text === oneRoute?.text
  return (
    (linkIndex === device && gateway.text === subnet.base.text) ||
    (linkIndex === underlay && gateway.text === publicIp.text)
  )
}

/**
 * Whether our route is not there, rather than beaten: what the packets follow is wider than where ours leads, and a rule that leads elsewhere
 * is not behind it.
 */
export const isOursMissing = (
  answer: RouteAnswer,
  { subnet }: RoutedPeer,
  rules: readonly RuleState[],
  { oneRoute }: Pick<RightLinks, 'oneRoute'> = {},
): boolean =>
  answer.is === 'none'
    ? answer.code === 'ENETUNREACH' && rules.length === 0
    : answer.route.table === 'main' && answer.route.destination.length < (oneRoute ?? subnet).length

/** Rules that every host has: the tables local, main and default, for all packets. */
export const isDefaultRule = ({ from, to, iif, oif, mark, isInverted, table }: RuleState): boolean =>
  [from, to, iif, oif, mark].every((selector) => selector === undefined) &&
  !isInverted &&
  (table === 'local' || table === 'main' || table === 'default')

const WORDS: Partial<Record<ErrnoName, string>> = {
  EINVAL: 'a blackhole',
  EHOSTUNREACH: 'a route or rule that says unreachable',
  EACCES: 'a route or rule that says prohibit',
  ENETUNREACH: 'no route',
  EXDEV: 'no route, since the kernel expects their senders elsewhere (rp_filter)',
}

/** What packets follow instead, in words: `10.15.64.0/24 via 192.168.1.9 dev eth1 proto static table 200 (rule 100: … lookup 200)`. */
export function describeWay(
  answer: RouteAnswer,
  nameOf: (linkIndex: number) => string,
  rules: readonly RuleState[],
): string {
  if (answer.is === 'none') return WORDS[answer.code] ?? `no route (${answer.code})`
  const { table } = answer.route
  const rule = table === 'main' || table === 'local' ? undefined : rules.find((one) => one.table === table)
  return `${describeRoute(answer.route, nameOf)}${rule === undefined ? '' : ` (rule ${describeRule(rule)})`}`
}

/** As `ip route` shows it, but for what is of no interest here. */
export function describeRoute(route: RouteState, nameOf: (linkIndex: number) => string): string {
  const { type, destination, gateway, linkIndex, protocol, metric, table } = route
  return [
    ...(type === 'unicast' ? [] : [type]),
    destination.text,
    ...(gateway === undefined ? [] : [`via ${gateway.text}`]),
    ...(linkIndex === undefined ? [] : [`dev ${nameOf(linkIndex)}`]),
    `proto ${protocol}`,
    ...(metric === 0 ? [] : [`metric ${metric}`]),
    ...(table === 'main' ? [] : [`table ${table}`]),
  ].join(' ')
}

/** As `ip rule` shows it. */
export function describeRule({ priority, from, to, iif, oif, mark, isInverted, action }: RuleState): string {
  return [
    `${priority}:`,
    ...(isInverted ? ['not'] : []),
    `from ${from?.text ?? 'all'}`,
    ...(to === undefined ? [] : [`to ${to.text}`]),
    ...(mark === undefined ? [] : [`fwmark 0x${mark.value.toString(16)}/0x${mark.mask.toString(16)}`]),
    ...(iif === undefined ? [] : [`iif ${iif}`]),
    ...(oif === undefined ? [] : [`oif ${oif}`]),
    action,
  ].join(' ')
}
