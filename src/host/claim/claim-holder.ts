/** The process that has claimed the host. */
export interface ClaimHolder {
  /** 0 where it lies in a PID namespace that ours does not see, or that could not be asked for. */
  readonly pid: number
}

/** A socket that somebody listens at, by the kernel's word. */
export interface ClaimSocket {
  /** With `@` for the zero octet of an abstract name, and without zeros at its end. */
  readonly name: string
  readonly inode: number
  /** Undefined where the kernel does not say. */
  readonly uid: number | undefined
  /** Whether it bears what only a process could give it that may administer the network of the machine. */
  readonly isMarked: boolean
}

/** What a claim is judged by. */
export interface JudgePorts {
  /** Our effective user. */
  readonly uid: number
  /** Who listens at a socket; the name of the error otherwise. */
  readonly listenerOf: (socket: string) => { readonly pid: number; readonly uid: number } | string
  /** See administersNetwork in process-rights.ts. */
  readonly administersNetwork: (pid: number) => boolean | 'gone' | undefined
}

const ROOT = 0

/** A process that has the name and is no agent, in words. */
export interface Stranger {
  readonly stranger: string
}

export const isStranger = (found: ClaimHolder | Stranger): found is Stranger => 'stranger' in found

/**
 * Whether a listener can be an agent. A mark settles it. What else is to be believed hangs on whether we could give that mark: if so,
 * only an agent of an earlier version is without one, and it answers whoever asks; if not, in a user namespace or without the
 * rights, agents like us have none.
 */
export function judge(socket: ClaimSocket, isMarker: boolean, ports: JudgePorts): ClaimHolder | Stranger {
  const asked = ports.listenerOf(socket.name)
  if (socket.isMarked) return { pid: typeof asked === 'string' ? 0 : asked.pid }
  if (typeof asked !== 'string') return judgeProcess(asked, ports)
  const isCrowded = asked === 'EAGAIN' && !isMarker && (socket.uid === undefined || isLikeUs(socket.uid, ports))
  return isCrowded ? { pid: 0 } : { stranger: `a process${ofUser(socket.uid)} that does not answer (${asked})` }
}

/** An agent listens as the process that it is; whoever may change the network is root, or somebody like us, and has the right to. */
export function judgeProcess(
  { pid, uid }: { readonly pid: number; readonly uid: number },
  ports: JudgePorts,
): ClaimHolder | Stranger {
  const words = `a process${ofUser(uid)}${pid === 0 ? '' : ` (pid ${pid})`}`
  if (!isLikeUs(uid, ports)) return { stranger: words }
  const isAble = pid === 0 ? undefined : ports.administersNetwork(pid)
  return isAble === false || isAble === 'gone'
    ? { stranger: `${words} that ${isAble === 'gone' ? 'has ended' : 'may not administer the network'}` }
    : { pid }
}

const isLikeUs = (uid: number, ports: JudgePorts): boolean => uid === ROOT || uid === ports.uid

const ofUser = (uid: number | undefined): string => (uid === undefined ? '' : ` of user ${uid}`)
