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
    const answer = (await verified(url, tls, signal)) ?? (await lookAt(`${url}${PATH}`, undefined, signal))
    const endedMs = wallMs()
    // half a second is what the header leaves open, and the question took some time, too
    if (answer?.dateMs !== undefined) return { url, theirsMs: answer.dateMs + 500, oursMs: (beganMs + endedMs) / 2 }
  }
  return undefined
}

async function verified(url: string, tls: TlsFiles | undefined, signal: AbortSignal): ReturnType<typeof lookAt> {
  try {
    return url.startsWith('https:') && tls !== undefined ? await lookAt(`${url}${PATH}`, tls.get(), signal) : undefined
  } catch {
    return undefined
  }
}
