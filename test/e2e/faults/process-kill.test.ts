import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { LabHost } from '../../lab/index.ts'
import { leaseOf } from '../../lab/expected-tables.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import { allExact } from './etcd-overlay.ts'
import { holdsOneLease } from './lease-scene.ts'

const HOSTS = 4
const KILLS_PER_HOST = 25
/** After this many kills in a row the agent is left to itself once. */
const KILLS_IN_A_ROW = 5
/** A start-up takes less than this. */
const MOST_DELAY_MS = 1_200

const lab = useLab({ hosts: HOSTS }, bringUp)

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Every second time the device is taken away as well, so that start-ups have something to do. */
async function killAtRandomMoments({ agent, place }: LabHost, random: () => number): Promise<void> {
  for (let kill = 0; kill < KILLS_IN_A_ROW; kill++) {
    if (agent.isRunning) await agent.kill()
    if (random() < 0.5) await place.attempt('ip', ['link', 'delete', 'flannel.100'])
    agent.start()
    await delay(random() * MOST_DELAY_MS)
  }
  await agent.kill()
}

test('process: kill -9 at a hundred random moments of start-up: the next start ends with exact tables and one lease', async () => {
  const seed = Number(process.env['FLANNEL_SEED'] ?? Date.now() % 2 ** 31)
  process.stderr.write(`FLANNEL_SEED=${seed}\n`)
  const before = await Promise.all(lab().hosts.map((host) => leaseOf(lab(), host)))
  const randoms = lab().hosts.map((_, at) => randomFrom(seed + at))
  for (let round = 0; round < KILLS_PER_HOST / KILLS_IN_A_ROW; round++) {
    await Promise.all(lab().hosts.map((host, at) => killAtRandomMoments(host, randoms[at] ?? Math.random)))
    for (const { agent } of lab().hosts) agent.start()
    await allExact(lab(), 15_000)
    for (const host of lab().hosts) await holdsOneLease(lab(), host)
  }
  expect(await Promise.all(lab().hosts.map((host) => leaseOf(lab(), host)))).toEqual(before)
})
