import type { PeersSummary } from '../../status/document.ts'
import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, Suspect, View } from '../view.ts'
import { onHost } from './words.ts'

/** Whether the way to peers carries less than the overlay's MTU. */
export const pathMtu: Check<View> = {
  name: 'the size of packets that pass',
  async look({ reaches, overlay, suspects }) {
    const narrow = (await suspects()).filter(({ reach }) => reach === 'mtu')
    const counts = await reaches()
    return (await overlay()).flatMap((here) => judgeSizes(here, narrow, counts))
  },
}

/** What VXLAN adds (RFC 7348 section 5): outer IP, UDP 8, VXLAN 8, inner Ethernet 14. */
const OVERHEAD = { 4: 50, 6: 70 } as const

/** What the udp backend adds, which carries IPv4 alone: outer IP, UDP 8. */
const UDP_OVERHEAD = 28

function overheadOf({ family, device }: OverlayHere, peers: readonly Suspect[]): number {
  if (device === undefined || peers.some(({ isDirect }) => isDirect)) return 0
  return device.carrier === undefined ? OVERHEAD[family] : UDP_OVERHEAD
}

/** How many peers are how, as the agent counts them, in all families. */
type Counts = PeersSummary['byReach']

/** Of several peers that answer, not one takes full size: what they have in common is this host. */
const isNarrowHere = (counts: Counts | undefined): boolean =>
  counts !== undefined && counts.mtu > 1 && counts.reachable + counts.lossy === 0

const COMPARE =
  'flanneld doctor on another host: where that says the same, what is narrow is the network between, and not this host'

/** Pure. One finding for all peers to which the same size passes. @param counts undefined: nobody has asked all of them */
export function judgeSizes(here: OverlayHere, peers: readonly Suspect[], counts?: Counts): readonly Finding[] {
  const bySize = new Map<number, Suspect[]>()
  for (const peer of peers) {
    if (peer.family !== here.family || peer.passesOctets === null) continue
    bySize.set(peer.passesOctets, [...(bySize.get(peer.passesOctets) ?? []), peer])
  }
  const isHere = bySize.size === 1 && isNarrowHere(counts)
  const isThere = counts?.mtu === 1 && counts.reachable > 0
  return Array.from(bySize, ([octets, all]) =>
    judgeSize(here, all, { octets, of: isHere ? counts?.mtu : undefined, isThere }),
  )
}

interface Narrow {
  /** That pass. */
  readonly octets: number
  /** All peers, where it is so with each of them. */
  readonly of: number | undefined
  /** Others take full size, and one alone does not: what is narrow is on its side. */
  readonly isThere: boolean
}

function judgeSize(here: OverlayHere, all: readonly Suspect[], { octets, of, isThere }: Narrow): Finding {
  const { family, device, underlay } = here
  const to = of === undefined ? all.map(({ name }) => name).join(', ') : `all ${of} peers that answer`
  const carries = octets + overheadOf(here, all)
  const [first] = all
  const only = all.length === 1 && first !== undefined ? { peer: first.name } : {}
  const isHere = of !== undefined
  return {
    ...{ cause: 'path-mtu-smaller', severity: 'broken', ...only, explains: [`packet size to peers over IPv${family}`] },
    summary:
      `on the way to ${to} packets of more than ${octets} octets are lost, ` +
      `but the overlay's MTU is ${device?.mtu ?? 'more'}: connections open, and hang when they carry much` +
      (isHere ? '; the narrow place is at this host, its uplink, or what all hosts share' : '') +
      (isThere ? `; other peers take full size: the narrow place is most likely at ${to} or its uplink` : ''),
    evidence: [
      `ping -M do -s ${octets - ICMP[family]} ${first?.address ?? first?.publicIp ?? ''} passes, one octet more does not`,
      ...(isHere ? [`flanneld peers: no peer takes more, of ${of}`] : []),
      ...(device === undefined ? [] : [`ip link show ${device.name}: mtu ${device.mtu}`]),
    ],
    cure: [
      ...(isHere ? [uplinkOf(underlay.interface, carries), COMPARE] : []),
      ...(isThere ? [onHost(to, 'flanneld doctor, which says whether it is so with all of its peers')] : []),
      smaller(here, carries),
      `or have the way carry more: the MTU of switches, tunnels and VPNs between the hosts, which ${underlay.interface} takes for granted`,
    ],
  }
}

/** The udp backend reads no MTU: it goes by that of the interface. */
const smaller = ({ device, underlay }: OverlayHere, carries: number): string =>
  device?.carrier === undefined
    ? `"MTU": ${carries} in "Backend" of the network configuration (the underlay's MTU, for all nodes), then restart flanneld on each`
    : `ip link set dev ${underlay.interface} mtu ${carries} on each host (with udp the overlay's MTU follows it), and in what configures it; then start containers again`

const uplinkOf = (name: string, carries: number): string =>
  `look at what ${name} is plugged into first, be it a port of a switch, a bridge of a hypervisor or a VPN: it carries ${carries} octets`

/** Headers of an echo: IP and ICMP (RFC 791, 792, 8200, 4443). */
const ICMP = { 4: 28, 6: 48 } as const
