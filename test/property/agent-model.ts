import type { LeaseRecord } from '../../src/lease/store.ts'
import { OUR_ID, type MortalWorld } from '../fake/mortal-world.ts'

/**
 * What must be true of a node once all faults are over, worked out from etcd's records and the underlay alone: none of the agent's own
 * code is used for it.
 */

interface Subnet {
  readonly first: number
  readonly last: number
  readonly text: string
  readonly base: string
  readonly number: number
}

interface Candidate {
  readonly key: string
  readonly subnet: Subnet
  readonly mac: string
  readonly publicIp: string
  readonly createRevision: bigint
}

const toNumber = (address: string): number => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)

const NETWORK_FIRST = toNumber('10.0.0.0')
const NETWORK_LAST = toNumber('10.255.255.255')

function subnetOf(key: string): Subnet | undefined {
  const [, base, bits] = /^(\d+\.\d+\.\d+\.\d+)-(\d+)$/.exec(key) ?? []
  if (base === undefined || bits === undefined) return undefined
  const size = 2 ** (32 - Number(bits))
  const first = toNumber(base)
  if (first % size !== 0) return undefined
  const number = Math.floor((first - NETWORK_FIRST) / size)
  return { first, last: first + size - 1, text: `${base}/${bits}`, base, number }
}

const overlap = (a: Subnet, b: Subnet): boolean => a.first <= b.last && b.first <= a.last
const covers = ({ first, last }: Subnet, address: string): boolean =>
  toNumber(address) >= first && toNumber(address) <= last

type Fields = Readonly<Record<string, unknown>>
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

function fieldsOf(value: string): Fields {
  try {
    const parsed: unknown = JSON.parse(value)
    return isFields(parsed) ? parsed : {}
  } catch {
    return {}
  }
}

/** Undefined for a record that no honest peer would write. */
function candidateOf(record: LeaseRecord): Candidate | undefined {
  const subnet = subnetOf(record.key)
  const { PublicIP: publicIp, BackendType: type, BackendData: data } = fieldsOf(record.value)
  const mac = isFields(data) ? data['VtepMAC'] : undefined
  if (subnet === undefined || type !== 'vxlan' || typeof publicIp !== 'string' || typeof mac !== 'string')
    return undefined
  if (!/^192\.168\.\d+\.\d+$/.test(publicIp) || !/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/.test(mac)) return undefined
  return { key: record.key, subnet, mac, publicIp, createRevision: record.createRevision }
}

/** Whether nothing of a peer contradicts what we ourselves are. */
function isNoThreat(peer: Candidate, own: Candidate): boolean {
  const { subnet, publicIp, mac } = peer
  return (
    subnet.first >= NETWORK_FIRST &&
    subnet.last <= NETWORK_LAST &&
    !overlap(subnet, own.subnet) &&
    publicIp !== own.publicIp &&
    mac !== own.mac
  )
}

const clash = (a: Candidate, b: Candidate): boolean =>
  a.mac === b.mac || overlap(a.subnet, b.subnet) || covers(a.subnet, b.publicIp) || covers(b.subnet, a.publicIp)

/** Oldest first, each unless it clashes with one that is in. */
function peersOf(records: readonly LeaseRecord[], own: Candidate): readonly Candidate[] {
  const chosen: Candidate[] = []
  const candidates = records.flatMap((record) => (record.key === own.key ? [] : (candidateOf(record) ?? [])))
  candidates.sort((a, b) => Number(a.createRevision - b.createRevision) || (a.key < b.key ? -1 : 1))
  for (const peer of candidates)
    if (isNoThreat(peer, own) && !chosen.some((other) => clash(peer, other))) chosen.push(peer)
  return chosen
}

const rowsFor = ({ subnet, mac, publicIp }: Candidate): readonly string[] => [
  `neighbour ${subnet.base} ${mac}`,
  `fdb ${mac} ${publicIp}`,
  `route ${subnet.text} via ${subnet.base} metric ${subnet.number + 1} protocol 70`,
]

/** Everything that should be seen of the node, as text. */
export function expectedOf(world: MortalWorld): readonly string[] {
  const { etcd, card } = world
  const key = world.ownKey
  const record = key === undefined ? undefined : etcd.get(key)
  const own = record && candidateOf(record)
  if (record === undefined || own === undefined || card === undefined) return ['no lease of our own in etcd']
  const node = fieldsOf(record.value)['Node']
  const mtu = card.mtu - 50
  return [
    `lease ${own.key} of ${isFields(node) ? String(node['ID']) : 'nobody'}, ${OUR_ID} it should be`,
    `published ${own.publicIp}`,
    'other leases with our id: none',
    `device up mtu ${mtu} mac ${own.mac} address ${own.subnet.base}`,
    `file ${own.subnet.base.replace(/0$/, '1')}/${own.key.split('-')[1] ?? ''} mtu ${mtu}`,
    ...peersOf(etcd.records, own).flatMap(rowsFor),
  ].sort()
}

const othersOfOurs = ({ etcd, ownKey }: MortalWorld): string =>
  etcd.records.flatMap(({ key, value }) => (key !== ownKey && value.includes(OUR_ID) ? [key] : [])).join(' ') || 'none'

/** The same, as it is. */
export function actualOf(world: MortalWorld): readonly string[] {
  const { kernel, device, file = '', ownKey = '' } = world
  const { neighbours, fdb, routes, addresses } = kernel.tables
  const onDevice = <T extends { readonly linkIndex: number | undefined }>(rows: Iterable<T>): readonly T[] =>
    [...rows].filter(({ linkIndex }) => linkIndex === device?.index)
  // ours is there twice where a foreign one stands before it
  const overlayAddress = new Set(
    onDevice(addresses.values()).flatMap(({ ip }) => (ip.text.startsWith('10.') ? [ip.text] : [])),
  )
  const read = (name: string): string => new RegExp(`${name}=(.*)`).exec(file)?.[1] ?? 'missing'
  const foreign = kernel.foreignRoutes
  return [
    `lease ${ownKey} of ${OUR_ID}, ${OUR_ID} it should be`,
    `published ${device?.vxlan?.local?.text ?? 'nothing'}`,
    `other leases with our id: ${othersOfOurs(world)}`,
    `device ${device?.up === true ? 'up' : 'down'} mtu ${device?.mtu ?? '-'} mac ${device?.mac ?? '-'} address ${[...overlayAddress].join(' ')}`,
    `file ${read('FLANNEL_SUBNET')} mtu ${read('FLANNEL_MTU')}`,
    ...onDevice(neighbours.values()).map(({ value }) => `neighbour ${value.ip.text} ${value.mac ?? ''}`),
    ...onDevice(fdb.values()).map(({ value }) => `fdb ${value.mac} ${value.remote?.text ?? ''}`),
    ...onDevice(routes.values())
      .filter(({ destination, protocol }) => !foreign.has(destination.text) && protocol !== 'kernel')
      .map(
        (r) => `route ${r.destination.text} via ${r.gateway?.text ?? '-'} metric ${r.metric} protocol ${r.protocol}`,
      ),
  ].sort()
}
