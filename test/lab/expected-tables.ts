import { expect } from 'vitest'
import { waitFor, type Lab, type LabHost, type PeerTables, type StoredLease } from './index.ts'
import { objectAt, parseObject, textAt } from './json.ts'
import { DEVICE } from './use-lab.ts'

/** What a lease says of IPv4, read without the agent's own codec. */
export interface ReadLease {
  readonly base: string
  readonly subnet: string
  readonly publicIp: string
  readonly mac: string
}

export function readLease({ name, value }: StoredLease): ReadLease {
  const json = parseObject(value)
  const [ipv4 = ''] = name.split('&')
  const [base = ''] = ipv4.split('-')
  return {
    base,
    subnet: ipv4.replace('-', '/'),
    publicIp: textAt(json, 'PublicIP') ?? '',
    mac: textAt(objectAt(json, 'BackendData'), 'VtepMAC') ?? '',
  }
}

export async function leaseOf(lab: Lab, host: LabHost): Promise<ReadLease> {
  const base = (await host.ready()).subnet.base.text
  const lease = (await lab.leases()).find(({ name }) => name.startsWith(`${base}-`))
  if (!lease) throw new Error(`${host.name} has no lease`)
  return readLease(lease)
}

/** Compares as text, by the first column: the order in which the tables are read. */
const sorted = <T>(rows: readonly T[], key: (row: T) => string): T[] =>
  [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1))

/** The tables that these peers, and no others, must make; the metric is left to the agent. */
export function tablesFor(peers: readonly ReadLease[]): unknown {
  return {
    neighbours: sorted(
      peers.map(({ base, mac }) => ({ address: base, mac, permanent: true })),
      ({ address }) => address,
    ),
    fdb: sorted(
      peers.map(({ mac, publicIp }) => ({ mac, remote: publicIp, permanent: true })),
      ({ mac, remote }) => `${mac} ${remote}`,
    ),
    routes: sorted(
      peers.map(({ subnet, base }) => ({
        destination: subnet,
        gateway: base,
        metric: expect.any(Number) as unknown,
        protocol: '70',
        onlink: true,
      })),
      ({ destination }) => destination,
    ),
  }
}

/** Waits until the host's tables hold exactly these peers. */
export async function peersAre(host: LabHost, peers: readonly ReadLease[], deadlineMs = 10_000): Promise<PeerTables> {
  const look = async (): Promise<PeerTables> => {
    const tables = await host.peerTables(DEVICE)
    expect(tables).toEqual(tablesFor(peers))
    return tables
  }
  return waitFor(`${host.name} to hold exactly ${peers.length} peers`, look, { deadlineMs, everyMs: 50 })
}

/** Everything about the device and its tables as iproute2 prints it, index and flags included. */
export async function wholeDevice({ place }: LabHost): Promise<unknown> {
  const [link, addresses, neighbours, fdb, routes] = await Promise.all([
    place.ip('link', 'show', 'dev', DEVICE),
    place.ip('address', 'show', 'dev', DEVICE),
    place.ip('neighbour', 'show', 'dev', DEVICE),
    place.bridge('fdb', 'show', 'dev', DEVICE),
    place.ip('route', 'show', 'dev', DEVICE),
  ])
  return { link, addresses, neighbours, fdb, routes }
}
