import { expect } from 'vitest'
import { ask } from '../lab/health.ts'
import { waitFor, type LabHost } from '../lab/index.ts'

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
