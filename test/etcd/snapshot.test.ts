import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { WatchLog } from '../contract/lease-store-contract.ts'
import { EtcdHarness } from './etcd-harness.ts'

const { signal } = new AbortController()
const DEADLINE = { timeout: 30_000, interval: 20 }

/** Puts a snapshot in the place of everything, as a person would: same names, same URLs, same token, so the same cluster id. */
async function restoreSnapshot({ cluster }: EtcdHarness, file: string): Promise<void> {
  const { member } = cluster
  const peerUrl = `http://${member.place.host}:${member.place.peerPort}`
  await member.stop('SIGKILL')
  member.wipe()
  const names = ['--name', member.name, '--initial-cluster', `${member.name}=${peerUrl}`]
  const place = ['--data-dir', member.dataDir, '--initial-advertise-peer-urls', peerUrl]
  await cluster.etcdctl(['snapshot', 'restore', file, ...names, ...place])
  await cluster.restart()
}

test('a store restored from a snapshot under its old name is another one, though it has come further than we', async () => {
  const harness = await EtcdHarness.start()
  onTestFinished(() => harness.close())
  const snapshot = join(harness.cluster.member.dataDir, '..', 'snapshot.db')
  await harness.put('10.1.0.0-24', 'one')
  await harness.cluster.etcdctl(['snapshot', 'save', snapshot])
  await harness.put('10.2.0.0-24', 'two')
  const store = harness.open()
  const list = await store.list(signal)
  const log = new WatchLog(store, list)
  await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
  await harness.disconnect()
  await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
  await restoreSnapshot(harness, snapshot)
  for (const at of Array(10).keys()) await harness.put(`10.9.${at}.0-24`, 'later')
  expect(await harness.revision()).toBeGreaterThan(list.revision)
  await harness.reconnect()
  await expect.poll(() => log.ended, DEADLINE).toBe(true)
  expect(log.events.at(-1)).toMatchObject({ kind: 'reset' })
  expect((await store.list(signal)).clusterId).toBe(list.clusterId)
  log.abort()
}, 60_000)
