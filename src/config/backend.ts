import { nearest } from './differences.ts'
import { ConfigError } from './error.ts'
import { compareFields, type Field, type FieldComparison, type Fields } from './field.ts'
import type { JsonFields } from './json.ts'
import type { Family } from '../net/ip.ts'

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

/** Backend of UDP datagrams without anything around the packets, which the agent carries itself. */
export interface UdpConfig {
  readonly type: 'udp'
  /** UDP port, of all nodes. */
  readonly port: number
}

export type BackendConfig = VxlanConfig | PlainConfig | UdpConfig

/** The kernel's own default, older than IANA's 4789 (drivers/net/vxlan: vxlan_port). */
const LINUX_VXLAN_PORT = 8472
/** That of upstream. */
const UDP_PORT = 8285
export const MAX_VNI = 0xff_ffff
const DEFAULT_VNI = 1
/** Smallest MTU IPv4 allows (RFC 791) plus the overhead of a tunnel, rounded up. */
const SMALLEST_UNDERLAY_MTU = 576
const LARGEST_MTU = 65_535

const VXLAN: Fields<VxlanConfig> = {
  type: { path: 'Backend.Type', valueOf: ({ type }) => type },
  vni: { path: 'Backend.VNI', valueOf: ({ vni }) => vni },
  port: { path: 'Backend.Port', valueOf: ({ port }) => port },
  underlayMtu: {
    path: 'Backend.MTU',
    valueOf: ({ underlayMtu }) => underlayMtu,
    follow: (current, { underlayMtu }) => ({ ...current, underlayMtu }),
  },
  gbp: { path: 'Backend.GBP', valueOf: ({ gbp }) => gbp },
  learning: { path: 'Backend.Learning', valueOf: ({ learning }) => learning },
  directRouting: {
    path: 'Backend.DirectRouting',
    valueOf: ({ directRouting }) => directRouting,
    follow: (current, { directRouting }) => ({ ...current, directRouting }),
  },
}

/** Names of all fields that any backend reads, without `Backend.`. */
export const BACKEND_FIELDS = namesOf(Object.values(VXLAN))

const UDP: Fields<UdpConfig> = {
  type: { path: 'Backend.Type', valueOf: ({ type }) => type },
  port: { path: 'Backend.Port', valueOf: ({ port }) => port },
}

const PLAIN: Fields<PlainConfig> = { type: { path: 'Backend.Type', valueOf: ({ type }) => type } }

/** One of a backend's settings. Undefined: none is given, and it is known on each host alone. */
export interface BackendFact {
  /** `Backend.VNI`. */
  readonly path: string
  readonly value: string | number | boolean | undefined
}

/** A backend's settings: how they are read, and which of them a running agent follows. */
interface Settings {
  /** Address families whose packets it carries. */
  readonly families: readonly Family[]
  /** Names of the fields that it reads, without `Backend.`. */
  readonly names: readonly string[]
  readonly facts: (config: BackendConfig) => readonly BackendFact[]
  readonly read: (fields: JsonFields) => BackendConfig
  readonly compare: (current: BackendConfig, next: BackendConfig) => FieldComparison<BackendConfig>
}

const BACKENDS: Readonly<Record<BackendConfig['type'], Settings>> = {
  vxlan: settings('vxlan', parseVxlan, Object.values(VXLAN)),
  'host-gw': settings<PlainConfig>('host-gw', () => ({ type: 'host-gw' }), Object.values(PLAIN)),
  udp: settings('udp', parseUdp, Object.values(UDP), [4]),
  alloc: settings<PlainConfig>('alloc', () => ({ type: 'alloc' }), Object.values(PLAIN)),
}

function settings<C extends BackendConfig>(
  type: C['type'],
  read: (fields: JsonFields) => C,
  fields: readonly Field<C>[],
  families: readonly Family[] = [4, 6],
): Settings {
  const isOurs = (config: BackendConfig): config is C => config.type === type
  return {
    families,
    read,
    names: namesOf(fields),
    facts: (config) => (isOurs(config) ? fields.map(({ path, valueOf }) => ({ path, value: valueOf(config) })) : []),
    compare: (current, next) =>
      isOurs(current) && isOurs(next) ? compareFields(fields, current, next) : anotherType(current, next),
  }
}

function namesOf(fields: readonly { readonly path: string }[]): readonly string[] {
  return fields.map(({ path }) => path.replace('Backend.', ''))
}

/** No other backend can be followed. */
const anotherType = (current: BackendConfig, { type }: BackendConfig): FieldComparison<BackendConfig> => ({
  value: current,
  followed: [],
  refused: [{ path: 'Backend.Type', from: current.type, to: type }],
})

/** All settings of a backend, the type first. */
export const backendFacts = (config: BackendConfig): readonly BackendFact[] => BACKENDS[config.type].facts(config)

/** Takes from other settings what a running agent can follow. Pure. */
export const compareBackend = (current: BackendConfig, next: BackendConfig): FieldComparison<BackendConfig> =>
  BACKENDS[current.type].compare(current, next)

const isType = (text: string): text is BackendConfig['type'] => Object.hasOwn(BACKENDS, text)

/** Upstream's code falls back to `udp`, its documentation says `vxlan`; we do as documented. */
const DEFAULT_TYPE = 'vxlan'

/** Names of the fields that a backend reads, without `Backend.`. @param type as it is written; whatever is no type stands for the usual one */
export function fieldsOfBackend(type: unknown): {
  readonly type: BackendConfig['type']
  readonly names: readonly string[]
} {
  const known = typeof type === 'string' ? type.toLowerCase() : ''
  const meant = isType(known) ? known : DEFAULT_TYPE
  return { type: meant, names: BACKENDS[meant].names }
}

/** @param families of the network. @throws {ConfigError} */
export function parseBackend(fields: JsonFields | undefined, families: readonly Family[] = []): BackendConfig {
  fields?.refuseTwins(BACKEND_FIELDS)
  const type = fields?.string('Type') ?? DEFAULT_TYPE
  const known = type.toLowerCase()
  if (!isType(known)) throw new ConfigError('Backend.Type', expectedType(known), type)
  const surplus = families.find((family) => !BACKENDS[known].families.includes(family))
  if (surplus !== undefined)
    throw new ConfigError('Backend.Type', `a backend that carries IPv${surplus}, or EnableIPv${surplus} false`, type)
  return fields === undefined ? VXLAN_DEFAULTS : BACKENDS[known].read(fields)
}

const ENCRYPTED = 'nothing is encrypted here: use vxlan over an underlay that is (--iface=wg0)'
const CLOUD = "use vxlan, which needs nothing of a cloud's routes"

/** Upstream's other backends, of this day and of those before, and what to use instead. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['ipip', 'use vxlan, with "DirectRouting": true where hosts share a link'],
  ...['wireguard', 'ipsec'].map((type) => [type, ENCRYPTED] as const),
  ['extension', 'use vxlan or host-gw, or alloc and a program of your own that reads the leases'],
  ...['aws-vpc', 'gce', 'ali-vpc', 'alivpc', 'tencent-vpc'].map((type) => [type, CLOUD] as const),
])

function expectedType(type: string): string {
  const types = Object.keys(BACKENDS)
  const instead = INSTEAD.get(type)
  const near = nearest(type, types)
  if (instead !== undefined) return `${types.join(' or ')}; ${type} is not supported, ${instead}`
  return near === undefined ? types.join(' or ') : `${types.join(' or ')}; did you mean ${near}?`
}

export const VXLAN_DEFAULTS: VxlanConfig = {
  type: 'vxlan',
  vni: DEFAULT_VNI,
  port: LINUX_VXLAN_PORT,
  underlayMtu: undefined,
  gbp: false,
  learning: false,
  directRouting: false,
}

/** Of a port, 0 stands for the one that is usual. */
const portOr = (fields: JsonFields, usual: number): number => fields.integer('Port', 0, 65_535) || usual

function parseUdp(fields: JsonFields): UdpConfig {
  return { type: 'udp', port: portOr(fields, UDP_PORT) }
}

function parseVxlan(fields: JsonFields): VxlanConfig {
  const mtu = fields.raw('MTU') === 0 ? undefined : fields.integer('MTU', SMALLEST_UNDERLAY_MTU, LARGEST_MTU)
  return {
    type: 'vxlan',
    vni: fields.integer('VNI', 0, MAX_VNI) ?? VXLAN_DEFAULTS.vni,
    port: portOr(fields, LINUX_VXLAN_PORT),
    underlayMtu: mtu,
    gbp: fields.boolean('GBP') ?? false,
    learning: fields.boolean('Learning') ?? false,
    directRouting: fields.boolean('DirectRouting') ?? false,
  }
}
