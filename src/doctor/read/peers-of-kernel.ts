import type { KernelTables } from '../../kernel/kernel.ts'
import type { Reach } from '../../probe/reach.ts'
import type { PeerStatus } from '../../status/document.ts'
import type { Echo, OverlayHere, Probes } from '../view.ts'
import { parseIp, type Ip } from '../../net/ip.ts'

/** Without an agent, so many peers are asked at most. */
export const MOST_ASKED = 64

/** Smallest packet that is tried where large ones do not pass, in octets (RFC 791: what every host takes; RFC 8200 for IPv6). */
const SMALLEST = { 4: 576, 6: 1280 } as const

/** Peers as they stand in the tables of a device that an agent has left. Pure. */
export function peersOfTables(
  { family, device }: OverlayHere,
  { routes, neighbours, fdb }: KernelTables,
): readonly PeerStatus[] {
  if (device === undefined) return []
  const macs = new Map(neighbours.map(({ ip, mac }) => [ip.text, mac]))
  const remotes = new Map(fdb.map(({ mac, remote }) => [mac, remote]))
  return routes.flatMap(({ destination, gateway, type }) => {
    if (type !== 'unicast' || gateway === undefined || gateway.text !== destination.base.text) return []
    const mac = macs.get(gateway.text)
    const remote = mac && remotes.get(mac)
    if (mac === undefined || remote === undefined) return []
    return [
      {
        ...{ family, name: remote.text, nodeId: null, key: destination.text.replace('/', '-'), isReserved: null },
        ...{
          keptUntil: null,
          subnet: destination.text,
          publicIp: remote.text,
          backendType: 'vxlan',
          mac,
          address: gateway.text,
        },
        ...{ isDirect: false, entries: [], reach: 'unknown', reachSince: new Date(0).toISOString() },
        ...{ rttMs: null, loss: 0, passesOctets: null, underlay: null },
      } satisfies PeerStatus,
    ]
  })
}

/** Asks them over the overlay. */
export const askAll = (
  peers: readonly PeerStatus[],
  here: OverlayHere,
  probes: Probes,
): Promise<readonly PeerStatus[]> => Promise.all(peers.slice(0, MOST_ASKED).map((peer) => askOne(peer, here, probes)))

async function askOne(peer: PeerStatus, { device, family }: OverlayHere, probes: Probes): Promise<PeerStatus> {
  const address = parseIp(peer.address ?? '')
  if (address === undefined || device === undefined) return peer
  const { address: source, mtu } = device
  const small = await probes.echo(address, { source })
  if (small.is === 'silence') return { ...peer, ...as('unreachable'), loss: 1 }
  if (small.is === 'refused')
    return { ...peer, ...as('unreachable'), loss: 1, underlay: { answers: false, rttMs: null, says: small.says } }
  const passes = (octets: number): Promise<boolean> => echoPasses(probes, address, source, octets)
  if (await passes(mtu)) return { ...peer, ...as('reachable'), rttMs: small.rttMs }
  return { ...peer, ...as('mtu'), rttMs: small.rttMs, passesOctets: await largest(passes, SMALLEST[family], mtu) }
}

const as = (reach: Reach): { reach: Reach } => ({ reach })

const echoPasses = async (probes: Probes, to: Ip, source: Ip, octets: number): Promise<boolean> => {
  const echo: Echo = await probes.echo(to, { source, octets })
  return echo.is === 'answered'
}

/** By bisection: what passes, where `over` does not. */
async function largest(passes: (octets: number) => Promise<boolean>, from: number, over: number): Promise<number> {
  let [low, high] = [from, over]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await passes(middle)) low = middle
    else high = middle
  }
  return low
}
