import { describe, test } from 'vitest'

import { WatchLog } from '../contract/lease-store-contract.ts'
import type { EtcdCluster } from '../lab/etcd-process.ts'
import { DEADLINE, FrontScene } from './front-scene.ts'

const { signal } = new AbortController()

/** Watchers that etcd serves in rounds, since they have asked for what is past. */
async function slowWatchers({ member }: EtcdCluster): Promise<number> {
  const metrics = await (await fetch(`${member.endpoint}/metrics`)).text()
  return Number(/^etcd_debugging_mvcc_slow_watcher_total (\d+)$/m.exec(metrics)?.[1] ?? Number.NaN)
}

describe('a watch that begins with a list', () => {
  test('waits for no round of etcd where nothing has happened since', async (context) => {
    const [scene, { expect }] = [new FrontScene(context), context]
    const cluster = await scene.etcd()
    const store = scene.open(cluster.member)
    await store.create('10.15.3.0-24', 'one', { kind: 'reservation' }, signal)
    for (let at = 0; at < 5; at++) {
      const log = new WatchLog(store, await store.list(signal))
      await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
      expect(await slowWatchers(cluster)).toBe(0)
      log.abort()
    }
  })
})
