import { ipToInteger, type Family, type Ip } from '../net/ip.ts'
import {
  addressAt,
  prefixContains,
  prefixOf,
  subnetAt,
  subnetCount,
  type Prefix,
  LONGEST_SUBNETS,
} from '../net/prefix.ts'
import { reservedNetwork } from './reserved-networks.ts'
import { parseBackend, type BackendConfig } from './backend.ts'
import { ConfigError } from './error.ts'
import { parseJsonObject, type JsonFields } from './json.ts'
import { readLeniently } from './lenient.ts'

/** The overlay of one address family: which network, cut into subnets of which size, handed out between which bounds. */
export interface OverlayNetwork {
  readonly family: Family
  readonly network: Prefix
  /** Prefix length of each node's subnet, in bits. */
  readonly subnetLength: number
  /** Base address of the first subnet to hand out. */
  readonly subnetMin: Ip
  /** Base address of the last subnet to hand out. */
  readonly subnetMax: Ip
}

/** What operators keep under `PREFIX/config`, checked and with every default filled in. */
export interface NetworkConfig {
  /** One or two, IPv4 before IPv6. */
  readonly overlays: readonly OverlayNetwork[]
  readonly enableNftables: boolean
  readonly backend: BackendConfig
}

/** How the two families differ in the configuration: names of the fields and the numbers of their rules. */
export interface FamilyFields {
  readonly family: Family
  readonly enable: string
  readonly enabledByDefault: boolean
  readonly network: string
  readonly subnetLen: string
  readonly subnetMin: string
  readonly subnetMax: string
  /** SubnetLen where the network is at most `splitBeyond` bits long; a longer one is split into four. */
  readonly usualLength: number
  readonly splitBeyond: number
  readonly longestSubnet: number
}

export const FAMILIES: readonly FamilyFields[] = [
  {
    family: 4,
    enable: 'EnableIPv4',
    enabledByDefault: true,
    network: 'Network',
    subnetLen: 'SubnetLen',
    subnetMin: 'SubnetMin',
    subnetMax: 'SubnetMax',
    usualLength: 24,
    splitBeyond: 22,
    longestSubnet: LONGEST_SUBNETS[4],
  },
  {
    family: 6,
    enable: 'EnableIPv6',
    enabledByDefault: false,
    network: 'IPv6Network',
    subnetLen: 'IPv6SubnetLen',
    subnetMin: 'IPv6SubnetMin',
    subnetMax: 'IPv6SubnetMax',
    usualLength: 64,
    splitBeyond: 62,
    longestSubnet: LONGEST_SUBNETS[6],
  },
]

/** Names of all fields of a configuration, but those of `Backend`. */
export const CONFIG_FIELDS = [
  ...FAMILIES.flatMap(({ enable, network, subnetLen, subnetMin, subnetMax }) => [
    enable,
    network,
    subnetLen,
    subnetMin,
    subnetMax,
  ]),
  'EnableNFTables',
  'Backend',
]

/** What a ConfigMap of Kubernetes has around a configuration. */
const WRAPPERS = ['net-conf.json', 'data']

/** Of the text, in UTF-16 units: nobody needs a hundredth of it, and a key in etcd can hold more than is good to parse. */
export const LONGEST_CONFIGURATION = 262_144

/** A network must hold at least four subnets: two more bits. */
const FEWEST_SUBNET_BITS = 2

/**
 * Reads and checks the network configuration (compatibility: every rule and default of upstream, keys in any case). What is not quite
 * JSON and has one meaning only is taken, too; what is to be said of it is in remarks.ts.
 * @param where the text stands, for an error about all of it
 * @throws {ConfigError} naming the field, the rule and the value
 */
export function parseNetworkConfig(text: string, where = 'network configuration'): NetworkConfig {
  if (text.length > LONGEST_CONFIGURATION)
    throw new ConfigError(where, `at most ${LONGEST_CONFIGURATION} characters`, 'more')
  const fields = parseJsonObject(where, readLeniently(text).json)
  fields.refuseTwins(CONFIG_FIELDS)
  const wrapper = FAMILIES.some(({ network }) => fields.raw(network) !== undefined)
    ? undefined
    : WRAPPERS.find((name) => fields.raw(name) !== undefined)
  if (wrapper !== undefined) throw new ConfigError(where, `only what is inside of "${wrapper}"`, text)
  const overlays = FAMILIES.flatMap((rules) => parseOverlay(fields, rules) ?? [])
  if (overlays.length === 0) throw new ConfigError('EnableIPv4', 'true, or EnableIPv6 true', false)
  return {
    overlays,
    enableNftables: fields.boolean('EnableNFTables') ?? false,
    backend: parseBackend(
      fields.object('Backend'),
      overlays.map(({ family }) => family),
    ),
  }
}

function parseOverlay(fields: JsonFields, rules: FamilyFields): OverlayNetwork | undefined {
  if (!(fields.boolean(rules.enable) ?? rules.enabledByDefault)) return undefined
  const network = fields.prefix(rules.network, rules.family)
  if (network === undefined)
    throw new ConfigError(fields.path(rules.network), `a network, since ${rules.enable} is true`, undefined)
  const longestNetwork = rules.longestSubnet - FEWEST_SUBNET_BITS
  if (network.length > longestNetwork)
    throw new ConfigError(
      fields.path(rules.network),
      `a network of at most /${longestNetwork}, to hold four subnets`,
      network.text,
    )

  const reserved = reservedNetwork(network)
  if (reserved !== undefined)
    throw new ConfigError(fields.path(rules.network), `a network without addresses of ${reserved}`, network.text)

  const subnetLength = parseSubnetLength(fields, rules, network)
  const bound = (name: string, fallback: Ip): Ip => parseSubnetBound(fields, name, network, subnetLength) ?? fallback
  const lastIndex = subnetCount(network, subnetLength) - 1n
  const subnetMin = bound(rules.subnetMin, subnetAt(network, subnetLength, 1n).base)
  const subnetMax = bound(rules.subnetMax, subnetAt(network, subnetLength, lastIndex).base)
  if (ipToInteger(subnetMin) > ipToInteger(subnetMax))
    throw new ConfigError(
      fields.path(rules.subnetMin),
      `an address not above ${rules.subnetMax} ${subnetMax.text}`,
      subnetMin.text,
    )
  return { family: rules.family, network, subnetLength, subnetMin, subnetMax }
}

function parseSubnetLength(fields: JsonFields, rules: FamilyFields, network: Prefix): number {
  const shortest = network.length + FEWEST_SUBNET_BITS
  const unset = fields.raw(rules.subnetLen) === 0
  const given = unset
    ? undefined
    : fields.integer(
        rules.subnetLen,
        shortest,
        rules.longestSubnet,
        ` (${network.text} must hold at least four subnets, a subnet at least two hosts)`,
      )
  return given ?? (network.length <= rules.splitBeyond ? rules.usualLength : shortest)
}

function parseSubnetBound(fields: JsonFields, name: string, network: Prefix, subnetLength: number): Ip | undefined {
  const bound = fields.ip(name, network.family)
  if (bound === undefined) return undefined
  if (!prefixContains(network, bound))
    throw new ConfigError(fields.path(name), `an address inside ${network.text}`, bound.text)
  const onBoundary = prefixOf(bound, subnetLength).base
  if (onBoundary.text !== bound.text)
    throw new ConfigError(
      fields.path(name),
      `an address on a /${subnetLength} boundary, such as ${onBoundary.text}`,
      bound.text,
    )
  return bound
}

/** Whether a node may hold `subnet` under this configuration. */
export function subnetFits(overlay: OverlayNetwork, subnet: Prefix): boolean {
  if (subnet.family !== overlay.family || subnet.length !== overlay.subnetLength) return false
  const base = ipToInteger(subnet.base)
  return base >= ipToInteger(overlay.subnetMin) && base <= ipToInteger(overlay.subnetMax)
}

/** Whether some node's subnet may cover the address. */
export function isHandedOut({ family, subnetMin, subnetMax, subnetLength }: OverlayNetwork, address: Ip): boolean {
  if (address.family !== family) return false
  if (family === 4) {
    // without big integers: once for every peer
    const base = (subnetLength === 0 ? 0 : address.word0 & (-1 << (32 - subnetLength))) >>> 0
    return base >= subnetMin.word0 >>> 0 && base <= subnetMax.word0 >>> 0
  }
  const base = ipToInteger(prefixOf(address, subnetLength).base)
  return base >= ipToInteger(subnetMin) && base <= ipToInteger(subnetMax)
}

/** The address the node itself takes in its subnet (the container bridge): the first usable one. */
export const gatewayOf = (subnet: Prefix): Ip => addressAt(subnet, 1n)
