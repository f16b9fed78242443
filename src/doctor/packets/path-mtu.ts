import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, Suspect, View } from '../view.ts'

/** Whether the way to peers carries less than the overlay's MTU. */
export const pathMtu: Check<View> = {
  name: 'the size of packets that pass',
  async look({ overlay, suspects }) {
    const narrow = (await suspects()).filter(({ reach }) => reach === 'mtu')
    return (await overlay()).flatMap((here) => judgeSizes(here, narrow))
  },
}

/** What VXLAN adds (RFC 7348 section 5): outer IP, UDP 8, VXLAN 8, inner Ethernet 14. */
const OVERHEAD = { 4: 50, 6: 70 } as const

/** Pure. One finding for all peers to which the same size passes. */
export function judgeSizes({ family, device, underlay }: OverlayHere, peers: readonly Suspect[]): readonly Finding[] {
  const bySize = new Map<number, Suspect[]>()
  for (const peer of peers) {
    if (peer.family !== family || peer.passesOctets === null) continue
    bySize.set(peer.passesOctets, [...(bySize.get(peer.passesOctets) ?? []), peer])
  }
  return Array.from(bySize, ([octets, all]): Finding => {
    const names = all.map(({ name }) => name).join(', ')
    const overhead = all.some(({ isDirect }) => isDirect) || device === undefined ? 0 : OVERHEAD[family]
    const carries = octets + overhead
    const [first] = all
    const only = all.length === 1 && first !== undefined ? { peer: first.name } : {}
    return {
      ...{
        cause: 'path-mtu-smaller',
        severity: 'broken',
        ...only,
        explains: [`packet size to peers over IPv${family}`],
      },
      summary:
        `on the way to ${names} packets of more than ${octets} octets are lost, ` +
        `but the overlay's MTU is ${device?.mtu ?? 'more'}: connections open, and hang when they carry much`,
      evidence: [
        `ping -M do -s ${octets - ICMP[family]} ${first?.address ?? first?.publicIp ?? ''} passes, one octet more does not`,
        ...(device === undefined ? [] : [`ip link show ${device.name}: mtu ${device.mtu}`]),
      ],
      cure: [
        `"MTU": ${carries} in "Backend" of the network configuration (the underlay's MTU, for all nodes), then restart flanneld on each`,
        `or have the way carry more: the MTU of switches, tunnels and VPNs between the hosts, which ${underlay.interface} takes for granted`,
      ],
    }
  })
}

/** Headers of an echo: IP and ICMP (RFC 791, 792, 8200, 4443). */
const ICMP = { 4: 28, 6: 48 } as const
