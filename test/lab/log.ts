import type { LabHost } from './host.ts'
import { waitFor, type WaitOptions } from './wait-for.ts'

/** Where in the log of the current run to begin to read: a length that it once had. */
export type Skip = { readonly skip?: number }

/**
 * Waits until the log of an agent's current run has something like this: for what is about the log itself, what somebody reads there and
 * how often. How an agent is, ask it (health.ts); test/unit/log-waits.test.ts lists who reads logs, and why.
 */
export async function says(
  { name, agent }: LabHost,
  what: RegExp,
  { skip = 0, ...options }: WaitOptions & Skip = {},
): Promise<void> {
  const said = async (): Promise<boolean> => what.test((await agent.logOfRun()).slice(skip))
  await waitFor(`${name} to say ${what}`, said, options)
}

/** How often the current run has said it. */
export const timesSaid = async ({ agent }: LabHost, what: RegExp, { skip = 0 }: Skip = {}): Promise<number> =>
  Array.from((await agent.logOfRun()).slice(skip).matchAll(new RegExp(what, 'g'))).length

/** How long the log of the current run is: what is said from here on can be told from what was said before. */
export const lengthOfLog = async ({ agent }: LabHost): Promise<number> => (await agent.logOfRun()).length

/** The agent's own account of what it wrote when it began to forward. */
export const firstPass = ({ agent }: LabHost, options?: WaitOptions): Promise<string> =>
  waitFor('the first complete pass', async () => /forwarding is set up .*/.exec(await agent.logOfRun())?.[0], options)
