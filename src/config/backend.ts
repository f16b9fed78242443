import { ConfigError } from './error.ts'
import type { JsonFields } from './json.ts'

/** VXLAN backend settings (`Backend` of the network configuration). */
export interface VxlanConfig {
  readonly type: 'vxlan'
  /** VXLAN network identifier, 24 bits (RFC 7348 §5). */
  readonly vni: number
  /** UDP destination port. */
  readonly port: number
  /** MTU of the underlay in octets, before VXLAN overhead; undefined: that of the underlay's interface. */
  readonly underlayMtu: number | undefined
  readonly gbp: boolean
  readonly learning: boolean
  readonly directRouting: boolean
}

/** Backends without settings: peers as gateways on the underlay's link, and the allocation of subnets alone. */
export interface PlainConfig {
  readonly type: 'host-gw' | 'alloc'
}

export type BackendConfig = VxlanConfig | PlainConfig

/** The kernel's own default, older than IANA's 4789 (drivers/net/vxlan: vxlan_port). */
const LINUX_VXLAN_PORT = 8472
export const MAX_VNI = 0xff_ffff
const DEFAULT_VNI = 1
/** Smallest MTU IPv4 allows (RFC 791) plus the overhead of a tunnel, rounded up. */
const SMALLEST_UNDERLAY_MTU = 576
const LARGEST_MTU = 65_535

const BACKENDS: Readonly<Record<string, (fields: JsonFields) => BackendConfig>> = {
  vxlan: parseVxlan,
  'host-gw': () => ({ type: 'host-gw' }),
  alloc: () => ({ type: 'alloc' }),
}

/** Upstream's code falls back to `udp`, its documentation says `vxlan`; we do as documented. */
const DEFAULT_TYPE = 'vxlan'

/** @throws {ConfigError} */
export function parseBackend(fields: JsonFields | undefined): BackendConfig {
  const type = fields?.string('Type') ?? DEFAULT_TYPE
  const parse = Object.hasOwn(BACKENDS, type.toLowerCase()) ? BACKENDS[type.toLowerCase()] : undefined
  if (parse === undefined) throw new ConfigError('Backend.Type', expectedType(type.toLowerCase()), type)
  return fields === undefined ? VXLAN_DEFAULTS : parse(fields)
}

/** Upstream's other backends, of this day and of v0.6. */
const NOT_SUPPORTED: readonly string[] = [
  'udp',
  'ipip',
  'wireguard',
  'ipsec',
  'extension',
  'aws-vpc',
  'gce',
  'tencent-vpc',
]

function expectedType(type: string): string {
  const known = Object.keys(BACKENDS).join(' or ')
  return NOT_SUPPORTED.includes(type) ? `${known}; this backend is not supported by this version` : known
}

const VXLAN_DEFAULTS: VxlanConfig = {
  type: 'vxlan',
  vni: DEFAULT_VNI,
  port: LINUX_VXLAN_PORT,
  underlayMtu: undefined,
  gbp: false,
  learning: false,
  directRouting: false,
}

function parseVxlan(fields: JsonFields): VxlanConfig {
  const mtu = fields.raw('MTU') === 0 ? undefined : fields.integer('MTU', SMALLEST_UNDERLAY_MTU, LARGEST_MTU)
  const port = fields.integer('Port', 0, 65_535)
  return {
    type: 'vxlan',
    vni: fields.integer('VNI', 0, MAX_VNI) ?? VXLAN_DEFAULTS.vni,
    port: port === undefined || port === 0 ? LINUX_VXLAN_PORT : port,
    underlayMtu: mtu,
    gbp: fields.boolean('GBP') ?? false,
    learning: fields.boolean('Learning') ?? false,
    directRouting: fields.boolean('DirectRouting') ?? false,
  }
}
