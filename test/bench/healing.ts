import { NoCompiler } from './c-program.ts'
import { figureOf, missing, type Figure, type Missing } from './figure.ts'
import { lastBurst, startMonitor } from './monitor.ts'
import { benchPeers } from './peers.ts'
import type { Context, Row } from './row.ts'
import { Scene } from './scene.ts'
import { countRows, expectExact, flushTables, isExact } from './tables.ts'

const NAME = 'heal'
const WHAT = 'all tables flushed until exact again'
const MOST_S = 0.5

/**
 * Empties the tables while the agent stands still, so that it does not fill them while they are emptied, and lets it go on.
 * @returns seconds from then until the last change of the kernel's after which they were exact
 */
async function heal(context: Context, scene: Scene, peers: number): Promise<number> {
  const { host, agent } = scene
  const monitor = await startMonitor(host.place, context.program('monitor'), true)
  try {
    agent.freeze()
    const flushed = lastBurst(monitor, async () => (await countRows(host.place)) === 0)
    await flushTables(host.place)
    await flushed
    const healed = lastBurst(monitor, () => isExact(host.place, benchPeers(peers)))
    const thawedNs = process.hrtime.bigint()
    agent.thaw()
    const { endNs } = await healed
    await expectExact(host.place, benchPeers(peers), 'after a flush')
    return Number(endNs - thawedNs) / 1e9
  } finally {
    await monitor.close()
  }
}

/** An agent gives way to who undoes its work over and over: each run has one of its own. The first one warms up. */
async function runsOf(context: Context, scene: Scene, peers: number): Promise<readonly number[]> {
  const values: number[] = []
  for (let run = 0; run <= context.options.runs; run++) {
    context.say(`heal ${peers} peers: run ${run} of ${context.options.runs}`)
    if (run > 0) await scene.startAgent()
    values.push(await heal(context, scene, peers))
  }
  return values.slice(1)
}

async function measure(context: Context, peers: number): Promise<Figure | Missing> {
  try {
    const values = await Scene.with(context, peers, (scene) => runsOf(context, scene, peers))
    return figureOf({ row: NAME, what: WHAT, peers, unit: 's', values, bound: { of: 'value', most: MOST_S } })
  } catch (error) {
    if (!(error instanceof NoCompiler)) throw error
    return missing(NAME, WHAT, error.message, peers)
  }
}

export const healing: Row = {
  name: NAME,
  what: 'tables that somebody empties',
  run: async (context) => [await measure(context, context.options.isQuick ? 1_000 : 10_000)],
}
