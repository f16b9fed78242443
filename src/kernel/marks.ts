import type { Family } from '../net/ip.ts'
import type { LinkState } from './kernel.ts'
import type { AddressProtocol, RouteProtocol } from './words.ts'

/*
 * What marks things in the kernel as ours, said once: whoever makes them, looks for them or removes them reads it here. Firewall rules
 * have names of their own (firewall/names.ts).
 */

/** Route protocol of all our routes: 70, ASCII F; free in iproute2's rt_protos, and so without a name. */
export const ROUTE_PROTOCOL: RouteProtocol = '70'

/** IFA_PROTO of all our addresses: the same number. */
export const ADDRESS_PROTOCOL: AddressProtocol = '70'

/** IFLA_IFALIAS of our devices, for people who read `ip link`, and for whoever must tell ours from upstream's. */
export const DEVICE_ALIAS = 'flannel-agent'

/** Longest name of a link, in characters (linux/if.h: IFNAMSIZ, less the terminating zero). */
const LONGEST_NAME = 15

const FAMILIES: readonly Family[] = [4, 6]

/** Pattern of the names of TUN devices, whose number the kernel chooses: upstream's. */
export const TUN_PATTERN = 'flannel%d'
const TUN_NAME = /^flannel\d+$/

/** Whether the kernel may have made the name of {@link TUN_PATTERN}. */
export const isTunName = (name: string): boolean => TUN_NAME.test(name)

/** Before the VNI: upstream's prefix, and one of ours for VNIs that leave no room for it. */
const NAME_PREFIXES = { 4: ['flannel.', 'flan.'], 6: ['flannel-v6.', 'flan6.'] } as const

/**
 * Name of the device for a VNI: `flannel.100`, `flannel-v6.100`; where that is longer than Linux allows (IPv4 from VNI 10 000 000, IPv6
 * from 10 000) `flan.10000000`, `flan6.10000`.
 */
export function deviceName(family: Family, vni: number): string {
  const [usual, short] = NAME_PREFIXES[family]
  const name = `${usual}${vni}`
  return name.length <= LONGEST_NAME ? name : `${short}${vni}`
}

/** The family of a device by its name; undefined for a name that none of ours has. */
export function familyOfDevice(name: string): Family | undefined {
  if (isTunName(name)) return 4
  const dot = name.lastIndexOf('.') + 1
  if (!/^\d+$/.test(name.slice(dot))) return undefined
  const isNamed = (family: Family): boolean => NAME_PREFIXES[family].some((prefix) => prefix === name.slice(0, dot))
  return FAMILIES.find(isNamed)
}

/**
 * The family of a device that is proved ours: of a kind that we make, with our alias, under the name that it got from us. Undefined: it is
 * not, whatever it is called.
 */
export function familyOfOwnDevice(link: MarkedLink): Family | undefined {
  const family = familyOfDevice(link.name)
  return family !== undefined && isNamedByKind(link, family) && link.alias === DEVICE_ALIAS ? family : undefined
}

/** What a device is known by. */
type MarkedLink = Pick<LinkState, 'name' | 'alias' | 'kind' | 'vxlan'>

/** Whether it is of the kind that its name says. */
const isNamedByKind = ({ name, kind, vxlan }: MarkedLink, family: Family): boolean =>
  vxlan === undefined ? kind === 'tun' && isTunName(name) : deviceName(family, vxlan.vni) === name
