/** How to reach the service manager that started us, and how often it wants to hear from us. */
export interface ServiceManager {
  /** Path, or `@` and an abstract name. */
  readonly socket: string
  /** It restarts us when nothing is heard for this long, in milliseconds; undefined: it does not care. */
  readonly watchdogMs: number | undefined
}

/** Sends one datagram; what it answers is the name of the error. */
export type SendDatagram = (socket: string, text: string) => string | undefined

/**
 * How to tell the service manager something.
 * @param complain is called once, for the first that does not get there
 * @returns a function that never throws, and answers whether it got there
 */
export function notifier(
  { socket }: Pick<ServiceManager, 'socket'>,
  send: SendDatagram,
  complain: (text: string) => void,
): (assignments: Readonly<Record<string, string>>) => boolean {
  let hasComplained = false
  return (assignments) => {
    const error = send(socket, notifyMessage(assignments))
    if (error !== undefined && !hasComplained) {
      hasComplained = true
      complain(`the service manager cannot be told how we are: ${error} at ${socket}`)
    }
    return error === undefined
  }
}

/** Unix(7): a path of 107 octets and a zero at most. */
const LONGEST_SOCKET = 107
/** Shorter ones cannot be kept by a process among others; longer than a timer can wait. In milliseconds. */
const WATCHDOG_RANGE_MS = { least: 10, most: 2_147_483_647 } as const
const DIGITS = /^\d{1,18}$/

/**
 * The service manager that wants to hear from this process, out of `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` (sd_notify(3),
 * sd_watchdog_enabled(3)).
 * @returns undefined without one; a reason when its socket is of a kind we do not serve (such as vsock)
 */
export function findServiceManager(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): ServiceManager | string | undefined {
  const socket = env['NOTIFY_SOCKET']
  if (socket === undefined || socket === '') return undefined
  if (!/^[/@]./.test(socket)) return `NOTIFY_SOCKET is neither a path nor an abstract name: ${socket}`
  if (Buffer.byteLength(socket) > LONGEST_SOCKET) return `NOTIFY_SOCKET is longer than ${LONGEST_SOCKET} octets`
  return { socket, watchdogMs: watchdogMs(env, pid) }
}

/** The watchdog is for the process named, and for everyone when none is. */
function watchdogMs(env: Readonly<Record<string, string | undefined>>, pid: number): number | undefined {
  const [microseconds = '', addressee] = [env['WATCHDOG_USEC'], env['WATCHDOG_PID']]
  if (!DIGITS.test(microseconds) || (addressee !== undefined && addressee !== String(pid))) return undefined
  const ms = Number(microseconds) / 1_000
  if (ms === 0) return undefined
  return Math.min(Math.max(ms, WATCHDOG_RANGE_MS.least), WATCHDOG_RANGE_MS.most)
}

/** One message: assignments, a line each. A value that brings its own lines would assign something else. */
export const notifyMessage = (assignments: Readonly<Record<string, string>>): string =>
  Object.entries(assignments)
    .map(([name, value]) => `${name}=${value.replace(/[\r\n]+/g, ' ')}`)
    .join('\n')
