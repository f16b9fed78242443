import { readAddresses } from '../lab/tables.ts'
import type { PeerTables, StoredLease } from '../lab/index.ts'
import { objectAt, parseObject, textAt } from '../lab/json.ts'
import { DEVICE, type Machine, type World } from './fault.ts'

/** Octets that VXLAN adds on an IPv4 underlay (RFC 7348 §5). */
const VXLAN_OVERHEAD = 50

/** What a lease says, read without the agent's own codec. */
interface ReadLease {
  readonly name: string
  readonly publicIp: string
  readonly mac: string
}

function readLease({ name, value }: StoredLease): ReadLease {
  const json = parseObject(value)
  return {
    name,
    publicIp: textAt(json, 'PublicIP') ?? '',
    mac: textAt(objectAt(json, 'BackendData'), 'VtepMAC') ?? '',
  }
}

/** What must stay as it was when the machine came up. */
export interface Unchanging {
  readonly mac: string
  readonly addresses: readonly string[]
  readonly subnet: string
}

export async function readUnchanging({ host }: Machine): Promise<Unchanging> {
  const [link, addresses, file] = await Promise.all([
    host.link(DEVICE),
    readAddresses(host.place, DEVICE),
    host.subnetFile(),
  ])
  return { mac: link?.mac ?? '', addresses, subnet: file?.subnet.text ?? '' }
}

/** The entries that a lease makes on its peers, one line each; the metric of a route is left to the agent. */
function entriesOf({ name, publicIp, mac }: ReadLease): readonly string[] {
  const [base = ''] = name.split('-')
  return [
    `neighbour ${base} lladdr ${mac} permanent`,
    `fdb ${mac} dst ${publicIp} permanent`,
    `route ${name.replace('-', '/')} via ${base} proto 70 onlink`,
  ]
}

const flag = (set: boolean, name: string): string => (set ? ` ${name}` : '')

/** What the kernel holds, in the same words. */
const entriesIn = ({ neighbours, fdb, routes }: PeerTables): readonly string[] => [
  ...neighbours.map(
    ({ address, mac, permanent }) => `neighbour ${address} lladdr ${mac}${flag(permanent, 'permanent')}`,
  ),
  ...fdb.map(({ mac, remote, permanent }) => `fdb ${mac} dst ${remote}${flag(permanent, 'permanent')}`),
  ...routes.map(
    ({ destination, gateway, protocol, onlink }) =>
      `route ${destination} via ${gateway} proto ${protocol}${flag(onlink, 'onlink')}`,
  ),
]

/** Entries of peers that are in their grace period: recognized by the subnet, or the number in MAC and address. */
function isOfGrace(entry: string, subnets: ReadonlySet<string>): boolean {
  return [...subnets].some((subnet) => {
    const [, second = 0, third = 0] = subnet.split('/')[0]?.split('.').map(Number) ?? []
    const index = ((second - 128) << 4) | (third >> 4)
    const octets = [index >> 8, index & 0xff]
    const tail = octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':')
    return entry.includes(` ${subnet.split('/')[0] ?? ''}`) || new RegExp(`^fdb 02:50:..:..:${tail} `).test(entry)
  })
}

/** How a machine's entries differ from the expected ones, those of peers in their grace period left aside. */
export function tableDifferences(
  actual: readonly string[],
  expected: readonly string[],
  grace: ReadonlySet<string>,
): string[] {
  const [is, should] = [new Set(actual), new Set(expected)]
  return [
    ...expected.filter((entry) => !is.has(entry)).map((entry) => `missing: ${entry}`),
    ...actual.filter((entry) => !should.has(entry) && !isOfGrace(entry, grace)).map((entry) => `too much: ${entry}`),
    ...(is.size === actual.length ? [] : ['an entry is there twice']),
  ]
}

/** Compares what something is with what it should be. */
const compare = (what: string, is: unknown, should: unknown): string[] =>
  is === should ? [] : [`${what} is ${String(is)} instead of ${String(should)}`]

async function deviceDifferences(machine: Machine, unchanging: Unchanging): Promise<string[]> {
  const { host, address, underlayMtu } = machine
  const [link, addresses, file] = await Promise.all([
    host.link(DEVICE),
    readAddresses(host.place, DEVICE),
    host.subnetFile(),
  ])
  const mtu = underlayMtu - VXLAN_OVERHEAD
  return [
    ...compare('the device is up:', link?.up, true),
    ...compare('its MAC', link?.mac, unchanging.mac),
    ...compare('its MTU', link?.mtu, mtu),
    ...compare('its local address', link?.vxlan?.local, address),
    ...compare('its addresses', addresses.join(' '), unchanging.addresses.join(' ')),
    ...compare('the subnet of the file', file?.subnet.text, unchanging.subnet),
    ...compare('the MTU of the file', file?.mtu, mtu),
  ]
}

async function machineDifferences(
  machine: Machine,
  leases: readonly ReadLease[],
  unchanging: Unchanging,
  grace: ReadonlySet<string>,
): Promise<string[]> {
  const own = leases.find(({ name }) => name === machine.leaseName)
  const expected = leases.filter((lease) => lease !== own).flatMap(entriesOf)
  const [device, tables] = await Promise.all([
    deviceDifferences(machine, unchanging),
    machine.host.peerTables(DEVICE).catch(() => ({ neighbours: [], fdb: [], routes: [] })),
  ])
  return [
    ...compare('the address in its lease', own?.publicIp, machine.address),
    ...compare('the MAC in its lease', own?.mac, unchanging.mac),
    ...device,
    ...tableDifferences(entriesIn(tables), expected, grace),
  ].map((text) => `${machine.host.name}: ${text}`)
}

/** Everything in which a machine differs from what the leases in etcd and its underlay ask for, one line each. */
export async function differences(world: World, unchanging: ReadonlyMap<Machine, Unchanging>): Promise<string[]> {
  const leases = (await world.lab.leases()).map(readLease)
  const grace = world.peers.graceSubnets()
  const ofEach = world.machines.map((machine) => {
    const before = unchanging.get(machine)
    if (before === undefined) throw new Error(`${machine.host.name} was never looked at`)
    return machineDifferences(machine, leases, before, grace)
  })
  return (await Promise.all(ofEach)).flat()
}
