import { expect, test } from 'vitest'
import { systemClock } from '../../src/host/system-clock.ts'
import { LeaseKeeper } from '../../src/lease/keeper/keeper.ts'
import { NODE } from '../fake/samples.ts'
import { loopOn } from '../fake/runtime.ts'
import { EtcdMetrics } from '../lab/etcd-metrics.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { openStore } from './etcd-harness.ts'

const TTL_S = 6

test('a lease is renewed once in a third of its time to live, and nothing else is asked of etcd for it', async ({
  onTestFinished,
}) => {
  const [cluster, stop] = [await EtcdCluster.start(), new AbortController()]
  const store = openStore({ endpoints: cluster.endpoints })
  onTestFinished(async () => {
    stop.abort()
    store.close()
    await cluster.close()
  })
  const beganMs = performance.now()
  const created = await store.create('10.1.0.0-24', 'v', { kind: 'grant', ttlSeconds: TTL_S }, stop.signal)
  if (!created.ok) throw new Error('refused')
  const keeper = new LeaseKeeper(created.record, {
    ...{ store, clock: systemClock, random: Math.random, renewMarginMs: 0, onState: () => undefined },
    terms: { node: NODE, ttlSeconds: TTL_S },
    ourselves: { ...NODE, instance: 'this' },
  })
  const before = await EtcdMetrics.read(cluster.member.endpoint)
  void keeper.hold(loopOn(systemClock, stop.signal))
  const calls = async (): Promise<Readonly<Record<string, number>>> =>
    (await EtcdMetrics.read(cluster.member.endpoint)).callsSince(before)
  await expect.poll(calls, { timeout: 2 * TTL_S * 1_000 }).toEqual({ 'etcdserverpb.Lease/LeaseKeepAlive': 3 })
  expect(performance.now() - beganMs, 'three thirds of it').toBeGreaterThanOrEqual(TTL_S * 1_000)
  expect((await store.list(stop.signal)).records).toHaveLength(1)
})
