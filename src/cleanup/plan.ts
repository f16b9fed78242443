import { addressBits, sameIp, type Family, type Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { AddressState, KernelOp, LinkState, RouteState } from '../kernel/kernel.ts'
import {
  DEVICE_ALIAS,
  deviceName,
  familyOfDevice,
  familyOfOwnDevice,
  isTunName,
  ROUTE_PROTOCOL,
} from '../kernel/marks.ts'
import { isMadeByHand, isOwnDirectRoute, type Cut } from '../reconcile/ownership.ts'
import { describeRoute, routeDeletion } from '../reconcile/former/route-removal.ts'

/** What stands on the host, as far as it can be flanneld's. */
export interface HostRemains {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
  /** Of the main table, in both families. */
  readonly routes: readonly RouteState[]
  readonly files: SubnetFiles
  /** Where leases lead; undefined where nobody could be asked. */
  readonly peers: readonly PeerPath[] | undefined
  /** Firewall rules of ours, one line each. */
  readonly firewall: readonly string[]
  readonly hasPeerFilter: boolean
}

/** What a lease says of a route to its subnet. */
export interface PeerPath {
  readonly subnet: Prefix
  readonly publicIp: Ip
}

export interface SubnetFiles {
  readonly path: string
  /** `other`: what stands there is no subnet file. */
  readonly content: 'none' | 'subnet' | 'other'
  /** The subnets that it names. */
  readonly subnets: readonly Prefix[]
  /** What it says of the overlay; none where it says nothing. */
  readonly networks: readonly Cut[]
  /** What killed writers have left beside it. */
  readonly temporaryFiles: readonly string[]
  /** The status socket of an agent that was killed; undefined: there is none. */
  readonly statusSocket?: string | undefined
}

export type CleanupAction =
  | { readonly on: 'file'; readonly path: string }
  | { readonly on: 'kernel'; readonly op: KernelOp }
  | { readonly on: 'firewall' }
  | { readonly on: 'peer filter' }

export interface CleanupStep {
  /** What it removes, one line each, for people. */
  readonly things: readonly string[]
  readonly action: CleanupAction
}

export interface CleanupPlan {
  readonly steps: readonly CleanupStep[]
  /** What looks like ours by its name but is not: it stays. With the reason. */
  readonly kept: readonly string[]
}

/**
 * What is to be removed, in this order: the file that invites containers, what carries packets, and then what kept strangers and wrong
 * source addresses out. Pure.
 */
export function planCleanup(state: HostRemains): CleanupPlan {
  const devices = state.links.flatMap((link) => judgeDevice(link, state.addresses) ?? [])
  const removed = devices.filter(({ objection }) => objection === undefined).map(({ link }) => link)
  const steps = [
    ...fileSteps(state.files),
    ...routeSteps(state, new Set(removed.map(({ index }) => index))),
    ...removed.map(deviceStep),
    ...(state.hasPeerFilter ? [PEER_FILTER_STEP] : []),
    ...(state.firewall.length > 0 ? [{ things: state.firewall, action: { on: 'firewall' } } as const] : []),
  ]
  const { path, content } = state.files
  return {
    steps,
    kept: [
      ...(content === 'other' ? [`${path}: it holds other things than a subnet file does`] : []),
      ...unprovenRoutes(state),
      ...devices.flatMap(({ link, objection }) =>
        objection === undefined ? [] : [`device ${link.name}: ${objection}`],
      ),
    ],
  }
}

const PEER_FILTER_STEP: CleanupStep = { things: ['peer filter in nftables'], action: { on: 'peer filter' } }

function fileSteps({ path, content, temporaryFiles, statusSocket }: SubnetFiles): readonly CleanupStep[] {
  const step = (kind: string, found: string): CleanupStep => ({
    things: [`${kind} ${found}`],
    action: { on: 'file', path: found },
  })
  return [
    ...(content === 'subnet' ? [step('subnet file', path)] : []),
    ...temporaryFiles.map((file) => step('temporary file', file)),
    ...(statusSocket === undefined ? [] : [step('status socket', statusSocket)]),
  ]
}

/** The devices that are flanneld's, or upstream's. */
export const ownDevices = ({ links, addresses }: Pick<HostRemains, 'links' | 'addresses'>): readonly LinkState[] =>
  links.filter((link) => {
    const judged = judgeDevice(link, addresses)
    return judged !== undefined && judged.objection === undefined
  })

interface JudgedDevice {
  readonly link: LinkState
  /** Why it is none of ours, though it has a name of ours. */
  readonly objection: string | undefined
}

/** @returns undefined for a device whose name is none of ours */
function judgeDevice(link: LinkState, addresses: readonly AddressState[]): JudgedDevice | undefined {
  const family = familyOfDevice(link.name)
  return family && { link, objection: objectionTo(link, family, addresses) }
}

function objectionTo(link: LinkState, family: Family, addresses: readonly AddressState[]): string | undefined {
  if (familyOfOwnDevice(link) !== undefined) return undefined
  const { index, name, kind, vxlan } = link
  if (isTunName(name))
    return kind === 'tun'
      ? `it has not the alias ${DEVICE_ALIAS}; one of upstream's goes with its flanneld`
      : `it is a ${kind ?? 'plain'} device, not tun`
  if (vxlan === undefined) return `it is a ${kind ?? 'plain'} device, not vxlan`
  if (deviceName(family, vxlan.vni) !== name) return `its VNI is ${vxlan.vni}`
  const length = addressBits(family)
  const isAddressed = addresses.some(
    ({ linkIndex, ip, prefixLength }) => linkIndex === index && ip.family === family && prefixLength === length,
  )
  return isAddressed && !vxlan.learning && !vxlan.external
    ? undefined
    : `it has neither the alias ${DEVICE_ALIAS} nor the shape of upstream's (nolearning, an address of /${length})`
}

/** The kernel takes with a device all that hangs on it. */
const deviceStep = ({ index, name }: LinkState): CleanupStep => ({
  things: [`device ${name} with its addresses, routes, neighbours and forwarding entries`],
  action: { on: 'kernel', op: { op: 'link.delete', linkIndex: index } },
})

/** Routes of ours, and of upstream, that do not go with a device. */
function routeSteps({ routes, links, peers }: HostRemains, going: ReadonlySet<number>): readonly CleanupStep[] {
  return routes
    .filter((route) => route.protocol === ROUTE_PROTOCOL || isProven(route, peers))
    .filter(({ linkIndex }) => !(linkIndex !== undefined && going.has(linkIndex)))
    .flatMap((route) => {
      const op = routeDeletion(route)
      return op === undefined ? [] : [{ things: [describeRoute(route, links)], action: { on: 'kernel', op } as const }]
    })
}

/**
 * Upstream marks its routes to peers on other links by nothing: they are those that lead just where a lease says, subnet and PublicIP.
 * Whoever made one like that made it for this overlay.
 */
const isProven = (route: RouteState, peers: readonly PeerPath[] = []): boolean =>
  isMadeByHand(route) &&
  peers.some(
    ({ subnet, publicIp }) =>
      subnet.text === route.destination.text && route.gateway !== undefined && sameIp(publicIp, route.gateway),
  )

/** What looks like upstream's route to some peer, and may as well be anybody's. */
function unprovenRoutes({ routes, links, files, peers }: HostRemains): readonly string[] {
  const why =
    peers === undefined
      ? 'it may be a route of upstream to a peer, which leases can tell (--etcd-endpoints)'
      : 'no lease says that it is a route to a peer'
  return routes
    .filter((route) => route.type === 'unicast' && isMadeByHand(route) && !isProven(route, peers))
    .filter((route) => files.networks.some((cut) => isOwnDirectRoute(route, cut)))
    .map((route) => `${describeRoute(route, links)}: ${why}`)
}
