import { readFile } from 'node:fs/promises'
import type { ChildProcess } from 'node:child_process'
import { exitOf } from './command.ts'
import type { Place } from './namespace.ts'
import { waitFor } from './wait-for.ts'

export interface PingOptions {
  /** How many are sent, all at once. */
  readonly count?: number
  /** How long to wait for answers after all were sent. */
  readonly timeoutMs?: number
}

export interface PingResult {
  readonly sent: number
  readonly received: number
}

/** Reads the summary line of iputils' ping. */
function parseSummary(text: string): PingResult {
  const [, sent = '0', received = '0'] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? []
  return { sent: Number(sent), received: Number(received) }
}

/**
 * Once one answer has come, iputils' ping waits for the others no longer than the interval at which it sends, or twice the longest round
 * trip (`__schedule_exit` of ping_common.c): at short intervals, answers that a loaded machine delays count as lost. So all are sent at once
 * (`-l`), at a long interval.
 */
export async function ping(
  from: Place,
  to: string,
  { count = 3, timeoutMs = 1000 }: PingOptions = {},
): Promise<PingResult> {
  const seconds = `${timeoutMs / 1000}`
  const args = ['-n', '-c', `${count}`, '-l', `${count}`, '-i', seconds, '-W', seconds, to]
  const { stdout, stderr } = await from.attempt('ping', args)
  const result = parseSummary(stdout)
  if (result.sent === 0 && stderr !== '') return { sent: count, received: 0 }
  return result
}

/** Sequence numbers that were answered, from ping's own lines. */
const answered = (log: string): ReadonlySet<number> =>
  new Set(Array.from(log.matchAll(/bytes from .* icmp_seq=(\d+) /g), ([, sequence]) => Number(sequence)))

/** Pings at a steady rate until stopped, and knows which ones were lost. */
export class PingStream {
  readonly #child: ChildProcess
  readonly #logPath: string

  constructor(from: Place, to: string, logPath: string, intervalMs = 10) {
    this.#logPath = logPath
    this.#child = from.start(logPath, 'ping', ['-n', '-i', `${intervalMs / 1000}`, to])
  }

  /** How many have been answered so far. */
  async received(): Promise<number> {
    return answered(await readFile(this.#logPath, 'utf8')).size
  }

  /** Resolves when `more` further pings have been answered: proof that the path works now. */
  async progress(more = 10, deadlineMs = 10_000): Promise<void> {
    const before = await this.received()
    await waitFor(`${more} more ping answers`, async () => (await this.received()) >= before + more, { deadlineMs })
  }

  /** Ends it. The last one sent may still be under way and counts neither as sent nor as lost. */
  async stop(): Promise<PingResult & { readonly lost: readonly number[] }> {
    const ended = exitOf(this.#child)
    this.#child.kill('SIGINT')
    await ended
    const log = await readFile(this.#logPath, 'utf8')
    const answers = answered(log)
    const last = parseSummary(log).sent
    const sent = answers.has(last) ? last : last - 1
    const lost = Array.from({ length: Math.max(0, sent) }, (_, at) => at + 1).filter((at) => !answers.has(at))
    return { sent, received: answers.size, lost }
  }
}
