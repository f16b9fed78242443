import { counted, milliseconds, since } from '../present/age.ts'
import { labelled, type Labelled } from '../present/lines.ts'
import type { Looks } from '../present/table.ts'
import type { PeerForwarderStatus, PeersDocument, PeerStatus } from '../status/document.ts'
import { printable } from '../text/printable.ts'
import { keptText, rttOf } from './peers.ts'
import { HUES, WORDS } from './reach.ts'

/** `flanneld peers host-two`: everything that is known of a peer, for each address family. */
export const showPeer = ({ peers, at }: PeersDocument, looks: Looks): string =>
  peers.map((peer) => onePeer(peer, Date.parse(at), looks)).join('\n')

function onePeer(peer: PeerStatus, at: number, looks: Looks): string {
  const { name, family, reach, reachSince, nodeId, mac, address, isReserved } = peer
  const head = `${printable(name)} over IPv${family} is ${looks.paint(HUES[reach], WORDS[reach])}, for ${since(reachSince, at)}\n`
  const rows: readonly Labelled[] = [
    ['Lease', `${peer.subnet}${isReserved === true ? ', reserved' : ''}, key ${printable(peer.key)}`],
    ['Node', nodeId === null ? 'of upstream (its lease says no node)' : printable(nodeId)],
    ['Public IP', peer.publicIp],
    [
      'Overlay',
      address === null ? peer.backendType : `${peer.backendType}, ${address}${mac === null ? '' : ` at ${mac}`}`,
    ],
    ...keptText(peer.keptUntil, at).map((text): Labelled => [
      'Gone',
      `${text}, and its node has not published itself again`,
    ]),
    ['Way', peer.isDirect ? 'directly over the underlay' : 'through the tunnel'],
    ['Round trip', `${milliseconds(rttOf(peer))}, ${Math.round(peer.loss * 100)} % lost`],
    ...(peer.passesOctets === null
      ? []
      : [['Size', `packets of ${peer.passesOctets} octets pass, larger ones do not`] as const]),
    ...(peer.underlay === null ? [] : [['Underlay', underlayText(peer)] as const]),
    ...(peer.forwarder === undefined ? [] : [['Carried', carriedText(peer.forwarder)] as const]),
    ...peer.entries.map(({ table, row, isInKernel }): Labelled => {
      const place = table === 'forwarder' ? 'in its table' : 'in the kernel'
      const state = isInKernel ? place : looks.paint('bad', `NOT ${place.toUpperCase()}`)
      return [table, `${printable(row.replace(`${table} `, ''))}: ${state}`]
    }),
  ]
  return head + labelled(rows, { ...looks, indent: '  ' })
}

function carriedText({ sentPackets, receivedPackets, refusedPackets }: PeerForwarderStatus): string {
  const refused = refusedPackets === 0 ? '' : `, ${refusedPackets} refused: not from its subnet`
  return `${counted(sentPackets, 'packet')} sent, ${receivedPackets} received${refused}`
}

/** What its PublicIP says when the overlay does not reach it. */
export function underlayText({ publicIp, underlay }: Pick<PeerStatus, 'publicIp' | 'underlay'>): string {
  if (underlay === null) return `${publicIp} was not asked`
  if (underlay.answers) return `${publicIp} answers in ${milliseconds(underlay.rttMs)}`
  return `${publicIp} does not answer${underlay.says === null ? '' : ` (${printable(underlay.says)})`}; some hosts never do`
}
