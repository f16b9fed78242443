import { readdir, readFile } from 'node:fs/promises'
import type { ProcessReadings } from './readings.ts'

const MICROSECONDS = 1e6

/** As Unix time. Worked out once: the clock may be set, and who started when does not change with it. */
const startSeconds = (Date.now() - process.uptime() * 1_000) / 1_000

/** How this process is. Never rejects: without /proc, what stands there is not known. */
export async function readProcess(): Promise<ProcessReadings> {
  const { user, system } = process.cpuUsage()
  const [status, limits, openFds] = await Promise.all([
    readFile('/proc/self/status', 'utf8').catch(() => ''),
    readFile('/proc/self/limits', 'utf8').catch(() => ''),
    readdir('/proc/self/fd').then(
      (names) => names.length - 1, // without the one that it was read through
      () => null,
    ),
  ])
  return {
    cpuSeconds: (user + system) / MICROSECONDS,
    residentBytes: process.memoryUsage.rss(),
    virtualBytes: numberIn(/^VmSize:\s+(\d+) kB$/m, status, 1_024),
    openFds,
    maxFds: numberIn(/^Max open files\s+(\d+)/m, limits),
    startSeconds,
    nodejs: process.versions.node,
  }
}

function numberIn(pattern: RegExp, text: string, unit = 1): number | null {
  const [, found] = pattern.exec(text) ?? []
  return found === undefined ? null : Number(found) * unit
}
