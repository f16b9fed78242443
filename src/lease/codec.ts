import { ConfigError } from '../config/error.ts'
import { parseJsonObject, type JsonFields } from '../config/json.ts'
import { ipFromWords, type Family, type Ip } from '../net/ip.ts'
import { macFromParts } from '../net/mac.ts'
import { parsePrefix, parsePrefixParts, prefixOf, type Prefix } from '../net/prefix.ts'
import type { EtcdLeaseId, LeaseClaim, LeaseFamily, NodeIdentity, PeerRecord } from './lease.ts'
import { leaseFamily, PlainVtepData } from './lease.ts'
import { plainNode, Reader, readPlainValue, type PlainValue } from './plain/plain-value.ts'
import { rejectedFor, type Rejected } from './rejection.ts'
import type { LeaseRecord } from './store.ts'

const NO_KEY = 'the key is not a subnet such as 10.15.64.0-20 (optionally followed by & and an IPv6 one)'

/** No honest lease comes near this; longer values are not even parsed, and stores may cut them behind it. In UTF-16 units. */
export const LONGEST_VALUE = 16_384

/** Subnets of earlier leases that a lease tells of. */
const MOST_EARLIER = 8

/** A lease out of a record: what it claims in the place of what it says. */
type Decoded<Record extends PeerRecord> = LeaseClaim & Omit<Record, 'value'>

/** Names of the lease value's fields, by family. */
const FIELDS = {
  4: { publicIp: 'PublicIP', backendData: 'BackendData' },
  6: { publicIp: 'PublicIPv6', backendData: 'BackendV6Data' },
} as const

/**
 * Reads `10.15.64.0-20`, `10.15.64.0-20&fd00:10:0:40::-64`, or `fd00:10:0:40::-64`, which no store of upstream's has, but a Node of a cluster
 * that has IPv6 alone; undefined when it is none of these, or has host bits set.
 */
export function parseLeaseKey(key: string): readonly Prefix[] | undefined {
  const plain = parsePlainKey(key)
  if (plain !== undefined) return [plain]
  const [first = '', second, ...rest] = key.split('&')
  const ipv4 = parseKeyPart(first, 4)
  const only = ipv4 === undefined && second === undefined ? parseKeyPart(first, 6) : undefined
  if (only !== undefined) return [only]
  const ipv6 = second === undefined ? undefined : parseKeyPart(second, 6)
  if (ipv4 === undefined || rest.length > 0 || (second !== undefined && ipv6 === undefined)) return undefined
  return ipv6 === undefined ? [ipv4] : [ipv4, ipv6]
}

/** The key of a lease that has IPv4 alone, as there are tens of thousands. */
function parsePlainKey(key: string): Prefix | undefined {
  const text = new Reader(key)
  const base = text.ipv4()
  if (base === undefined || !text.skip('-')) return undefined
  const length = text.decimal(32)
  if (length === undefined || !text.endsWith('') || base % 2 ** (32 - length) !== 0) return undefined
  return prefixOf(ipFromWords(4, base, 0, 0, 0), length)
}

function parseKeyPart(part: string, family: Family): Prefix | undefined {
  const dash = part.lastIndexOf('-')
  const subnet = dash < 0 ? undefined : parsePrefixParts(part.slice(0, dash), part.slice(dash + 1))
  return subnet?.family === family && formatKeyPart(subnet) === part ? subnet : undefined
}

const formatKeyPart = (subnet: Prefix): string => `${subnet.base.text}-${subnet.length}`

/** The key of a lease for these subnets, IPv4 first. */
export const formatLeaseKey = (subnets: readonly Prefix[]): string => subnets.map(formatKeyPart).join('&')

/**
 * Decodes one record. Never throws: what cannot be read comes back as {@link Rejected}. Unknown fields are ignored.
 * @returns the claim, with whatever else the record says
 */
export function decodeLease(record: LeaseRecord): Decoded<LeaseRecord> | Rejected
export function decodeLease(record: PeerRecord): Decoded<PeerRecord> | Rejected
export function decodeLease(
  record: PeerRecord & Partial<LeaseRecord>,
): (Decoded<PeerRecord> & { readonly etcdLeaseId: EtcdLeaseId | undefined }) | Rejected {
  const subnets = parseLeaseKey(record.key)
  if (subnets === undefined) return rejectedFor('malformed', NO_KEY)
  if (record.value.length > LONGEST_VALUE)
    return rejectedFor('malformed', `the value has more than ${LONGEST_VALUE} characters`)
  const { key, value, etcdLeaseId, createRevision, modRevision } = record
  const plain = subnets.length === 1 ? readPlainValue(value) : undefined
  if (plain !== undefined) return { key, ...plainClaim(subnets, plain), etcdLeaseId, createRevision, modRevision }
  try {
    const fields = parseJsonObject('lease value', value)
    const backendType = fields.string('BackendType') ?? ''
    const families = subnets.map((subnet) => decodeFamily(subnet, fields))
    const node = decodeNode(fields.object('Node'))
    // field by field: tens of thousands are decoded, and a rest of the record costs more than all the parsing
    return { key, backendType, families, node, etcdLeaseId, createRevision, modRevision }
  } catch (error) {
    if (error instanceof ConfigError) return rejectedFor('malformed', error.message)
    throw error
  }
}

/** What can be read of a record at a glance. */
export interface PlainReading {
  readonly subnet: Prefix
  /** In network byte order, as an unsigned number. */
  readonly publicIp: number
  /** Where its node is named, if it is. */
  readonly node: string | undefined
}

/** Reads a record that has IPv4 alone, and is written as nearly all are; undefined: it is not. */
export function readPlainRecord({ key, value }: Pick<PeerRecord, 'key' | 'value'>): PlainReading | undefined {
  const subnet = parsePlainKey(key)
  const plain = subnet === undefined || value.length > LONGEST_VALUE ? undefined : readPlainValue(value)
  return subnet && plain && { subnet, publicIp: plain.publicIp, node: plain.node }
}

function plainClaim(subnets: readonly Prefix[], { backendType, publicIp, vtep, node }: PlainValue): LeaseClaim {
  const backendData = vtep && new PlainVtepData(vtep.vni, macFromParts(vtep.macHigh, vtep.macLow))
  const ip = ipFromWords(4, publicIp, 0, 0, 0)
  return {
    backendType,
    families: subnets.map((subnet) => ({ family: 4, subnet, publicIp: ip, backendData })),
    node: node === undefined ? undefined : plainNode(node),
  }
}

function decodeFamily(subnet: Prefix, fields: JsonFields): LeaseFamily {
  const { family } = subnet
  const names = FIELDS[family]
  const publicIp = fields.ip(names.publicIp, family)
  if (publicIp === undefined) throw new ConfigError(names.publicIp, `an IPv${family} address`, undefined)
  return { family, subnet, publicIp, backendData: fields.raw(names.backendData) }
}

function decodeNode(fields: JsonFields | undefined): NodeIdentity | undefined {
  const id = fields?.string('ID')
  return id === undefined ? undefined : { id, hostname: fields?.string('Hostname') ?? '' }
}

/** Whom a value names as its node, also where the rest of it cannot be honoured; undefined: nobody, or it cannot be read. */
export function nodeIn({ value }: Pick<PeerRecord, 'value'>): NodeIdentity | undefined {
  if (value.length > LONGEST_VALUE) return undefined
  try {
    return decodeNode(parseJsonObject('lease value', value).object('Node'))
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

/**
 * Subnets that the node of a lease has given up, the newest first. Only a node itself has a use for them, so that nobody else need decode
 * them. What cannot be read is left out: it is only a wish.
 */
export function earlierSubnets({ value }: Pick<PeerRecord, 'value'>): readonly Prefix[] {
  if (value.length > LONGEST_VALUE || !value.includes('Earlier')) return []
  try {
    const text = parseJsonObject('lease value', value).object('Node')?.string('Earlier') ?? ''
    return text
      .split(' ')
      .slice(0, MOST_EARLIER)
      .flatMap((subnet) => parsePrefix(subnet) ?? [])
  } catch (error) {
    if (error instanceof ConfigError) return []
    throw error
  }
}

/** The value to store: upstream's fields in upstream's order, then our `Node`, which upstream ignores. */
export function encodeLease(claim: LeaseClaim): string {
  const publicIp = (family: Family): Ip | undefined => leaseFamily(claim, family)?.publicIp
  const backendData = (family: Family): unknown => leaseFamily(claim, family)?.backendData
  return JSON.stringify({
    PublicIP: publicIp(4)?.text ?? '0.0.0.0',
    PublicIPv6: publicIp(6)?.text ?? null,
    BackendType: claim.backendType === '' ? undefined : claim.backendType,
    BackendData: backendData(4),
    BackendV6Data: backendData(6),
    Node: claim.node === undefined ? undefined : encodeNode(claim.node, claim.earlier),
  })
}

const encodeNode = ({ id, hostname }: NodeIdentity, earlier: readonly Prefix[] = []): object => ({
  ID: id,
  Hostname: hostname,
  Earlier:
    earlier.length > 0
      ? earlier
          .slice(0, MOST_EARLIER)
          .map(({ text }) => text)
          .join(' ')
      : undefined,
})
