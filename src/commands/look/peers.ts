import type { CommandCall } from '../../cli/commands.ts'
import { COMMON } from '../../cli/command/common-flags.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { PEERS, REACH } from '../../cli/specs/peers.ts'
import { showPeer } from '../../show/peer.ts'
import { showPeers } from '../../show/peers.ts'
import { isBad } from '../../show/reach.ts'
import type { PeerStatus } from '../../status/document.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { peersMeant } from '../asking/peers-meant.ts'
import { watching } from '../asking/watching.ts'

/** `flanneld peers`. */
export const run = (call: CommandCall): Promise<number> =>
  asking(PEERS, call, (asked) => (asked.value(COMMON.watch) ? watching(asked, look) : look(asked)))

async function look(asked: Asking): Promise<Said> {
  const [of] = asked.operands
  const all = await peersMeant(of, asked)
  const document = { ...all, peers: all.peers.filter(isWanted(asked.value(REACH))) }
  const show = of === undefined || document.peers.length > MOST_IN_FULL ? showPeers : showPeer
  const text = asked.isJson ? asJson(document) : show(document, asked.terminal)
  return { text, code: !document.hasLease || document.peers.some(isAmiss) ? EXIT.failed : EXIT.done }
}

/** More than this are a table: one name may stand for many addresses. */
const MOST_IN_FULL = 4

function isWanted(wanted: ReturnType<(typeof REACH)['parse']>): (peer: PeerStatus) => boolean {
  if (wanted === 'all') return () => true
  return ({ reach }) => (wanted === 'not-reachable' ? isBad(reach) : reach === wanted)
}

const isAmiss = ({ reach, entries }: PeerStatus): boolean =>
  isBad(reach) || entries.some(({ isInKernel }) => !isInKernel)
