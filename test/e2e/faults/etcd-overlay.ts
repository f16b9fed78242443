import { expect } from 'vitest'
import { outputOf } from '../../lab/command.ts'
import { vxlanLease, waitFor, type Lab, type LabHost, type PingStream } from '../../lab/index.ts'
import { ETCD_PREFIX } from '../../lab/lab.ts'
import { readLease, tablesFor, type ReadLease } from '../../lab/expected-tables.ts'
import { DEVICE } from '../../lab/use-lab.ts'

/** How soon every agent must have followed what happened in etcd while it was out of reach. */
export const FOLLOWED_WITHIN_MS = 5_000

/** A peer that no machine stands behind: number `index` of many, beyond the range that agents choose from. */
export interface MadeUpPeer {
  readonly name: string
  readonly value: string
}

const hex = (octet: number): string => octet.toString(16).padStart(2, '0')

/** @param version another one has another MAC and PublicIP */
export function madeUpPeer(index: number, version = 0): MadeUpPeer {
  const [high, low] = [index >> 8, index & 255]
  return {
    name: `10.${200 + (index >> 4)}.${(index & 15) << 4}.0-20`,
    value: vxlanLease(`172.20.${(high << 4) + version}.${low}`, `82:aa:00:${hex(version)}:${hex(high)}:${hex(low)}`),
  }
}

export interface LeaseChanges {
  readonly put?: readonly MadeUpPeer[]
  readonly remove?: readonly string[]
}

/** Writes all of it in one transaction: at most 128 changes, etcd's default. */
export async function changeLeases({ etcd }: Lab, { put = [], remove = [] }: LeaseChanges): Promise<void> {
  const key = (name: string): string => `${ETCD_PREFIX}/subnets/${name}`
  const operations = [
    ...put.map(({ name, value }) => `put ${key(name)} ${JSON.stringify(value)}`),
    ...remove.map((name) => `del ${key(name)}`),
  ]
  const line = ['etcdctl', `--endpoints=${etcd.servingEndpoints.join(',')}`, 'txn'] as const
  await outputOf(line, { input: `\n${operations.join('\n')}\n\n\n` })
}

/** A few at a time: what goes with most others in one revision is taken for a fault of etcd, and held. */
export async function removeMadeUpPeers(lab: Lab): Promise<void> {
  let names = (await lab.leases()).map(({ name }) => name).filter((name) => /^10\.2\d\d\./.test(name))
  while (names.length > 0) {
    const few = Math.min(100, Math.max(2, Math.floor(names.length / 3)))
    await changeLeases(lab, { remove: names.slice(0, few) })
    names = names.slice(few)
  }
}

/** What the host holds must be what etcd holds, without its own lease. */
async function isExact(host: LabHost, leases: readonly ReadLease[]): Promise<void> {
  const own = (await host.subnetFile())?.subnet.base.text
  const peers = leases.filter(({ base }) => base !== own)
  expect(peers.length, `${host.name} has a lease of its own`).toBe(leases.length - 1)
  expect(await host.peerTables(DEVICE), host.name).toEqual(tablesFor(peers))
}

/** Waits until the tables of these hosts are, entry by entry, what etcd holds. */
export async function allExact(lab: Lab, deadlineMs = FOLLOWED_WITHIN_MS, hosts = lab.hosts): Promise<void> {
  const look = async (): Promise<boolean> => {
    const leases = (await lab.leases()).map(readLease)
    for (const host of hosts) await isExact(host, leases)
    return true
  }
  await waitFor('every table to be what etcd holds', look, { deadlineMs, everyMs: 50 })
}

/** Between the first container of one host and that of another, under way. */
export async function pingBetween(from: LabHost, to: LabHost): Promise<PingStream> {
  const [source, target] = [from.containers[0], to.containers[0]]
  if (!source || !target) throw new Error('no containers')
  const stream = source.pingStream(target.address, 20)
  await stream.progress(3)
  return stream
}

/** Does something while containers ping each other: not one ping may be lost, and they must still be answered afterwards. */
export async function losesNoPing(
  pairs: readonly (readonly [LabHost, LabHost])[],
  action: () => Promise<void>,
): Promise<void> {
  const streams = await Promise.all(pairs.map(([from, to]) => pingBetween(from, to)))
  try {
    await action()
    await Promise.all(streams.map((stream) => stream.progress(3)))
  } finally {
    const results = await Promise.all(streams.map((stream) => stream.stop()))
    expect(
      results.map(({ lost }) => lost),
      'lost pings',
    ).toEqual(results.map(() => []))
  }
}

/** Each host to the next, round in a circle. */
export const inCircle = (hosts: readonly LabHost[]): readonly (readonly [LabHost, LabHost])[] =>
  hosts.flatMap((host, at) => {
    const next = hosts[(at + 1) % hosts.length]
    return next === undefined || next === host ? [] : [[host, next] as const]
  })

/** Drops everything between a host and these ports of etcd, as a fault of the network between them does; its VXLAN goes on. */
export async function partition(
  { place }: LabHost,
  etcd: { readonly address?: string; readonly port?: number } = {},
): Promise<void> {
  const { address, port = 2379 } = etcd
  const to = address === undefined ? '' : `ip daddr ${address}`
  const from = address === undefined ? '' : `ip saddr ${address}`
  await place.exec('nft', [
    `table inet partition {
      chain out { type filter hook output priority 0; ${to} tcp dport ${port} drop; };
      chain in { type filter hook input priority 0; ${from} tcp sport ${port} drop; };
    }`,
  ])
}

export async function healPartition({ place }: LabHost): Promise<void> {
  await place.attempt('nft', ['delete table inet partition'])
}
