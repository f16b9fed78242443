import { REACHES } from '../../probe/reach.ts'
import type { PeerStatus } from '../../status/document.ts'
import { duration, milliseconds, REACH_LEVELS, REACH_WORDS, secondsBetween, SIGNS } from '../model/words.ts'
import { clockTime, el, mark } from './dom.ts'
import { Table, type Column } from './table.ts'

const UNKNOWN_RTT = Number.MAX_VALUE

const reachMark = ({ reach }: PeerStatus): HTMLElement =>
  mark(REACH_LEVELS[reach], SIGNS[REACH_LEVELS[reach]], REACH_WORDS[reach])

/** Sorted by state first, and by subnet among equals, since that is how they come. */
const COLUMNS: readonly Column<PeerStatus>[] = [
  { title: 'Node', value: ({ name }) => name },
  {
    title: 'State',
    value: ({ reach }) => `${REACHES.indexOf(reach)} ${REACH_WORDS[reach]}`,
    show: reachMark,
  },
  { title: 'Subnet', value: ({ subnet }) => subnet },
  { title: 'Address', value: ({ publicIp }) => publicIp },
  { title: 'Since', value: ({ reachSince }) => reachSince, show: ({ reachSince }) => clockTime(reachSince) },
  {
    title: 'Round trip',
    isNumber: true,
    value: ({ rttMs }) => rttMs ?? UNKNOWN_RTT,
    show: ({ rttMs }) => milliseconds(rttMs),
  },
  { title: 'Loss', isNumber: true, value: ({ loss }) => loss, show: ({ loss }) => `${Math.round(loss * 100)} %` },
  {
    title: 'Entries',
    value: (peer) => entriesText(peer),
  },
]

function entriesText({ entries }: PeerStatus): string {
  const missing = entries.filter(({ isInKernel }) => !isInKernel)
  if (missing.length === 0) return 'in step'
  return `no ${missing.map(({ table }) => table).join(', ')}`
}

/** Every peer, what is known of it, and what to ask next. */
export const peersTable = (): Table<PeerStatus> =>
  new Table<PeerStatus>({
    caption: 'Nodes, as this one sees them',
    what: 'node',
    columns: COLUMNS,
    keyOf: ({ subnet }) => subnet,
    details,
    sortBy: 1,
  }).listen()

function details(peer: PeerStatus): HTMLElement {
  const { reach, underlay, passesOctets, address, mac, key, nodeId, backendType, isDirect, entries, subnet } = peer
  const facts: readonly (readonly [string, string])[] = [
    [
      'Over the overlay',
      `${REACH_WORDS[reach]} for ${duration(secondsBetween(peer.reachSince, new Date().toISOString()))}`,
    ],
    ...(passesOctets === null ? [] : [['Largest packet that passes', `${passesOctets} octets`] as const]),
    ['Over the underlay', underlayText(underlay)],
    ['Asked at', address ?? 'nowhere: its backend has no address on the overlay'],
    ['End point', `${mac ?? 'none'} (${backendType}${isDirect ? ', direct route' : ''})`],
    ['Lease', `${key}${nodeId === null ? '' : ` of node ${nodeId}`}`],
    ...entries.map(
      ({ table, row, isInKernel }) => [table, `${row}${isInKernel ? '' : ' – not in the kernel'}`] as const,
    ),
  ]
  // A subnet and never a name: names are chosen by others, and this is to be copied into a shell.
  const commands = `flanneld trace ${subnet}\nflanneld doctor --peer ${subnet}`
  return el(
    'div',
    {},
    el('dl', {}, ...facts.flatMap(([term, text]) => [el('dt', {}, term), el('dd', {}, text)])),
    el('p', {}, 'Ask more on this node:'),
    el('pre', {}, commands),
  )
}

function underlayText(underlay: PeerStatus['underlay']): string {
  if (underlay === null) return 'not asked'
  const says = underlay.says === null ? '' : `; ${underlay.says}`
  return `${underlay.answers ? `its address answers in ${milliseconds(underlay.rttMs)}` : 'its address does not answer'}${says}`
}
