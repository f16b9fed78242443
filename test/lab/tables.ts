import { numberAt, objectAt, objectsAt, textAt, textsAt, type JsonObject } from './json.ts'
import type { Place } from './namespace.ts'

/** What `ip -d link` says of a device; `vxlan` when it is one. */
export interface Link {
  readonly index: number
  readonly name: string
  readonly mac: string
  readonly mtu: number
  readonly up: boolean
  readonly vxlan?: { readonly vni: number; readonly port: number; readonly local: string; readonly underlay: string }
}

export interface Neighbour {
  readonly address: string
  readonly mac: string
  readonly permanent: boolean
}

export interface FdbEntry {
  readonly mac: string
  readonly remote: string
  readonly permanent: boolean
}

export interface Route {
  readonly destination: string
  readonly gateway: string
  readonly metric: number
  readonly protocol: string
  readonly onlink: boolean
}

/** The three tables that hold the peers of a VXLAN device, each in a stable order. */
export interface PeerTables {
  readonly neighbours: readonly Neighbour[]
  readonly fdb: readonly FdbEntry[]
  readonly routes: readonly Route[]
}

function linkFrom(json: JsonObject): Link {
  const info = objectAt(json, 'linkinfo')
  const data = objectAt(info, 'info_data')
  const vxlan = {
    vni: numberAt(data, 'id') ?? 0,
    port: numberAt(data, 'port') ?? 0,
    local: textAt(data, 'local') ?? textAt(data, 'local6') ?? '',
    underlay: textAt(data, 'link') ?? '',
  }
  return {
    index: numberAt(json, 'ifindex') ?? 0,
    name: textAt(json, 'ifname') ?? '',
    mac: textAt(json, 'address') ?? '',
    mtu: numberAt(json, 'mtu') ?? 0,
    up: textsAt(json, 'flags').includes('UP'),
    ...(textAt(info, 'info_kind') === 'vxlan' && { vxlan }),
  }
}

const neighbourFrom = (json: JsonObject): Neighbour => ({
  address: textAt(json, 'dst') ?? '',
  mac: textAt(json, 'lladdr') ?? '',
  permanent: textsAt(json, 'state').includes('PERMANENT'),
})

const fdbEntryFrom = (json: JsonObject): FdbEntry => ({
  mac: textAt(json, 'mac') ?? '',
  remote: textAt(json, 'dst') ?? '',
  permanent: textAt(json, 'state') === 'permanent',
})

const routeFrom = (json: JsonObject): Route => ({
  destination: textAt(json, 'dst') ?? '',
  gateway: textAt(json, 'gateway') ?? '',
  metric: numberAt(json, 'metric') ?? 0,
  protocol: textAt(json, 'protocol') ?? '',
  onlink: textsAt(json, 'flags').includes('onlink'),
})

const by =
  <T>(key: (item: T) => string) =>
  (a: T, b: T): number =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0

/** Undefined when there is no such device. */
export async function readLink(place: Place, device: string): Promise<Link | undefined> {
  const { code } = await place.attempt('ip', ['link', 'show', 'dev', device])
  const [json] = code === 0 ? await place.ip('link', 'show', 'dev', device) : []
  return json && linkFrom(json)
}

export async function readAddresses(place: Place, device: string): Promise<readonly string[]> {
  const [json = {}] = await place.ip('-4', 'address', 'show', 'dev', device)
  return objectsAt(json, 'addr_info').map(
    (info) => `${textAt(info, 'local') ?? ''}/${numberAt(info, 'prefixlen') ?? ''}`,
  )
}

export async function readNeighbours(place: Place, device: string, family: 4 | 6): Promise<readonly Neighbour[]> {
  const rows = await place.ip(`-${family}`, 'neighbour', 'show', 'dev', device)
  return rows.map(neighbourFrom).sort(by(({ address }) => address))
}

/** Entries with a remote: the device's own are left out. */
export async function readFdb(place: Place, device: string): Promise<readonly FdbEntry[]> {
  const rows = await place.bridge('fdb', 'show', 'dev', device)
  const entries = rows.map(fdbEntryFrom).filter(({ remote }) => remote !== '')
  return entries.sort(by(({ mac, remote }) => `${mac} ${remote}`))
}

/** Without the route that the kernel makes for each IPv6 address. */
export async function readRoutes(place: Place, device: string, family: 4 | 6): Promise<readonly Route[]> {
  const rows = await place.ip(`-${family}`, 'route', 'show', 'dev', device)
  const routes = rows.map(routeFrom).filter(({ protocol }) => family === 4 || protocol !== 'kernel')
  return routes.sort(by(({ destination }) => destination))
}

export async function readPeerTables(place: Place, device: string, family: 4 | 6): Promise<PeerTables> {
  const [neighbours, fdb, routes] = await Promise.all([
    readNeighbours(place, device, family),
    readFdb(place, device),
    readRoutes(place, device, family),
  ])
  return { neighbours, fdb, routes }
}
