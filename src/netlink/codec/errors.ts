import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import type { Family } from '../../net/ip.ts'
import { settingName, tableName } from '../../kernel/neighbour-table.ts'
import { KernelError, type ErrnoName, type KernelFault } from '../../kernel/kernel.ts'

/** Both spellings of one number: the one that is documented for sockets wins. */
const PREFERRED: ReadonlySet<string> = new Set(['EAGAIN', 'EOPNOTSUPP'])

export const isErrnoName = (name: string): name is ErrnoName => name.startsWith('E')

const NAMES = new Map<number, ErrnoName>()
for (const [name, errno] of Object.entries(constants.errno))
  if (isErrnoName(name) && (!NAMES.has(errno) || PREFERRED.has(name))) NAMES.set(errno, name)

/** `EEXIST` for 17; `E524` for one without a name in this Node. */
export const errnoName = (errno: number): ErrnoName => NAMES.get(errno) ?? `E${errno}`

const errnoText = (errno: number): string => getSystemErrorMap().get(-errno)?.[1] ?? errnoName(errno)

/** The kernel's refusal. `explanation` is its own extended-ACK text, which says more than the errno; it may be missing. */
export function refusal(op: string, target: string, errno: number, explanation?: string): KernelError {
  const message = `${named(op, target)}: ${explanation ?? errnoText(errno)} (${errnoName(errno)})`
  return new KernelError({ op, errno, code: errnoName(errno), target, message })
}

/**
 * The refusal of a neighbour by a table that is full: a permanent one, before Linux 5.0. The kernel says ENOBUFS, and no more (net/core/neighbour.c:
 * neigh_alloc).
 */
export function noRoomFor(family: Family, target: string): KernelError {
  return refusal(
    'neighbour.replace',
    target,
    ENOBUFS,
    `no room in the kernel's table of IPv${family} neighbours (${tableName(family)}). Cure: a larger ${settingName(family, 3)}, ` +
      'with gc_thresh2 and gc_thresh1, on the host itself, and the same in /etc/sysctl.d',
  )
}

const FAULTS: Readonly<Record<KernelFault, string>> = {
  LOST: 'the answer was lost; only the tables themselves tell what happened',
  DECODE: 'the answer could not be read',
  INTERRUPTED: 'the table changed too often while it was read',
  TIMEOUT: 'no answer in time',
  ENCODE: 'the request does not fit a message',
  ABORTED: 'stopped by the caller',
  CLOSED: 'the netlink socket is closed',
}

/** A fault on our side of the socket, or on the way; `errno` is 0. */
export function fault(op: string, target: string, code: KernelFault, cause?: unknown): KernelError {
  return new KernelError({ op, errno: 0, code, target, message: `${named(op, target)}: ${FAULTS[code]}`, cause })
}

/** What asks for a whole table has no target. */
const named = (op: string, target: string): string => (target === '' ? op : `${op} ${target}`)

export const {
  ENOENT,
  ESRCH,
  EAGAIN,
  ENOBUFS,
  EACCES,
  EINVAL,
  ENODEV,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  ENETUNREACH,
  EHOSTUNREACH,
  EOPNOTSUPP,
} = constants.errno
