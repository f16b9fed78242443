import type { Clock } from '../../time/clock.ts'
import {
  isStranger,
  judge,
  judgeProcess,
  type ClaimHolder,
  type ClaimSocket,
  type JudgePorts,
  type Stranger,
} from './claim-holder.ts'

/**
 * An abstract Unix socket (unix(7)), written with `@` for the zero byte in front, as systemd does. It belongs to the network namespace,
 * as all that an agent changes does, and goes with its process, however that ends. Where somebody who is no agent has that name, one
 * that begins with it and {@link BESIDE} takes its place.
 */
export const HOST_SOCKET = '@flanneld'
const BESIDE = '/'

/** sun_path, in octets. Node 20 fills a shorter abstract name up with zeros, later ones do not: all of it means the same to both. */
const NAME_LENGTH = 108

/** An agent that is asked to stop is gone in less than a second; a supervisor may start the next before that. In milliseconds. */
const WAIT_MS = 3_000
/** Two that start at once both step back; the pauses differ. */
const RETRY_MS = { least: 30, more: 40 } as const

/** Sockets with an agent behind them listen; what only has a name may be anybody's. */
export type ClaimState = 'listening' | 'idle'

/** The sockets of this network namespace. */
export interface ClaimSockets {
  /** Listens at a stream socket, and marks it as far as it may. @returns how to stop; the name of the error */
  readonly listen: (socket: string) => (() => void) | string
  /** Those whose names begin so; a text where the kernel does not tell. */
  readonly socketsNamed: (prefix: string, state: ClaimState) => readonly ClaimSocket[] | string
}

export interface ClaimPorts extends JudgePorts {
  readonly clock: Clock
  /** From 0 up to 1, another one each time. */
  readonly random: () => number
  readonly sockets: ClaimSockets
  /** Told what is worth a line in the log. */
  readonly say: (text: string) => void
}

/** Another agent works on this network namespace. */
export class HostTakenError extends Error {
  override readonly name = 'HostTakenError'

  constructor(holder: ClaimHolder | undefined) {
    super(`another flanneld${pidOf(holder)} runs in this network namespace: stop it first`)
  }
}

const pidOf = (holder: ClaimHolder | undefined): string =>
  holder === undefined || holder.pid === 0 ? '' : ` (pid ${holder.pid})`

/** The agent that holds this network namespace, as far as it can be told. Changes nothing. */
export function holderOfHost(
  ports: Omit<ClaimPorts, 'clock' | 'random' | 'say'>,
  socket = HOST_SOCKET,
): ClaimHolder | undefined {
  const found = ports.sockets.socketsNamed(socket, 'listening')
  if (typeof found !== 'string') return agentAmong(claimsAmong(found, socket), false, ports, new Map())
  const asked = ports.listenerOf(wholeName(socket))
  const judged = typeof asked === 'string' ? undefined : judgeProcess(asked, ports)
  return judged === undefined || isStranger(judged) ? undefined : judged
}

/** Judgements by inode, so that nobody is asked at each turn of the wait. */
type Judged = Map<number, ClaimHolder | Stranger>

function agentAmong(
  claims: readonly ClaimSocket[],
  isMarker: boolean,
  ports: JudgePorts,
  judged: Judged,
): ClaimHolder | undefined {
  for (const claim of claims) {
    const found = judged.get(claim.inode) ?? judge({ ...claim, name: wholeName(claim.name) }, isMarker, ports)
    judged.set(claim.inode, found)
    if (!isStranger(found)) return found
  }
  return undefined
}

const claimsAmong = (found: readonly ClaimSocket[], socket: string): readonly ClaimSocket[] =>
  found
    .filter(({ name }) => name === socket || name.startsWith(`${socket}${BESIDE}`))
    .sort((a, b) => Number(b.isMarked) - Number(a.isMarked)) // the mark leaves no doubt, whoever else is there

/**
 * Claims this network namespace for one agent, and waits a little for one that is just ending. Where it cannot be told whether there is
 * one, that is said, and the claim does without.
 * @returns how to give the claim up; the end of the process, or `signal` before it was made, does as well
 * @throws {HostTakenError} when another agent stays
 */
export async function claimHost(ports: ClaimPorts, signal: AbortSignal, socket = HOST_SOCKET): Promise<() => void> {
  const { clock, random, say } = ports
  const giveUpAtMs = clock.monotonicMs() + WAIT_MS
  const judged: Judged = new Map()
  let isWaiting = false
  while (!signal.aborted) {
    const outcome = tryToClaim(ports, socket, judged)
    if (outcome.is === 'claimed') {
      if (outcome.remark !== undefined) say(outcome.remark)
      return outcome.giveUp
    }
    const { holder } = outcome
    if (clock.monotonicMs() >= giveUpAtMs) throw new HostTakenError(holder)
    if (!isWaiting) say(`another flanneld${pidOf(holder)} runs here; waiting for its end`)
    isWaiting = true
    await clock.sleep(RETRY_MS.least + random() * RETRY_MS.more, signal)
  }
  return () => undefined
}

type Outcome =
  | { readonly is: 'claimed'; readonly giveUp: () => void; readonly remark: string | undefined }
  | { readonly is: 'taken'; readonly holder: ClaimHolder | undefined }

/** The claim is made before it is looked for others: of two that begin at once, at least one sees the other. */
function tryToClaim(ports: ClaimPorts, socket: string, judged: Judged): Outcome {
  const own = ownSocket(ports, socket)
  if ('obstacle' in own) return unknown(() => undefined, own.obstacle)
  const found = ports.sockets.socketsNamed(socket, 'listening')
  if (typeof found === 'string') return withoutList(ports, socket, own, found)
  const isMarker = found.some(({ name, isMarked }) => name === own.name && isMarked)
  const others = claimsAmong(found, socket).filter(({ name }) => name !== own.name)
  // Of agents that have no mark, only those of earlier versions can be here if we have one, and they know but the one name.
  const claims = others.filter(({ name, isMarked }) => isMarked || !isMarker || name === socket)
  const holder = agentAmong(claims, isMarker, ports, judged)
  if (holder !== undefined) {
    own.giveUp()
    return { is: 'taken', holder }
  }
  if (own.name === socket) return { is: 'claimed', giveUp: own.giveUp, remark: undefined }
  const who = whoHasName(ports, socket, found, judged)
  return {
    is: 'claimed',
    giveUp: own.giveUp,
    remark: `${who} has the name ${socket}, and is no flanneld; it does not matter, but ask whose it is (ss -xap)`,
  }
}

interface OwnSocket {
  readonly name: string
  readonly giveUp: () => void
}

/** Ours, or beside it one whose name nobody can have taken before. */
function ownSocket({ sockets, random }: ClaimPorts, socket: string): OwnSocket | { readonly obstacle: string } {
  const beside = `${socket}${BESIDE}${random().toString(36).slice(2)}${random().toString(36).slice(2)}`
  for (const name of [socket, beside]) {
    const giveUp = sockets.listen(wholeName(name))
    if (typeof giveUp !== 'string') return { name, giveUp }
    if (giveUp !== 'EADDRINUSE') return { obstacle: giveUp }
  }
  return { obstacle: 'EADDRINUSE' }
}

function whoHasName(ports: ClaimPorts, socket: string, found: readonly ClaimSocket[], judged: Judged): string {
  const inode = found.find(({ name }) => name === socket)?.inode
  const who = inode === undefined ? undefined : judged.get(inode)
  return who !== undefined && isStranger(who) ? who.stranger : idleHolder(ports, socket)
}

function idleHolder({ sockets }: ClaimPorts, socket: string): string {
  const found = sockets.socketsNamed(socket, 'idle')
  const uid = typeof found === 'string' ? undefined : found.find(({ name }) => name === socket)?.uid
  return `a process${uid === undefined ? '' : ` of user ${uid}`} that does not listen there`
}

/** Without unix_diag in the kernel, who has the one name is all that can be found out. */
function withoutList(ports: ClaimPorts, socket: string, own: OwnSocket, why: string): Outcome {
  if (own.name === socket) return { is: 'claimed', giveUp: own.giveUp, remark: undefined }
  const asked = ports.listenerOf(wholeName(socket))
  const holder = typeof asked === 'string' ? { pid: 0 } : judgeProcess(asked, ports)
  if (isStranger(holder)) return unknown(own.giveUp, `${holder.stranger} has the name ${socket}`)
  if (asked === 'ECONNREFUSED') return unknown(own.giveUp, `nobody listens at ${socket} (${why})`)
  own.giveUp()
  return { is: 'taken', holder }
}

const unknown = (giveUp: () => void, reason: string): Outcome => ({
  is: 'claimed',
  giveUp,
  remark: `it cannot be told whether another flanneld runs here: ${reason}`,
})

const wholeName = (socket: string): string => (socket.startsWith('@') ? socket.padEnd(NAME_LENGTH, '\0') : socket)
