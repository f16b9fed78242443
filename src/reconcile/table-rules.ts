import { sameIp } from '../net/ip.ts'
import type { FdbEntry, NeighbourEntry, RouteEntry } from './entries.ts'
import type { KernelOp } from '../kernel/kernel.ts'
import type { Cells } from './tracker/cells.ts'
import {
  FdbCells,
  NeighbourCells,
  RouteCells,
  type FdbKey,
  type NeighbourKey,
  type RouteKey,
} from './tracker/row-cells.ts'

/** How one kernel table is keyed, compared, written and erased. */
export interface TableRules<V extends K, K = V> {
  readonly name: 'neighbour' | 'fdb' | 'route'
  /** The key as text, for where there are few rows. */
  key(row: K | V): string
  /** Where rows are kept. */
  cells(): Cells<K, V>
  same(a: V, b: V): boolean
  /** Creates the row, or overwrites the one of the same key. */
  write(linkIndex: number, desired: V): KernelOp
  erase(linkIndex: number, actual: V): KernelOp
  /** For the log. */
  describe(value: V): string
  /** As `ip` or `bridge` takes it after `replace`, without the link. */
  show(value: V): string
}

export const neighbourRules: TableRules<NeighbourEntry, NeighbourKey> = {
  name: 'neighbour',
  cells: () => new NeighbourCells(),
  key: ({ ip }) => ip.text,
  same: (a, b) => a.mac === b.mac,
  write: (linkIndex, { ip, mac }) => ({ op: 'neighbour.replace', linkIndex, ip, mac }),
  erase: (linkIndex, { ip }) => ({ op: 'neighbour.delete', linkIndex, ip }),
  describe: ({ ip, mac }) => `neighbour ${ip.text} lladdr ${mac}`,
  show: ({ ip, mac }) => `neighbour ${ip.text} lladdr ${mac} nud permanent`,
}

/** The kernel keeps exactly one destination per unicast MAC: what is appended to it by hand it ignores (vxlan_fdb_update). */
export const fdbRules: TableRules<FdbEntry, FdbKey> = {
  name: 'fdb',
  cells: () => new FdbCells(),
  key: ({ mac }) => mac,
  same: (a, b) => sameIp(a.remote, b.remote) && a.astray === b.astray,
  write: (linkIndex, { mac, remote }) => ({ op: 'fdb.replace', linkIndex, mac, remote }),
  erase: (linkIndex, { mac }) => ({ op: 'fdb.delete', linkIndex, mac }),
  describe: ({ mac, remote }) => `fdb ${mac} dst ${remote.text}`,
  show: ({ mac, remote, astray }) =>
    `fdb ${mac} dst ${remote.text}${astray === undefined ? '' : ' (to another port, VNI or link)'} self permanent`,
}

const isAltered = ({ alterations }: RouteEntry): boolean => alterations !== undefined

/**
 * The kernel keeps any number of routes of one destination and metric, if they differ in anything else: `ip route append` adds one
 * that a replacement never touches. So each gateway and protocol is a row of its own, and is erased by them.
 */
export const routeRules: TableRules<RouteEntry, RouteKey> = {
  name: 'route',
  cells: () => new RouteCells(),
  key: ({ destination, gateway, metric, protocol }) =>
    `${destination.text} via ${gateway?.text ?? 'nothing'} metric ${metric} proto ${protocol}`,
  same: (a, b) => a.onlink === b.onlink && isAltered(a) === isAltered(b),
  write: (linkIndex, { destination, gateway, metric, protocol, onlink }) => ({
    op: 'route.replace',
    type: 'unicast',
    linkIndex,
    destination,
    gateway,
    metric,
    protocol,
    onlink,
  }),
  erase: (linkIndex, { destination, gateway, metric, protocol }) => ({
    op: 'route.delete',
    type: 'unicast',
    linkIndex,
    destination,
    gateway,
    metric,
    protocol,
  }),
  describe: ({ destination, gateway, metric }) =>
    `route ${destination.text} via ${gateway?.text ?? 'nothing'} metric ${metric}`,
  show: ({ destination, gateway, metric, protocol, onlink, alterations = [] }) =>
    [
      `route ${destination.text}`,
      ...(gateway === undefined ? [] : [`via ${gateway.text}`]),
      `proto ${protocol} metric ${metric}`,
      ...(onlink ? ['onlink'] : []),
      ...(alterations.length === 0 ? [] : [`(with another ${alterations.join(', ')})`]),
    ].join(' '),
}
