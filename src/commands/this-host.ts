import { readFileSync } from 'node:fs'
import { geteuid } from 'node:process'
import type { ClaimHolder, ClaimSocket } from '../host/claim/claim-holder.ts'
import { administersNetwork } from '../host/claim/process-rights.ts'
import { claimHost, holderOfHost, type ClaimSockets, type ClaimState } from '../host/claim/sole-agent.ts'
import { systemClock } from '../host/system-clock.ts'
import { loadAddon } from '../native/load.ts'
import { listenAt, listenerOf } from '../native/unix-listener.ts'
import { unixSockets } from '../netlink/unix-sockets.ts'

/**
 * How much an agent's socket says it may send: the most there is, which takes CAP_NET_ADMIN in the machine's user namespace to set
 * (SO_SNDBUFFORCE, socket(7)), and costs no memory. The kernel doubles it.
 */
const MARK = { set: 0x3fff_ffff, shown: 0x7fff_fffe } as const

/** What anybody may set, in octets: where it is that much, the mark says nothing. Undefined in network namespaces but the first. */
function canAnybodyMark(): boolean {
  try {
    return Number(readFileSync('/proc/sys/net/core/wmem_max', 'latin1')) >= MARK.set
  } catch {
    return false
  }
}

function socketsNamed(prefix: string, state: ClaimState): readonly ClaimSocket[] | string {
  const found = unixSockets(loadAddon(), prefix.replace(/^@/, '\0'), state)
  if (typeof found === 'string') return found
  const proves = !canAnybodyMark()
  return found.map(({ name, inode, uid, sendBuffer }) => ({
    name: name.replace(/^\0/, '@').replace(/\0+$/, ''),
    ...{ inode, uid },
    isMarked: proves && sendBuffer === MARK.shown,
  }))
}

/** The sockets of our network namespace, for {@link claimHost}. */
export const claimSockets: ClaimSockets = { listen: (socket) => listenAt(socket, MARK.set), socketsNamed }

const ports = { uid: geteuid?.() ?? 0, sockets: claimSockets, listenerOf, administersNetwork }

/** Claims the host for this process. @returns how to give it up @throws {HostTakenError} */
export const claimThisHost = (say: (text: string) => void, signal: AbortSignal): Promise<() => void> =>
  claimHost({ ...ports, clock: systemClock, random: Math.random, say }, signal)

/** The agent that runs here, as far as it can be told. */
export const agentOnThisHost = (): ClaimHolder | undefined => holderOfHost(ports)
