import { SUBNET_FILE, type LabHost } from '../../lab/index.ts'
import { objectsAt, textAt, textsAt, type JsonObject } from '../../lab/json.ts'
import { DEVICE } from '../../lab/use-lab.ts'

/** Everything that stands of the overlay on one host, as iproute2 prints it, and what is foreign there. */
export interface OverlayState {
  readonly link: readonly JsonObject[]
  readonly addresses: readonly JsonObject[]
  readonly neighbours: readonly JsonObject[]
  readonly fdb: readonly JsonObject[]
  readonly routes: readonly JsonObject[]
  /** Policy rules: never ours. */
  readonly rules: readonly JsonObject[]
  readonly subnetFile: string
}

/** Order says nothing in a kernel table. */
const sorted = (rows: readonly JsonObject[]): readonly JsonObject[] =>
  [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

const withSortedAddresses = (row: JsonObject): JsonObject => ({
  ...row,
  addr_info: sorted(objectsAt(row, 'addr_info').filter((address) => !isTwin(address))),
})

/** Ours is there a second time, with the length of the network, where a foreign one has come to stand before it. */
const isTwin = (address: JsonObject): boolean => address['noprefixroute'] === true

/** What the kernel tries to resolve by itself comes and goes. */
const isLasting = (row: JsonObject): boolean => textsAt(row, 'state').includes('PERMANENT')

/** @throws {CommandError} while there is no such device or no subnet file */
export async function overlayState({ place }: LabHost): Promise<OverlayState> {
  const [link, addresses, neighbours, fdb, routes, rules, subnetFile] = await Promise.all([
    place.ip('link', 'show', 'dev', DEVICE),
    place.ip('address', 'show', 'dev', DEVICE),
    place.ip('neighbour', 'show', 'dev', DEVICE),
    place.bridge('fdb', 'show', 'dev', DEVICE),
    place.ip('route', 'show', 'dev', DEVICE),
    place.ip('rule', 'show'),
    place.exec('cat', [SUBNET_FILE]),
  ])
  return {
    link,
    addresses: addresses.map(withSortedAddresses),
    neighbours: sorted(neighbours.filter(isLasting)),
    fdb: sorted(fdb),
    routes: sorted(routes),
    rules,
    subnetFile,
  }
}

const withoutIndex = (row: JsonObject): JsonObject => ({ ...row, ifindex: 'any' })

/** The same device by name, MAC, address and everything else, made anew: only its index is another. */
export const anyIndex = (state: OverlayState): OverlayState => ({
  ...state,
  link: state.link.map(withoutIndex),
  addresses: state.addresses.map(withoutIndex),
})

/** The state with another MTU of the overlay, in octets. */
export const withMtu =
  (mtu: number) =>
  (state: OverlayState): OverlayState => ({
    ...state,
    link: state.link.map((row) => ({ ...row, mtu })),
    addresses: state.addresses.map((row) => ({ ...row, mtu })),
    subnetFile: state.subnetFile.replace(/FLANNEL_MTU=\d+/, `FLANNEL_MTU=${mtu}`),
  })

/** The state without the three entries of one peer. */
export const withoutPeer = (state: OverlayState, { base, mac }: { base: string; mac: string }): OverlayState => ({
  ...state,
  neighbours: state.neighbours.filter((row) => textAt(row, 'dst') !== base),
  fdb: state.fdb.filter((row) => textAt(row, 'mac') !== mac),
  routes: state.routes.filter((row) => textAt(row, 'gateway') !== base),
})

const FOREIGN = {
  address: '172.31.255.1/32',
  routes: ['172.31.0.0/24 dev DEVICE proto static metric 9', '10.250.0.0/24 dev DEVICE proto boot scope link'],
  rule: 'pref 1234 from 172.31.0.0/16 lookup 77',
} as const

/** What a fault leaves of others' addresses and routes on the device. */
export type ForeignSurvivors = 'all' | 'addresses' | 'none'

/**
 * Puts somebody else's address, routes and rule on the host, or takes away again what the coming fault would destroy: then it is the
 * kernel that destroys it, and nobody's task to bring it back.
 */
export async function plantForeign({ place }: LabHost, survivors: ForeignSurvivors): Promise<void> {
  const forget = (kept: boolean, keep: string, drop: string): string => (kept ? keep : `${drop} 2>/dev/null || true`)
  const routes = FOREIGN.routes.map((route) => route.replace('DEVICE', DEVICE))
  const commands = [
    forget(
      survivors !== 'none',
      `ip address replace ${FOREIGN.address} dev ${DEVICE}`,
      `ip address delete ${FOREIGN.address} dev ${DEVICE}`,
    ),
    ...routes.map((route) => forget(survivors === 'all', `ip route replace ${route}`, `ip route delete ${route}`)),
    `ip rule show | grep -q ^1234: || ip rule add ${FOREIGN.rule}`,
  ]
  await place.exec('sh', ['-ec', commands.join('\n')])
}
