import { expect } from 'vitest'
import { waitFor, type LabHost } from '../lab/index.ts'
import { parseObject, textAt, textsAt } from '../lab/json.ts'

/** Of the health endpoint, for `--healthz-port`. */
export const PORT = 8081
/** Asks the URL given, prints `status body`; fails when there is no answer within two seconds. */
export const PROBE = `fetch(process.argv[1], { signal: AbortSignal.timeout(2000) })
  .then(async (answer) => console.log(answer.status, await answer.text()))`

export interface Answer {
  readonly status: number
  readonly reasons: readonly string[]
  readonly degraded: readonly string[]
  readonly stuck: readonly string[]
  readonly subnet: string | undefined
}

/** What a probe on that machine hears; undefined when nobody answers. */
export async function ask({ place }: LabHost, path: string): Promise<Answer | undefined> {
  const { code, stdout } = await place.attempt(process.execPath, ['-e', PROBE, `http://127.0.0.1:${PORT}${path}`])
  if (code !== 0) return undefined
  const body = parseObject(stdout.slice(4))
  const [reasons, degraded] = [textsAt(body, 'reasons'), textsAt(body, 'degraded')]
  const stuck = textsAt(body, 'stuck')
  return { status: Number(stdout.slice(0, 3)), reasons, degraded, stuck, subnet: textAt(body, 'subnet') }
}

/** Waits for an answer that is like this. */
export const hears = (host: LabHost, path: string, expected: object, deadlineMs = 30_000): Promise<boolean> =>
  waitFor(
    `${path} to answer ${JSON.stringify(expected)}`,
    async () => {
      expect(await ask(host, path)).toMatchObject(expected)
      return true
    },
    { deadlineMs, everyMs: 100 },
  )

/** A list that has a text like this. */
export const saying = (text: string | RegExp): unknown => expect.arrayContaining([expect.stringMatching(text)])
