import type {
  AddressState,
  FdbState,
  KernelErrorCode,
  KernelOp,
  KernelTables,
  LinkState,
  NeighbourState,
  RouteState,
  VxlanSpec,
} from '../kernel/kernel.ts'
import {} from '../kernel/kernel.ts'
import { selectRoutes, type RouteSelection } from '../kernel/route-selection.ts'
import { addressBits, sameIp, type Family, type Ip } from '../net/ip.ts'
import { prefixOf } from '../net/prefix.ts'

type OpOf<Name extends KernelOp['op']> = Extract<KernelOp, { op: Name }>

/** The neighbours and forwarding entries of one link. */
interface RowsOfLink {
  readonly neighbours: Map<string, NeighbourState>
  readonly fdb: Map<string, FdbState>
}

/** Links that are only planned are counted from here: no kernel has come so far. */
const FIRST_PLANNED_INDEX = 1_000_000_000

/** The kernel's tables as they were read, and as operations would leave them, as far as what is planned next depends on that. */
export class PlannedTables {
  readonly #links: Map<number, LinkState>
  #addresses: readonly AddressState[]
  /** By destination: the kernel keeps several of one. */
  readonly #routes = new Map<string, readonly RouteState[]>()
  readonly #planned = new Set<RouteState>()
  readonly #rows = new Map<number, RowsOfLink>()
  #nextIndex = FIRST_PLANNED_INDEX

  constructor(links: readonly LinkState[], addresses: readonly AddressState[], routes: readonly RouteState[]) {
    this.#links = new Map(links.map((link) => [link.index, link]))
    this.#addresses = addresses
    for (const route of routes) this.#addRoute(route)
  }

  get links(): readonly LinkState[] {
    return [...this.#links.values()]
  }

  get addresses(): readonly AddressState[] {
    return this.#addresses
  }

  link(index: number): LinkState | undefined {
    return this.#links.get(index)
  }

  routes(family: Family, selection: RouteSelection = {}): readonly RouteState[] {
    const ofFamily = [...this.#routes.values()].flat().filter((route) => route.destination.family === family)
    return selectRoutes(ofFamily, selection)
  }

  /** The route that packets to there follow in the main table, where that is one that is only planned. */
  plannedRouteTo(destination: Ip): RouteState | undefined {
    for (let length: number = addressBits(destination.family); length >= 0; length--) {
      const [best] = [...(this.#routes.get(prefixOf(destination, length).text) ?? [])].sort(
        (a, b) => a.metric - b.metric,
      )
      if (best !== undefined) return this.#planned.has(best) ? best : undefined
    }
    return undefined
  }

  /** Whether the link is there in the kernel, and its rows have not been read yet. */
  isUnread(linkIndex: number): boolean {
    return linkIndex < FIRST_PLANNED_INDEX && this.#links.has(linkIndex) && !this.#rows.has(linkIndex)
  }

  readRows(linkIndex: number, { neighbours, fdb }: Pick<KernelTables, 'neighbours' | 'fdb'>): void {
    this.#rows.set(linkIndex, {
      neighbours: new Map(neighbours.map((row) => [row.ip.text, row])),
      fdb: new Map(fdb.map((row) => [fdbKey(row), row])),
    })
  }

  snapshot(linkIndex: number, families: readonly Family[]): KernelTables {
    const { neighbours, fdb } = this.#rowsOf(linkIndex)
    return {
      neighbours: [...neighbours.values()].filter(({ ip }) => families.includes(ip.family)),
      fdb: [...fdb.values()],
      routes: families.flatMap((family) => this.routes(family, { linkIndex })),
    }
  }

  /** @returns why the kernel would refuse */
  perform(op: KernelOp): KernelErrorCode | undefined {
    switch (op.op) {
      case 'link.create':
        return this.#createLink(op.spec)
      case 'link.delete':
        this.#deleteLink(op.linkIndex)
        return undefined
      case 'link.set':
        return this.#setLink(op)
      case 'address.add':
        this.#addAddress(op)
        return undefined
      case 'address.delete':
        this.#addresses = this.#addresses.filter((address) => !isAt(address, op))
        return undefined
      case 'neighbour.replace':
        this.#rowsOf(op.linkIndex).neighbours.set(op.ip.text, { ip: op.ip, mac: op.mac, permanent: true })
        return undefined
      case 'neighbour.delete':
        this.#rowsOf(op.linkIndex).neighbours.delete(op.ip.text)
        return undefined
      case 'fdb.replace':
        this.#deleteFdb(op)
        this.#rowsOf(op.linkIndex).fdb.set(op.mac, { mac: op.mac, remote: op.remote, permanent: true })
        return undefined
      case 'fdb.delete':
        this.#deleteFdb(op)
        return undefined
      case 'route.replace':
        this.#replaceRoute(op)
        return undefined
      case 'route.delete':
        this.#deleteRoute(op)
        return undefined
    }
  }

  #rowsOf(linkIndex: number): RowsOfLink {
    const known = this.#rows.get(linkIndex)
    if (known !== undefined) return known
    const rows = { neighbours: new Map<string, NeighbourState>(), fdb: new Map<string, FdbState>() }
    this.#rows.set(linkIndex, rows)
    return rows
  }

  /** A second device of one VNI and port is refused (drivers/net/vxlan: vxlan_vni_in_use). */
  #createLink({ name, mac, mtu, alias, vxlan }: VxlanSpec): KernelErrorCode | undefined {
    const isRival = (link: LinkState): boolean =>
      link.vxlan?.vni === vxlan.vni &&
      link.vxlan.port === vxlan.port &&
      (link.vxlan.local?.family ?? 4) === (vxlan.local?.family ?? 4)
    if (this.links.some((link) => link.name === name || isRival(link))) return 'EEXIST'
    const index = this.#nextIndex++
    const made = { index, name, mac, mtu, alias, vxlan: { ...vxlan, external: false } }
    const plain = { up: false, carrier: false, loopback: false, kind: 'vxlan', master: undefined }
    this.#links.set(index, { ...plain, ...made })
    return undefined
  }

  /** @returns its name */
  addTun(pattern: string): string {
    const isFree = (name: string): boolean => this.links.every((link) => link.name !== name)
    let number = 0
    while (!isFree(pattern.replace('%d', `${number}`))) number++
    const name = pattern.replace('%d', `${number}`)
    const plain = { up: false, carrier: false, loopback: false, kind: 'tun', master: undefined, vxlan: undefined }
    const index = this.#nextIndex++
    this.#links.set(index, { ...plain, index, name, mac: undefined, mtu: 1_500, alias: undefined })
    return name
  }

  #deleteLink(index: number): void {
    this.#links.delete(index)
    this.#rows.delete(index)
    this.#addresses = this.#addresses.filter(({ linkIndex }) => linkIndex !== index)
    for (const [destination, routes] of [...this.#routes])
      this.#routes.set(
        destination,
        routes.filter(({ linkIndex }) => linkIndex !== index),
      )
  }

  /** Devices that receive otherwise do not share a port (VXLAN_F_RCV_FLAGS): the later one is not brought up. */
  #setLink({ linkIndex, mtu, mac, up, alias, master }: OpOf<'link.set'>): KernelErrorCode | undefined {
    const link = this.#links.get(linkIndex)
    if (link === undefined) return 'ENODEV'
    if (up === true && !link.up && this.links.some((other) => other.up && keepsPortFrom(other, link)))
      return 'EADDRINUSE'
    const set = { mtu: mtu ?? link.mtu, mac: mac ?? link.mac, alias: alias ?? link.alias, up: up ?? link.up }
    this.#links.set(linkIndex, {
      ...link,
      ...set,
      carrier: up ?? link.carrier,
      master: master === 0 ? undefined : link.master,
    })
    return undefined
  }

  #addAddress({ linkIndex, ip, prefixLength, noPrefixRoute }: OpOf<'address.add'>): void {
    const flags = ['permanent', ...(noPrefixRoute === true ? ['noprefixroute' as const] : [])] as const
    this.#addresses = [...this.#addresses, { linkIndex, ip, prefixLength, scope: 'global', flags }]
  }

  #deleteFdb({ linkIndex, mac }: { readonly linkIndex: number; readonly mac: string }): void {
    const { fdb } = this.#rowsOf(linkIndex)
    for (const [key, row] of [...fdb]) if (row.mac === mac) fdb.delete(key)
  }

  #addRoute(route: RouteState): void {
    const { text } = route.destination
    this.#routes.set(text, [...(this.#routes.get(text) ?? []), route])
  }

  /** The first of the same destination and metric gives way. */
  #replaceRoute({ destination, gateway, metric, protocol, type, linkIndex, onlink }: OpOf<'route.replace'>): void {
    const routes = this.#routes.get(destination.text) ?? []
    const at = routes.findIndex((route) => route.metric === metric)
    const made = { destination, gateway, metric, protocol, type, linkIndex, onlink: onlink ?? false } as const
    const route: RouteState = { ...made, scope: 'global', table: 'main' }
    this.#planned.add(route)
    const others = routes.filter((other, index) => index !== at && !isSameWay(other, route))
    this.#routes.set(destination.text, at < 0 ? [...others, route] : [route, ...others])
  }

  #deleteRoute({ destination, gateway, metric, protocol, type, linkIndex }: OpOf<'route.delete'>): void {
    const routes = this.#routes.get(destination.text) ?? []
    const at = routes.findIndex(
      (route) =>
        route.type === type &&
        (metric === 0 || route.metric === metric) &&
        (protocol === 'unspec' || route.protocol === protocol) &&
        (linkIndex === undefined || route.linkIndex === linkIndex) &&
        (gateway === undefined || route.gateway?.text === gateway.text),
    )
    if (at >= 0) this.#routes.set(destination.text, routes.toSpliced(at, 1))
  }
}

/** The kernel keeps one destination for a unicast MAC, and a list of them for the others. */
const fdbKey = ({ mac, remote }: FdbState): string => `${mac} ${remote?.text ?? ''}`

const isAt = (address: AddressState, op: OpOf<'address.delete'>): boolean =>
  address.linkIndex === op.linkIndex && sameIp(address.ip, op.ip) && address.prefixLength === op.prefixLength

const isSameWay = (one: RouteState, other: RouteState): boolean =>
  one.metric === other.metric &&
  one.gateway?.text === other.gateway?.text &&
  one.protocol === other.protocol &&
  one.linkIndex === other.linkIndex

function keepsPortFrom(other: LinkState, link: LinkState): boolean {
  const [a, b] = [other.vxlan, link.vxlan]
  if (a === undefined || b === undefined || other.index === link.index || a.port !== b.port) return false
  return (a.local?.family ?? 4) === (b.local?.family ?? 4) && (a.gbp !== b.gbp || a.external !== b.external)
}
