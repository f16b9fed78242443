import { isObject } from '../../config/json.ts'
import { parseIp } from '../../net/ip.ts'
import { hostPrefix, prefixOf, type Prefix } from '../../net/prefix.ts'
import { listAt, objectAt, textAt } from '../json.ts'
import {
  any,
  isInterface,
  isWithin,
  maybe,
  negatedIf,
  truth,
  type Condition,
  type Traffic,
  type Truth,
} from './traffic.ts'

/** What nft writes at the end of a name that stands for all that begin so. */
const WILDCARD = '*'

/** Compares what a rule asks about with one of the values that it names; `maybe` for a value that cannot be read. */
type Comparison = (traffic: Traffic, value: unknown) => Truth

/** The condition of a `match` of nft's JSON (libnftables-json(5)); `maybe` for whatever is not known here. */
export function matchCondition(match: unknown): Condition {
  const operator = textAt(match, 'op')
  const compare = isObject(match) ? comparisonOf(match['left']) : undefined
  if (compare === undefined || !['==', '!=', 'in'].includes(operator)) return maybe
  const values = valuesOf(isObject(match) ? match['right'] : undefined)
  return negatedIf(operator === '!=', (traffic) => any(values.map((value) => compare(traffic, value))))
}

/** Values one by one; what is no value of its own, such as the name of a set, stays as it is and is never known. */
function valuesOf(right: unknown): readonly unknown[] {
  if (Array.isArray(right)) return right
  const set = isObject(right) ? right['set'] : undefined
  return Array.isArray(set) ? set.flatMap(elementOf) : [isObject(right) && set !== undefined ? set : right]
}

/** A set's element may carry a comment or counters of its own. */
const elementOf = (element: unknown): readonly unknown[] => {
  const inner = objectAt(element, 'elem')
  return [inner === undefined ? element : inner['val']]
}

/** Undefined for whatever is not known of the packets. */
export function comparisonOf(left: unknown): Comparison | undefined {
  const meta = textAt(objectAt(left, 'meta'), 'key')
  if (meta !== '') return META[meta]
  const ct = textAt(objectAt(left, 'ct'), 'key')
  if (ct !== '') return CT[ct]
  const payload = objectAt(left, 'payload')
  return payload === undefined ? undefined : payloadComparison(textAt(payload, 'protocol'), textAt(payload, 'field'))
}

const isName =
  (nameIn: (traffic: Traffic) => string | undefined): Comparison =>
  (traffic, value) =>
    typeof value === 'string' && !value.startsWith('@') ? isInterface(nameIn(traffic), value, WILDCARD) : 'maybe'

const isWord =
  (wordIn: (traffic: Traffic) => string): Comparison =>
  (traffic, value) =>
    typeof value === 'string' && !value.startsWith('@') ? truth(value === wordIn(traffic)) : 'maybe'

const META: Readonly<Record<string, Comparison>> = {
  iifname: isName(({ input }) => input),
  iif: isName(({ input }) => input),
  oifname: isName(({ output }) => output),
  oif: isName(({ output }) => output),
  nfproto: isWord(({ family }) => `ipv${family}`),
  protocol: isWord(({ family }) => (family === 4 ? 'ip' : 'ip6')),
  l4proto: isWord(({ protocol }) => protocol),
}

/** The packets begin connections whose addresses nobody has changed. */
const CT: Readonly<Record<string, Comparison>> = {
  state: isWord(() => 'new'),
  status: (_, value) => (value === 'dnat' || value === 'snat' ? 'no' : 'maybe'),
}

const TRANSPORTS: readonly string[] = ['tcp', 'udp', 'udplite', 'sctp', 'dccp', 'icmp', 'icmpv6', 'igmp', 'ah', 'esp']

function payloadComparison(protocol: string, field: string): Comparison | undefined {
  if (protocol === 'ip' || protocol === 'ip6') return addressComparison(protocol === 'ip' ? 4 : 6, field)
  if (!TRANSPORTS.includes(protocol)) return undefined
  return (traffic, value) => {
    if (traffic.protocol !== protocol) return 'no'
    const { destinationPort } = traffic
    return field === 'dport' && destinationPort !== undefined ? isPort(destinationPort, value) : 'maybe'
  }
}

function addressComparison(family: 4 | 6, field: string): Comparison {
  return (traffic, value) => {
    if (traffic.family !== family) return 'no'
    if (field === 'protocol' || field === 'nexthdr') return isWord(({ protocol }) => protocol)(traffic, value)
    const network = networkOf(value)
    if (network === undefined || (field !== 'saddr' && field !== 'daddr')) return 'maybe'
    return isWithin(field === 'saddr' ? traffic.source : traffic.destination, network)
  }
}

/** Undefined for what is no network: a range, the name of a set. */
export function networkOf(value: unknown): Prefix | undefined {
  const range = objectAt(value, 'prefix')
  const address = parseIp(range === undefined ? (typeof value === 'string' ? value : '') : textAt(range, 'addr'))
  if (address === undefined || range === undefined) return address && hostPrefix(address)
  const length = Number(textAt(range, 'len') || Number.NaN)
  return Number.isInteger(length) && length >= 0 && length <= address.bytes.length * 8
    ? prefixOf(address, length)
    : undefined
}

function isPort(port: number, value: unknown): Truth {
  const [from, to] = listAt(value, 'range')
  if (typeof from === 'number' && typeof to === 'number') return truth(port >= from && port <= to)
  return typeof value === 'number' ? truth(value === port) : 'maybe'
}
