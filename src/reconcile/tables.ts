import { sameIp, type Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { FdbEntry, NeighbourEntry, RouteEntry } from './entries.ts'
import { ROUTE_PROTOCOL, ROUTE_PROTOCOL_BOOT } from './kernel.ts'
import type { FdbState, KernelOp, NeighbourState, RouteState } from './kernel.ts'

/** How one kernel table is keyed, compared, written and erased; and which of its rows on our device are ours to touch. */
export interface TableRules<V> {
  readonly name: 'neighbour' | 'fdb' | 'route'
  key(value: V): string
  same(a: V, b: V): boolean
  /** Operations that turn `actual` into `desired`. */
  write(linkIndex: number, desired: V, actual: V | undefined): readonly KernelOp[]
  erase(linkIndex: number, actual: V): readonly KernelOp[]
  describe(value: V): string
}

export const neighbourRules: TableRules<NeighbourEntry> = {
  name: 'neighbour',
  key: ({ ip }) => ip.text,
  same: (a, b) => a.mac === b.mac,
  write: (linkIndex, { ip, mac }) => [{ op: 'neighbour.replace', linkIndex, ip, mac }],
  erase: (linkIndex, { ip }) => [{ op: 'neighbour.delete', linkIndex, ip }],
  describe: ({ ip, mac }) => `neighbour ${ip.text} lladdr ${mac}`,
}

/** An FDB row: a MAC with all its destinations. Ours has exactly one; a second would duplicate every packet. */
export interface FdbRow {
  readonly mac: Mac
  readonly remotes: readonly Ip[]
}

export const fdbRow = ({ mac, remote }: FdbEntry): FdbRow => ({ mac, remotes: [remote] })

export const fdbRules: TableRules<FdbRow> = {
  name: 'fdb',
  key: ({ mac }) => mac,
  same: (a, b) =>
    a.remotes.length === b.remotes.length &&
    a.remotes.every((remote) => b.remotes.some((other) => sameIp(remote, other))),
  write: (linkIndex, { mac, remotes: [remote] }, actual) => {
    const replace = remote === undefined ? [] : [{ op: 'fdb.replace', linkIndex, mac, remote } as const]
    if (actual === undefined || actual.remotes.length < 2) return replace
    const extra = actual.remotes.slice(1)
    return [...extra.map((other) => ({ op: 'fdb.delete', linkIndex, mac, remote: other }) as const), ...replace]
  },
  erase: (linkIndex, { mac }) => [{ op: 'fdb.delete', linkIndex, mac }],
  describe: ({ mac, remotes }) => `fdb ${mac} dst ${remotes.map(({ text }) => text).join(',')}`,
}

/** A route row. What we write always has protocol 70 and onlink; leftovers may differ. */
export interface RouteRow extends Omit<RouteEntry, 'gateway'> {
  readonly gateway: Ip | undefined
  readonly protocol: number
  readonly onlink: boolean
}

export const routeRow = ({ destination, gateway, metric }: RouteEntry): RouteRow => ({
  destination,
  gateway,
  metric,
  protocol: ROUTE_PROTOCOL,
  onlink: true,
})

export const routeRules: TableRules<RouteRow> = {
  name: 'route',
  key: ({ destination, metric }) => `${destination.text} ${metric}`,
  same: (a, b) => a.gateway?.text === b.gateway?.text && a.protocol === b.protocol && a.onlink === b.onlink,
  write: (linkIndex, { destination, gateway, metric, protocol }) => [
    { op: 'route.replace', type: 'unicast', linkIndex, destination, gateway, metric, protocol, onlink: true },
  ],
  erase: (linkIndex, { destination, gateway, metric, protocol }) => [
    { op: 'route.delete', type: 'unicast', linkIndex, destination, gateway, metric, protocol },
  ],
  describe: ({ destination, gateway, metric }) =>
    `route ${destination.text} via ${gateway?.text ?? 'nothing'} metric ${metric}`,
}

/** rtm_table and rtm_type we deal in (linux/rtnetlink.h). */
const RT_TABLE_MAIN = 254
const RTN_UNICAST = 1

/** A neighbour on our device is ours when it is permanent: nobody else has business there. Others are the kernel's own. */
export const ownNeighbour = ({ ip, mac, permanent }: NeighbourState): NeighbourEntry | undefined =>
  permanent && mac !== undefined ? { ip, mac } : undefined

/** As for neighbours; entries the device learned are the kernel's own. */
export const ownFdb = ({ mac, remote, permanent }: FdbState): FdbEntry | undefined =>
  permanent && remote !== undefined ? { mac, remote } : undefined

/** A route of the main table on our device that could be one of ours by its key; {@link isOwnRoute} decides. */
export const routeRowOf = (state: RouteState): RouteRow | undefined =>
  state.table === RT_TABLE_MAIN && state.type === RTN_UNICAST
    ? {
        destination: state.destination,
        gateway: state.gateway,
        metric: state.metric,
        protocol: state.protocol,
        onlink: state.onlink,
      }
    : undefined

/** Ours by our protocol number, or by upstream's shape: protocol boot, onlink, gateway at the base of the destination. */
export const isOwnRoute = ({ protocol, onlink, gateway, destination }: RouteRow): boolean =>
  protocol === ROUTE_PROTOCOL || (protocol === ROUTE_PROTOCOL_BOOT && onlink && gateway?.text === destination.base.text)
