import fc from 'fast-check'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { check } from '../property/leases/check.ts'
import { beginning, event, type Event } from '../property/leases/events.ts'
import type { Beginning } from '../property/leases/world.ts'
import { EtcdStage } from './etcd-stage.ts'

/** Sequences at a time: they mostly wait. */
const TOGETHER = 10
const SPEED = 4
/** Nothing is waited for as long as in virtual time. */
const LONGEST_PAUSE_MS = 8_000
/** Of the sequences: another one each time, unless it is given. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)

describe('nodes of ours and of upstream at a real etcd', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start()
  })
  afterAll(() => cluster.close())

  async function play(at: number, [begun, events]: [Beginning, readonly Event[]]): Promise<void> {
    const stage = new EtcdStage({ cluster, prefix: `/model/${at}`, endpoint: cluster.endpoints[0] ?? '', speed: SPEED })
    const short = events.map(({ thenMs, ...what }) => ({ ...what, thenMs: Math.min(thenMs, LONGEST_PAUSE_MS) }))
    await check(stage, begun, short).catch((error: unknown) => {
      throw new Error(`sequence ${at} of seed ${SEED}`, { cause: error })
    })
  }

  test('whatever befalls them, no two of ours hold the same addresses, and none takes what another has', async () => {
    const numRuns = Number(process.env['ETCD_FUZZ_RUNS'] ?? 20)
    const sequences = fc.sample(fc.tuple(beginning(6), fc.array(event, { maxLength: 12, size: 'max' })), {
      numRuns,
      seed: SEED,
    })
    const waiting = [...sequences.entries()]
    const playAll = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await play(...next)
    }
    const ends = await Promise.allSettled(Array.from({ length: TOGETHER }, playAll))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }, 600_000)
})
