import { afterEach, describe, expect, test } from 'vitest'
import { setClock, underFakeClock } from '../../lab/fake-clock.ts'
import { holds, waitFor, type LabHost } from '../../lab/index.ts'
import { lengthOfLog } from '../../lab/log.ts'
import { AGENT } from '../../lab/program.ts'
import { bringUp, DEVICE, useLab } from '../../lab/use-lab.ts'
import { allExact, changeLeases, inCircle, losesNoPing, madeUpPeer, removeMadeUpPeers } from './etcd-overlay.ts'
import { holdsOneLease, leaseNameOf, readLeaseKey } from './lease-scene.ts'

const lab = useLab({ hosts: 2, agentCommand: underFakeClock([...AGENT]) }, async (it) => {
  for (const { place } of it.hosts) await setClock(place, '+0')
  await bringUp(it)
})

const DAY_MS = 86_400_000
const WATCHED_MS = 6_000
/** What an agent may say and do while nothing happens but the clock. */
const MOST_LINES = 5
const MOST_CPU = 0.05

afterEach(async () => {
  for (const { place } of lab().hosts) await setClock(place, '+0')
  await removeMadeUpPeers(lab())
  await allExact(lab(), 15_000)
})

/** By how much the agent's clock is off, from the time of the last line in its log, in milliseconds. */
async function clockErrorOf({ agent }: LabHost): Promise<number> {
  const [, time = ''] = /.*^(\S+Z) /ms.exec(await agent.logOfRun()) ?? []
  return Date.parse(time) - Date.now()
}

/** Gives the agent something to repair and to talk about. */
async function flushNeighbours(host: LabHost): Promise<void> {
  await holds(host, 'etcd', { deadlineMs: 15_000 })
  const skip = await lengthOfLog(host)
  await host.place.exec('ip', ['neighbour', 'flush', 'nud', 'all', 'dev', DEVICE])
  await waitFor('the agent to say so', async () => (await lengthOfLog(host)) > skip)
}

const STEPS = [
  { title: 'process: the clock set a day forward: no lease lost, no storm, changes followed', offset: '+1d', days: 1 },
  { title: 'process: the clock set a day back: no lease lost, no storm, changes followed', offset: '-1d', days: -1 },
] as const

describe('a clock that is set', () => {
  for (const { title, offset, days } of STEPS)
    test(title, async () => {
      const { hosts } = lab()
      const host = lab().host(0)
      const name = await leaseNameOf(lab(), host)
      const key = await readLeaseKey(lab(), name)
      await losesNoPing(inCircle(hosts), async () => {
        await setClock(host.place, offset)
        await holds(host, 'etcd', { deadlineMs: 15_000 })
        const [revision, skip] = [await lab().revision(), await lengthOfLog(host)]
        expect(await host.agent.cpuShare(WATCHED_MS), 'share of a processor').toBeLessThan(MOST_CPU)
        const said = (await host.agent.logOfRun()).slice(skip)
        expect(said.split('\n').length - 1, said).toBeLessThan(MOST_LINES)
        expect(await lab().revision(), 'nothing was written').toBe(revision)
        await changeLeases(lab(), { put: [madeUpPeer(1)] })
        await allExact(lab())
        expect(await readLeaseKey(lab(), name)).toEqual(key)
      })
      await flushNeighbours(host)
      await allExact(lab(), 2_000)
      expect(Math.round((await clockErrorOf(host)) / DAY_MS), 'days that the clock is off').toBe(days)
      await holdsOneLease(lab(), host)
    })
})
