import { counted, duration, milliseconds, since } from '../present/age.ts'
import { table, WIDEST_SENTENCE, type Cell, type Column, type Looks } from '../present/table.ts'
import { REACHES, type Reach } from '../probe/reach.ts'
import type { PeersDocument, PeersSummary, PeerStatus } from '../status/document.ts'
import { printable } from '../text/printable.ts'
import { countsByFamily, HUES, WORDS } from './reach.ts'

export const reachCell = ({ reach }: Pick<PeerStatus, 'reach'>): Cell => ({ text: WORDS[reach], hue: HUES[reach] })

const isMissing = ({ entries }: PeerStatus): number => entries.filter(({ isInKernel }) => !isInKernel).length

const columnsAt = (at: number): readonly Column<PeerStatus>[] => [
  { title: 'PEER', cell: ({ name }) => printable(name), least: 12 },
  { title: 'SUBNET', cell: ({ subnet }) => subnet },
  { title: 'PUBLIC IP', cell: ({ publicIp }) => publicIp },
  { title: 'REACH', cell: reachCell },
  { title: 'FOR', cell: ({ reachSince }) => since(reachSince, at), spare: 2 },
  { title: 'RTT', cell: (peer) => milliseconds(rttOf(peer)), isRight: true, spare: 4 },
  { title: 'LOSS', cell: ({ loss }) => lossCell(loss), isRight: true, spare: 5 },
  { title: 'ENTRIES', cell: entriesCell, spare: 1 },
  { title: 'MORE', cell: (peer) => remark(peer, at), least: 16, most: WIDEST_SENTENCE, spare: 3 },
]

/** That of its last answer says nothing of a peer that does not answer any more. */
export const rttOf = ({ reach, rttMs }: Pick<PeerStatus, 'reach' | 'rttMs'>): number | null =>
  reach === 'unreachable' ? null : rttMs

const lossCell = (loss: number): Cell =>
  loss === 0 ? '0 %' : { text: `${Math.max(1, Math.round(loss * 100))} %`, hue: 'warn' }

function entriesCell(peer: PeerStatus): Cell {
  const missing = isMissing(peer)
  return missing === 0 ? 'all' : { text: `${missing} of ${peer.entries.length} missing`, hue: 'bad' }
}

/** For how long it is there all the same; an agent of before does not say. */
export const keptText = (until: string | null, at: number): readonly string[] =>
  typeof until === 'string' ? [`kept ${duration(Date.parse(until) - at)}: lease lost`] : []

/** What else is known of a peer, in short. */
export function remark({ isDirect, passesOctets, underlay, keptUntil }: PeerStatus, at: number): string {
  const kept = keptText(keptUntil, at)
  const size = passesOctets === null ? [] : [`${passesOctets} octets pass`]
  const below =
    underlay === null
      ? []
      : [
          underlay.answers
            ? `underlay answers in ${milliseconds(underlay.rttMs)}`
            : `underlay: ${printable(underlay.says ?? 'silent')}`,
        ]
  return [...kept, ...(isDirect ? ['direct'] : []), ...size, ...below].join('; ')
}

/** For `flanneld status`: the worst ones, and how many more there are. */
export function notReachableTable(
  { notReachable, byReach }: PeersSummary,
  most: number,
  at: number,
  looks: Looks,
): string {
  const shown = notReachable.slice(0, most)
  const total = byReach.lossy + byReach.mtu + byReach.unreachable
  const rest =
    total > shown.length ? `  … and ${total - shown.length} more: flanneld peers --reach not-reachable\n` : ''
  return table(columnsAt(at), shown, { ...looks, indent: '  ' }) + rest
}

/** `flanneld peers`, the worst first, then by subnet as the document has them. */
export function showPeers({ peers, at, hasLease }: PeersDocument, looks: Looks): string {
  if (!hasLease) return `${looks.paint('bad', 'this node has no lease')}, and so no peers: flanneld status says why\n`
  const sorted = REACHES.flatMap((reach) => peers.filter((peer) => peer.reach === reach))
  const summary = `${counted(new Set(peers.map(({ key }) => key)).size, 'peer')}${peers.length === 0 ? '' : `: ${tally(peers)}`}\n`
  return table(columnsAt(Date.parse(at)), sorted, looks) + (sorted.length === 0 ? summary : `\n${summary}`)
}

/** How many are how; apart for each address family, where there are several. */
function tally(peers: readonly PeerStatus[]): string {
  const families = new Map<PeerStatus['family'], Record<Reach, number>>()
  for (const { family, reach } of peers) {
    const byReach = families.get(family) ?? { unreachable: 0, mtu: 0, lossy: 0, unknown: 0, reachable: 0 }
    byReach[reach]++
    families.set(family, byReach)
  }
  const all = [...families].map(([family, byReach]) => (families.size > 1 ? { family, byReach } : { byReach }))
  return countsByFamily(all.sort((a, b) => (a.family ?? 0) - (b.family ?? 0)))
}
