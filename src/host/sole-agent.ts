import { createServer, type Server } from 'node:net'
import type { Clock } from '../time/clock.ts'

/**
 * An abstract Unix socket (unix(7)), written with `@` for the zero byte in front, as systemd does. It belongs to the network namespace,
 * as all that an agent changes does, and goes with its process, however that ends.
 */
const HOST_SOCKET = '@flanneld'

/** sun_path, in octets. Node 20 fills a shorter abstract name up with zeros, later ones do not: all of it means the same to both. */
const NAME_LENGTH = 108

/** An agent that is asked to stop is gone in less than a second; a supervisor may start the next before that. In milliseconds. */
const WAIT_MS = 3_000
const RETRY_MS = 50

const ROOT = 0

/** The process that has claimed the host. */
export interface ClaimHolder {
  /** 0 where it lies in a PID namespace that ours does not see. */
  readonly pid: number
  readonly uid: number
}

export interface ClaimPorts {
  readonly clock: Clock
  /** Our effective user. */
  readonly uid: number
  /** Who listens at a stream socket, named as {@link HOST_SOCKET} is; a text where that cannot be told. */
  readonly listenerOf: (socket: string) => ClaimHolder | string
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
  { uid, listenerOf }: Pick<ClaimPorts, 'uid' | 'listenerOf'>,
  socket = HOST_SOCKET,
): ClaimHolder | undefined {
  const found = listenerOf(wholeName(socket))
  return typeof found === 'string' || isStranger(found, uid) ? undefined : found
}

/** Whoever may change the network is root, or somebody like us. Any user can take the name, and must not keep us from working. */
const isStranger = (holder: ClaimHolder, uid: number): boolean => holder.uid !== ROOT && holder.uid !== uid

/**
 * Claims this network namespace for one agent, and waits a little for one that is just ending. Where it cannot be told whether there is
 * one, that is said, and the claim does without.
 * @returns how to give the claim up; the end of the process, or `signal` before it was made, does as well
 * @throws {HostTakenError} when another agent stays
 */
export async function claimHost(ports: ClaimPorts, signal: AbortSignal, socket = HOST_SOCKET): Promise<() => void> {
  const { clock, say } = ports
  const giveUpAtMs = clock.monotonicMs() + WAIT_MS
  let isWaiting = false
  while (!signal.aborted) {
    const claim = await listen(wholeName(socket))
    if (!(claim instanceof Error)) return () => claim.close()
    const obstacle = obstacleOtherThanAgent(claim, ports, socket)
    if (obstacle !== undefined) {
      say(`it cannot be told whether another flanneld runs here: ${obstacle}`)
      break
    }
    const holder = holderOfHost(ports, socket)
    if (clock.monotonicMs() >= giveUpAtMs) throw new HostTakenError(holder)
    if (!isWaiting) say(`another flanneld${pidOf(holder)} runs here; waiting for its end`)
    isWaiting = true
    await clock.sleep(RETRY_MS, signal)
  }
  return () => undefined
}

function obstacleOtherThanAgent(failure: Error, { uid, listenerOf }: ClaimPorts, socket: string): string | undefined {
  if (!('code' in failure) || failure.code !== 'EADDRINUSE') return failure.message
  const found = listenerOf(wholeName(socket))
  if (typeof found === 'string' || !isStranger(found, uid)) return undefined
  return `a process of user ${found.uid}${pidOf(found)} has the name ${socket}`
}

const wholeName = (socket: string): string => (socket.startsWith('@') ? socket.padEnd(NAME_LENGTH, '\0') : socket)

/** Whoever connects is sent away at once: what they want to know, the kernel has told them. */
const listen = (name: string): Promise<Server | Error> =>
  new Promise((resolve) => {
    const server = createServer((connection) => connection.destroy())
    server.on('error', resolve)
    server.unref().listen(name.replace(/^@/, '\0'), () => {
      resolve(server)
    })
  })
