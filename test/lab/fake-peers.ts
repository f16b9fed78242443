import { vxlanLease, waitFor, type Lab } from './index.ts'
import type { ReadLease } from './expected-tables.ts'
import { DEVICE } from './use-lab.ts'

const hex = (byte: number): string => byte.toString(16).padStart(2, '0')

/** A node that exists in etcd only, outside the range that real ones are given subnets of. */
export function fakePeer(n: number): ReadLease {
  const base = `10.${200 + (n >> 8)}.${n & 255}.0`
  return {
    base,
    subnet: `${base}/24`,
    publicIp: `172.20.${n >> 7}.${(n & 127) + 1}`,
    mac: `82:02:00:00:${hex(n >> 8)}:${hex(n & 255)}`,
  }
}

export const leaseName = ({ subnet }: ReadLease): string => subnet.replace('/', '-')

export const putPeer = (lab: Lab, peer: ReadLease): Promise<void> =>
  lab.putLease(leaseName(peer), vxlanLease(peer.publicIp, peer.mac))

/** Puts the fake peers number `from` to `from + count - 1` into etcd. */
export function putPeers(lab: Lab, from: number, count: number): Promise<void> {
  const peers = Array.from({ length: count }, (_, at) => fakePeer(from + at))
  return lab.putLeases(peers.map((peer) => [leaseName(peer), vxlanLease(peer.publicIp, peer.mac)] as const))
}

/** Waits until every host holds the entries of `count` peers. */
export async function holdPeers(lab: Lab, count: number, deadlineMs = 10_000): Promise<void> {
  for (const host of lab.hosts) {
    const look = async (): Promise<boolean> => {
      const { neighbours, fdb, routes } = await host.peerTables(DEVICE)
      return [neighbours, fdb, routes].every(({ length }) => length === count)
    }
    await waitFor(`${host.name} to hold ${count} peers`, look, { deadlineMs })
  }
}
