import { fstatSync } from 'node:fs'

const STDERR_FD = 2

/**
 * Whether standard error leads to systemd's journal, which has a time of its own for every line: JOURNAL_STREAM holds device and inode
 * of the socket (systemd.exec(5)). Programs that we are started by hand it on, whatever they have made of our standard error.
 */
export function isStderrTheJournal(environment: Readonly<Record<string, string | undefined>>, fd = STDERR_FD): boolean {
  const [, device, inode] = /^(\d+):(\d+)$/.exec(environment['JOURNAL_STREAM'] ?? '') ?? []
  if (device === undefined || inode === undefined) return false
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return dev === BigInt(device) && ino === BigInt(inode)
  } catch {
    return false // closed
  }
}

/** Numbers of syslog(3). */
const PRIORITIES = { error: 3, warn: 4, info: 6, debug: 7 } as const

/** The text as the journal takes it: each line begins with its priority (sd-daemon(3)), by which `journalctl -p` chooses. */
export const withPriority = (level: keyof typeof PRIORITIES, text: string): string =>
  text.replaceAll(/^(?=.)/gm, `<${PRIORITIES[level]}>`)
