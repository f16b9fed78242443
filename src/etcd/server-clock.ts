import { lookAt } from './http-look.ts'
import type { TlsFiles } from './client/tls.ts'

/** The clock of whoever answers at an address, beside ours at that moment. Wall-clock times, in milliseconds. */
export interface ServerClock {
  readonly url: string
  readonly theirsMs: number
  readonly oursMs: number
}

/** etcd tells its date with any answer in HTTP; a header has whole seconds. */
const PATH = '/version'

/**
 * Asks the addresses one after the other until one tells its clock. Where TLS proves nobody, as with a certificate that is not valid by our
 * clock, it is asked all the same, and nothing is shown to it.
 * @returns undefined where none tells
 */
export async function serverClock(
  urls: readonly string[],
  tls: TlsFiles | undefined,
  wallMs: () => number,
  signal: AbortSignal,
): Promise<ServerClock | undefined> {
  for (const url of urls) {
    const beganMs = wallMs()
    const dateMs = dateIn(await verified(url, tls, signal)) ?? dateIn(await lookAt(url, PATH, undefined, signal))
    const endedMs = wallMs()
    // half a second is what the header leaves open, and the question took some time, too
    if (dateMs !== undefined) return { url, theirsMs: dateMs + 500, oursMs: (beganMs + endedMs) / 2 }
  }
  return undefined
}

async function verified(url: string, tls: TlsFiles | undefined, signal: AbortSignal): Promise<string> {
  try {
    return url.startsWith('https:') && tls !== undefined ? await lookAt(url, PATH, tls.get(), signal) : ''
  } catch {
    return '' // there are no certificates yet
  }
}

/** The header Date of an answer in HTTP (RFC 9110 §6.6.1), as wall-clock time in milliseconds. */
function dateIn(answer: string): number | undefined {
  const [, date] = /^date: *(.+?)\r?$/im.exec(answer) ?? []
  const ms = date === undefined ? Number.NaN : Date.parse(date)
  return Number.isNaN(ms) ? undefined : ms
}
