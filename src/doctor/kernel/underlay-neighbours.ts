import type { LinkState } from '../../kernel/kernel.ts'
import { carriesNothing } from '../../kernel/underlay.ts'
import { parseIp } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { PeerStatus } from '../../status/document.ts'
import type { Check, Finding } from '../finding.ts'
import type { Suspect, View } from '../view.ts'
import { readArpRows, type ArpRow } from './arp-table.ts'
import { SILENCE } from '../silence.ts'

/** So many peers are asked about: an answer is waited for. */
const MOST_ASKED = 4

/** Whether frames for peers go to the machine that has their address: entries written by hand, and cards with one MAC. */
export const underlayNeighbours: Check<View> = {
  name: 'neighbours on the underlay',
  async look({ overlay, suspects, peers, about, host, probes }, signal) {
    const asked = (await suspects()).filter(({ reach }) => about !== undefined || reach !== 'reachable')
    if (asked.length === 0) return []
    const [rows, links] = [readArpRows(await host.text('/proc/self/net/arp')), await host.kernel.links(signal)]
    const all = await peers()
    const looks = (await overlay()).flatMap(({ underlay, family }) => {
      const link = links.find(({ index }) => index === underlay.index)
      if (family !== 4 || link === undefined || carriesNothing(link)) return []
      const here = rows.filter(({ device }) => device === link.name)
      return asked.slice(0, MOST_ASKED).map(async (peer) => {
        const [address, row] = [parseIp(peer.publicIp), here.find((one) => one.address === peer.publicIp)]
        if (address?.family !== 4 || row === undefined) return []
        const holders = row.isPermanent ? ((await probes.holders(link, address)) ?? []) : []
        return [...judgeEntry(link, peer, row, holders), ...judgeShared({ link, peer, row, rows: here, peers: all })]
      })
    })
    return (await Promise.all(looks)).flat()
  },
}

/** Pure. @param holders who answers for the peer's address */
export function judgeEntry(link: LinkState, peer: Suspect, row: ArpRow, holders: readonly Mac[]): readonly Finding[] {
  const [holder] = holders
  if (!row.isPermanent || holder === undefined || holders.includes(row.mac)) return []
  return [
    {
      ...{ cause: 'neighbour-entry-wrong', severity: 'broken', peer: peer.name, covers: 'peer', explains: SILENCE },
      summary: `on this host somebody has written down ${row.mac} as the MAC of ${peer.publicIp}, which ${peer.name} does not have: what is sent to it goes nowhere`,
      evidence: [
        `ip neigh show ${peer.publicIp} dev ${link.name}: lladdr ${row.mac} PERMANENT`,
        `arping -I ${link.name} ${peer.publicIp}: ${holder} answers`,
      ],
      cure: [`ip neigh del ${peer.publicIp} dev ${link.name}; it comes back if a program or a file sets it`],
    },
  ]
}

interface Sharing {
  readonly link: LinkState
  readonly peer: Suspect
  readonly row: ArpRow
  /** All neighbours on that link. */
  readonly rows: readonly ArpRow[]
  readonly peers: readonly PeerStatus[]
}

/**
 * Pure. A router that answers for all, as some clouds have, has the MAC of more than two; of a peer and one that is none, the latter may
 * well be the same machine.
 */
export function judgeShared({ link, peer, row, rows, peers }: Sharing): readonly Finding[] {
  const [other, ...more] = rows.filter(({ mac, address }) => mac === row.mac && address !== row.address)
  const name = peers.find(({ publicIp }) => publicIp === other?.address)?.name
  if (other === undefined || more.length > 0 || row.isPermanent || name === undefined || name === peer.name) return []
  return [
    {
      ...{ cause: 'mac-shared', severity: 'broken', peer: peer.name, isInferred: true, explains: SILENCE },
      summary: `${peer.name} and ${name} have the same MAC on ${link.name}, ${row.mac}: what is sent to both arrives at one of them`,
      evidence: [row, other].map(({ address, mac }) => `ip neigh show ${address} dev ${link.name}: lladdr ${mac}`),
      cure: [
        `on ${peer.name} and ${name}: ip -br link; ip -br address; where both machines have that MAC (copies of one), another MAC for one of them`,
        `where one of them has both addresses, that of the other has moved there: give it back, or --iface or --public-ip with one that it has`,
      ],
    },
  ]
}
