import type { AddressState, LinkState } from '../kernel/kernel.ts'
import type { Family } from '../net/ip.ts'
import { prefixContains, type Prefix } from '../net/prefix.ts'

/** What the kernel says of all links. */
export interface Links {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
}

/** One family of the overlay, as its containers are to be in it. */
export interface OverlayPart {
  readonly family: Family
  readonly network: Prefix
  readonly subnet: Prefix
  /** By which their packets leave. */
  readonly device: string
}

/** The bridges that containers of the overlay are put on by themselves, and what has them put right. */
const USUAL: ReadonlyMap<string, string> = new Map([
  ['cni0', 'end its pods, then: ip link delete cni0; the CNI plugin makes it anew for the next pod'],
  ['docker0', 'start Docker with the options that flanneld docker-opts writes (--bip), and its containers anew'],
])

/** The interface that carries the subnet: whatever has an address of it, but for our own device. Pure. */
export function bridgeOf({ subnet, device }: OverlayPart, { links, addresses }: Links): LinkState | undefined {
  const carrying = new Set(addresses.filter(({ ip }) => prefixContains(subnet, ip)).map(({ linkIndex }) => linkIndex))
  return links.find(({ index, name, loopback }) => carrying.has(index) && name !== device && !loopback)
}

/** What is wrong with a bridge of containers. */
export interface BridgeProblem {
  /** It has addresses of another subnet, or its containers send packets that are too large. */
  readonly of: 'subnet' | 'mtu'
  readonly bridge: string
  readonly says: string
  readonly cure: string
}

/** What is wrong, and the cure. */
export const sayBridgeProblem = ({ says, cure }: BridgeProblem): string => `${says}. Cure: ${cure}`

/** What is wrong with the bridges of containers; a host without any is as well as one whose bridge is right. Pure. */
export const bridgeProblems = (parts: readonly OverlayPart[], all: Links): readonly BridgeProblem[] => [
  ...parts.flatMap((part) => [...USUAL].flatMap(([name, cure]) => strayBridge({ name, cure }, part, all))),
  ...largeMtus(parts, all),
]

/**
 * A bridge that is there, has an address, and none of our subnet. docker0 may be for other containers: it counts when its address is
 * of the overlay (a subnet that this node had before), or when there are containers on it, and nothing carries our subnet.
 */
function strayBridge(
  { name, cure }: { readonly name: string; readonly cure: string },
  part: OverlayPart,
  all: Links,
): readonly BridgeProblem[] {
  const { network, subnet, family } = part
  const link = all.links.find((one) => one.name === name)
  const own = all.addresses.filter(
    ({ linkIndex, ip, scope }) => linkIndex === link?.index && ip.family === family && scope === 'global',
  )
  const [first] = own
  if (link === undefined || first === undefined || own.some(({ ip }) => prefixContains(subnet, ip))) return []
  const isOfOverlay = own.some(({ ip }) => prefixContains(network, ip))
  const isInItsPlace = bridgeOf(part, all) === undefined && (name === 'cni0' || portsOf(link, all).length > 0)
  if (!isOfOverlay && !isInItsPlace) return []
  const says = `${name} has ${first.ip.text}/${first.prefixLength}, which is not in our subnet ${subnet.text}: other hosts do not reach its containers`
  return [{ of: 'subnet', bridge: name, says, cure }]
}

/** A bridge without ports has an MTU that nobody uses. What containers send must fit the overlay in either family. */
function largeMtus(parts: readonly OverlayPart[], all: Links): readonly BridgeProblem[] {
  const bridges = new Set(parts.flatMap((part) => bridgeOf(part, all) ?? []))
  const devices = all.links.filter(({ name }) => parts.some(({ device }) => device === name))
  const mtu = Math.min(...devices.map((device) => device.mtu))
  return [...bridges].flatMap((bridge) => {
    const largest = Math.max(0, ...portsOf(bridge, all).map((port) => port.mtu))
    if (largest <= mtu) return []
    const cure = `give the containers ${mtu} and start them anew (Docker: flanneld docker-opts; CNI: "mtu" of the plugin)`
    const says = `containers on ${bridge.name} have an MTU of ${largest}, the overlay carries ${mtu}`
    return [{ of: 'mtu' as const, bridge: bridge.name, says, cure }]
  })
}

const portsOf = ({ index }: LinkState, { links }: Links): readonly LinkState[] =>
  links.filter(({ master }) => master === index)
