import { addressBits, type Family, type Ip } from '../../src/net/ip.ts'
import { prefixContains, prefixOf } from '../../src/net/prefix.ts'
import { ADDRESS_PROTOCOL } from '../../src/kernel/marks.ts'
import type {
  AddressState,
  FdbState,
  KernelChange,
  KernelErrorCode,
  KernelOp,
  LinkState,
  NeighbourState,
  RouteState,
  VxlanSpec,
} from '../../src/kernel/kernel.ts'

/** Why the kernel refuses: the name of an errno and its extended-ACK text. */
export interface Refusal {
  readonly code: KernelErrorCode
  readonly message: string
}

export interface OnLink<T> {
  readonly linkIndex: number
  readonly value: T
}

type OpOf<Name extends KernelOp['op']> = Extract<KernelOp, { op: Name }>

const IPV6_DEFAULT_METRIC = 1024
const IPV6_CONNECTED_METRIC = 256
const NO_DEVICE: Refusal = { code: 'ENODEV', message: 'No such device' }

const refusal = (code: KernelErrorCode, message: string): Refusal => ({ code, message })

/**
 * The kernel's link, address, neighbour, fdb and route tables in memory, with the side effects that matter: what goes away with
 * a link or an address, what is reported and what vanishes silently. The contract suite holds it against the real one.
 */
export class FakeTables {
  readonly links = new Map<number, LinkState>()
  readonly addresses = new Map<string, AddressState>()
  readonly neighbours = new Map<string, OnLink<NeighbourState>>()
  /** A unicast MAC has one destination: the kernel does not append to it. */
  readonly fdb = new Map<string, OnLink<FdbState>>()
  readonly routes = new Map<string, RouteState>()
  readonly #notify: (change: KernelChange, replaces?: boolean) => void
  #lastIndex = 1

  constructor(notify: (change: KernelChange, replaces?: boolean) => void) {
    this.#notify = notify
  }

  addLink(link: Partial<LinkState> & { readonly name: string }): LinkState {
    const added: LinkState = {
      index: ++this.#lastIndex,
      mac: undefined,
      mtu: 1500,
      up: true,
      carrier: true,
      loopback: false,
      kind: undefined,
      alias: undefined,
      vxlan: undefined,
      master: undefined,
      ...link,
    }
    this.#putLink(added)
    return added
  }

  /** `ip route replace`, whatever the route says. */
  addRoute(route: RouteState): void {
    const replaces = this.routes.has(routeKey(route))
    this.routes.set(routeKey(route), route)
    this.#notify({ kind: 'route', route, gone: false }, replaces)
  }

  /** `ip route append`: stands beside one of the same destination and metric, which a replacement goes by. */
  appendRoute(route: RouteState): void {
    const isSame = (other: RouteState): boolean =>
      routeKey(other) === routeKey(route) && other.gateway?.text === route.gateway?.text
    if ([...this.routes.values()].some((other) => isSame(other) && other.protocol === route.protocol)) return
    const beside = this.routes.has(routeKey(route)) ? ` beside ${route.gateway?.text ?? ''} ${route.protocol}` : ''
    this.routes.set(`${routeKey(route)}${beside}`, route)
    this.#notify({ kind: 'route', route, gone: false })
  }

  /**
   * Carries out one operation.
   * @param maker whose addresses bear our mark
   * @returns why not, or undefined when done (deleting what is gone is done)
   */
  perform(op: KernelOp, maker: 'us' | 'others' = 'us'): Refusal | undefined {
    switch (op.op) {
      case 'link.create':
        return this.#createLink(op.spec)
      case 'link.delete':
        return this.#deleteLink(op.linkIndex)
      case 'link.set':
        return this.#setLink(op)
      case 'address.add':
        return this.#addAddress(op, maker === 'us' ? ADDRESS_PROTOCOL : undefined)
      case 'address.delete':
        return this.#deleteAddress(op)
      case 'neighbour.replace':
        return this.#replaceNeighbour(op)
      case 'neighbour.delete':
        this.#dropNeighbour(`${op.linkIndex} ${op.ip.text}`)
        return undefined
      case 'fdb.replace':
        return this.#replaceFdb(op)
      case 'fdb.delete':
        this.#deleteFdb(op)
        return undefined
      case 'route.replace':
        return this.#replaceRoute(op)
      case 'route.delete':
        return this.#deleteRoute(op)
    }
  }

  #putLink(link: LinkState): void {
    this.links.set(link.index, link)
    this.#notify({ kind: 'link', link, gone: false })
  }

  #createLink(spec: VxlanSpec): Refusal | undefined {
    const all = [...this.links.values()]
    if (all.some(({ name }) => name === spec.name)) return refusal('EEXIST', 'File exists')
    const family = spec.vxlan.local?.family ?? 4
    const isRival = ({ vxlan }: LinkState): boolean =>
      vxlan?.vni === spec.vxlan.vni && vxlan.port === spec.vxlan.port && (vxlan.local?.family ?? 4) === family
    if (all.some(isRival)) return refusal('EEXIST', 'A VXLAN device with the specified VNI already exists.')
    const { name, mac, mtu, alias } = spec
    const vxlan = { ...spec.vxlan, external: false }
    this.addLink({ name, mac, mtu, alias, kind: 'vxlan', vxlan, up: false, carrier: false })
    return undefined
  }

  #deleteLink(index: number): Refusal | undefined {
    const link = this.links.get(index)
    if (link === undefined) return undefined
    this.#dropNeighbours(index)
    this.#dropFdb((key) => key.startsWith(`${index} `))
    this.#flushRoutes(index)
    this.#dropAddresses(index)
    this.links.delete(index)
    this.#notify({ kind: 'link', link: { ...link, up: false, carrier: false }, gone: true })
    return undefined
  }

  #setLink(op: OpOf<'link.set'>): Refusal | undefined {
    const link = this.links.get(op.linkIndex)
    if (link === undefined) return NO_DEVICE
    const up = op.up ?? link.up
    if (op.mac !== undefined && op.mac !== link.mac) this.#dropNeighbours(link.index)
    this.#putLink({
      ...link,
      mtu: op.mtu ?? link.mtu,
      mac: op.mac ?? link.mac,
      alias: op.alias ?? link.alias,
      master: op.master === 0 ? undefined : link.master,
      up,
      carrier: up,
    })
    if (link.up && !up) {
      this.#dropNeighbours(link.index)
      this.#flushRoutes(link.index)
      this.#dropAddresses(link.index, 6)
    }
    return undefined
  }

  #addAddress(op: OpOf<'address.add'>, protocol: AddressState['protocol']): Refusal | undefined {
    if (!this.links.has(op.linkIndex)) return NO_DEVICE
    const { linkIndex, ip, prefixLength } = op
    const address: AddressState = {
      linkIndex,
      ip,
      prefixLength,
      scope: 'global',
      flags: [
        ...(ip.family === 4 ? [] : (['nodad'] as const)),
        'permanent',
        ...(op.noPrefixRoute === true ? (['noprefixroute'] as const) : []),
      ],
      protocol,
    }
    this.addresses.set(addressKey(op), address)
    this.#notify({ kind: 'address', address, gone: false })
    if (prefixLength < addressBits(ip.family) && op.noPrefixRoute !== true) this.addRoute(connectedRoute(address))
    return undefined
  }

  /** With a link's last IPv4 address go its IPv4 routes (no word about them) and neighbours: the kernel switches IPv4 off on it. */
  #deleteAddress(op: OpOf<'address.delete'>): Refusal | undefined {
    const address = this.addresses.get(addressKey(op))
    if (address === undefined) return undefined
    this.addresses.delete(addressKey(op))
    this.#notify({ kind: 'address', address, gone: true })
    this.routes.delete(routeKey(connectedRoute(address)))
    const { linkIndex, ip } = op
    const last = ![...this.addresses.values()].some((a) => a.linkIndex === linkIndex && a.ip.family === ip.family)
    if (!last || ip.family === 6) return undefined
    this.#flushRoutes(linkIndex, 4)
    this.#dropNeighbours(linkIndex, 4)
    return undefined
  }

  #replaceNeighbour({ linkIndex, ip, mac }: OpOf<'neighbour.replace'>): Refusal | undefined {
    if (!this.links.has(linkIndex)) return NO_DEVICE
    const key = `${linkIndex} ${ip.text}`
    const before = this.neighbours.get(key)?.value
    const neighbour: NeighbourState = { ip, mac, permanent: true }
    this.neighbours.set(key, { linkIndex, value: neighbour })
    if (before?.mac !== mac || !before.permanent) this.#notify({ kind: 'neighbour', linkIndex, neighbour, gone: false })
    return undefined
  }

  #replaceFdb({ linkIndex, mac, remote }: OpOf<'fdb.replace'>): Refusal | undefined {
    const link = this.links.get(linkIndex)
    if (link === undefined) return NO_DEVICE
    if (link.vxlan === undefined) return refusal('EOPNOTSUPP', 'Operation not supported')
    const key = `${linkIndex} ${mac}`
    if (this.fdb.get(key)?.value.remote?.text === remote.text) return undefined
    const entry: FdbState = { mac, remote, permanent: true }
    this.fdb.set(key, { linkIndex, value: entry })
    this.#notify({ kind: 'fdb', linkIndex, entry, gone: false })
    return undefined
  }

  #deleteFdb({ linkIndex, mac }: OpOf<'fdb.delete'>): void {
    this.#dropFdb((key) => key === `${linkIndex} ${mac}`)
  }

  #replaceRoute(op: OpOf<'route.replace'>): Refusal | undefined {
    const refused = op.type === 'unicast' ? this.#nexthopRefusal(op) : undefined
    if (refused !== undefined) return refused
    const { destination, gateway, protocol, linkIndex } = op
    const metric = op.metric === 0 && destination.family === 6 ? IPV6_DEFAULT_METRIC : op.metric
    this.addRoute({
      destination,
      gateway,
      metric,
      protocol,
      scope: op.type === 'unicast' && gateway === undefined && destination.family === 4 ? 'link' : 'global',
      onlink: op.onlink ?? false,
      type: op.type,
      table: 'main',
      linkIndex,
    })
    return undefined
  }

  #nexthopRefusal(op: OpOf<'route.replace'>): Refusal | undefined {
    const link = this.links.get(op.linkIndex ?? 0)
    if (link === undefined) return NO_DEVICE
    if (!link.up) return refusal('ENETDOWN', op.gateway ? 'Nexthop device is not up' : 'Device for nexthop is not up')
    if (op.onlink === true && this.#isOurs(op.gateway)) return refusal('EINVAL', 'Nexthop has invalid gateway')
    if (op.onlink === true && op.gateway?.family === 6 && this.#leadsElsewhere(link.index, op.gateway))
      return refusal('EINVAL', 'Nexthop has invalid gateway or device mismatch')
    if (op.gateway === undefined || op.onlink === true || this.#reaches(link.index, op.gateway)) return undefined
    return op.gateway.family === 4
      ? refusal('ENETUNREACH', 'Nexthop has invalid gateway')
      : refusal('EHOSTUNREACH', 'No route to host')
  }

  /** Whether a link of this host has the address. */
  #isOurs(gateway: Ip | undefined): boolean {
    return [...this.addresses.values()].some(({ ip }) => ip.text === gateway?.text)
  }

  #reaches(linkIndex: number, gateway: Ip): boolean {
    return [...this.addresses.values()].some(
      (a) =>
        a.linkIndex === linkIndex &&
        a.prefixLength < addressBits(a.ip.family) &&
        prefixContains(prefixOf(a.ip, a.prefixLength), gateway),
    )
  }

  /** Whether the best route to the address, the default route aside, is another link's. */
  #leadsElsewhere(linkIndex: number, address: Ip): boolean {
    const [best] = [...this.routes.values()]
      .filter(
        ({ destination, type }) =>
          destination.length > 0 && type === 'unicast' && destination.family === address.family,
      )
      .filter(({ destination }) => prefixContains(destination, address))
      .sort((a, b) => b.destination.length - a.destination.length || a.metric - b.metric)
    return best !== undefined && best.linkIndex !== linkIndex
  }

  /** Metric 0 in an IPv4 deletion means "whatever metric, the lowest first"; protocol and next hop still have to fit. */
  #deleteRoute(op: OpOf<'route.delete'>): Refusal | undefined {
    const fits = [...this.routes]
      .filter(
        ([, route]) =>
          route.destination.text === op.destination.text &&
          (op.metric === 0 || route.metric === op.metric) &&
          (op.protocol === 'unspec' || route.protocol === op.protocol) &&
          route.type === op.type &&
          (op.linkIndex === undefined || route.linkIndex === op.linkIndex) &&
          (op.gateway === undefined || route.gateway?.text === op.gateway.text),
      )
      .sort(([, a], [, b]) => a.metric - b.metric)
    const [found] = fits
    if (found === undefined) return undefined
    this.routes.delete(found[0])
    this.#notify({ kind: 'route', route: found[1], gone: true })
    return undefined
  }

  /** Routes of a link that went down or lost its address: IPv4 ones vanish without notification, IPv6 ones with. */
  #flushRoutes(linkIndex: number, family?: Family): void {
    for (const [key, route] of this.routes) {
      if (route.linkIndex !== linkIndex || (family !== undefined && route.destination.family !== family)) continue
      this.routes.delete(key)
      if (route.destination.family === 6) this.#notify({ kind: 'route', route, gone: true })
    }
  }

  #dropNeighbours(linkIndex: number, family?: Family): void {
    for (const [key, found] of [...this.neighbours])
      if (found.linkIndex === linkIndex && (family ?? found.value.ip.family) === found.value.ip.family)
        this.#dropNeighbour(key)
  }

  #dropNeighbour(key: string): void {
    const found = this.neighbours.get(key)
    if (found === undefined) return
    this.neighbours.delete(key)
    this.#notify({ kind: 'neighbour', linkIndex: found.linkIndex, neighbour: found.value, gone: true })
  }

  #dropFdb(fits: (key: string) => boolean): void {
    for (const [key, { linkIndex, value }] of [...this.fdb]) {
      if (!fits(key)) continue
      this.fdb.delete(key)
      this.#notify({ kind: 'fdb', linkIndex, entry: value, gone: true })
    }
  }

  #dropAddresses(linkIndex: number, family?: Family): void {
    for (const [key, address] of [...this.addresses]) {
      if (address.linkIndex !== linkIndex || (family ?? address.ip.family) !== address.ip.family) continue
      this.addresses.delete(key)
      this.#notify({ kind: 'address', address, gone: true })
    }
  }
}

const routeKey = (route: RouteState): string => `${route.table} ${route.destination.text} ${route.metric}`

/** The route to an address's own network, which the kernel makes with the address (RTPROT_KERNEL, link scope). */
function connectedRoute({ linkIndex, ip, prefixLength }: AddressState): RouteState {
  const metric = ip.family === 4 ? 0 : IPV6_CONNECTED_METRIC
  const destination = prefixOf(ip, prefixLength)
  const scope = ip.family === 4 ? 'link' : 'global'
  const plain = { gateway: undefined, onlink: false, type: 'unicast', table: 'main' } as const
  return { ...plain, destination, metric, scope, protocol: 'kernel', linkIndex }
}

const addressKey = (of: { readonly linkIndex: number; readonly ip: Ip; readonly prefixLength: number }): string =>
  `${of.linkIndex} ${of.ip.text}/${of.prefixLength}`
