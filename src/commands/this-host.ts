import { readFileSync, readlinkSync } from 'node:fs'
import { geteuid } from 'node:process'
import { DEFAULT_SOCKET } from '../cli/command/common-flags.ts'
import type { ClaimHolder, ClaimSocket } from '../host/claim/claim-holder.ts'
import { administersNetwork } from '../host/claim/process-rights.ts'
import { claimHost, holderOfHost, type ClaimSockets, type ClaimState } from '../host/claim/sole-agent.ts'
import { systemClock } from '../host/system-clock.ts'
import { loadAddon } from '../native/load.ts'
import { listenAt, listenerOf, type SocketListener } from '../native/unix-listener.ts'
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

/**
 * Who listens at a claim. Anybody may ask there, and so fill its queue: then an agent is known by its status socket, where only root asks.
 * @returns the name of the error where neither tells
 */
function holderAt(socket: string): SocketListener | string {
  const found = listenerOf(socket)
  return found === 'EAGAIN' ? (agentAtStatusSocket() ?? found) : found
}

/** Undefined for nobody, and for an agent of another network namespace, whose /run this may be as well. */
function agentAtStatusSocket(): SocketListener | undefined {
  const found = listenerOf(DEFAULT_SOCKET)
  if (typeof found === 'string' || found.pid === 0) return undefined
  return networkOf('self') === networkOf(found.pid) ? found : undefined
}

/** As the kernel names it (namespaces(7)); another text for each process that /proc does not show. */
function networkOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return String(pid)
  }
}

const ports = { uid: geteuid?.() ?? 0, sockets: claimSockets, listenerOf: holderAt, administersNetwork }

/** Claims the host for this process. @returns how to give it up @throws {HostTakenError} */
export const claimThisHost = (say: (text: string) => void, signal: AbortSignal): Promise<() => void> =>
  claimHost({ ...ports, clock: systemClock, random: Math.random, say }, signal)

/** The agent that runs here, as far as it can be told. */
export const agentOnThisHost = (): ClaimHolder | undefined => holderOfHost(ports)
