import { execFileSync } from 'node:child_process'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { EtcdCluster, loopbackPlaces, type EtcdMember } from '../lab/etcd-process.ts'
import { createEventually, openStore } from './etcd-harness.ts'

const { signal } = new AbortController()
const DEADLINE = { timeout: 30_000, interval: 20 }

describe('three members', () => {
  let cluster: EtcdCluster
  let store: EtcdLeaseStore
  let log: WatchLog
  beforeAll(async () => {
    cluster = await EtcdCluster.start({ places: await loopbackPlaces(3) })
  })
  beforeEach(async () => {
    store = openFirst(await cluster.leader())
    log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
  })
  afterEach(async () => {
    log.abort()
    store.close()
    await cluster.restart()
  })
  afterAll(() => cluster.close())

  /** A store that begins with this member and knows the others. */
  function openFirst(first: EtcdMember): EtcdLeaseStore {
    const others = cluster.members.filter((member) => member !== first)
    return openStore({ endpoints: [first, ...others].map(({ endpoint }) => endpoint) }, { random: () => 0 })
  }

  /** Connections of this process to members. */
  function connections(): number {
    const all = execFileSync('ss', ['-tnpH', 'state', 'established'], { encoding: 'utf8' }).split('\n')
    const ports = cluster.members.map(({ place }) => `${place.host}:${place.clientPort} `)
    return all.filter((line) => line.includes(`pid=${process.pid},`) && ports.some((port) => line.includes(` ${port}`)))
      .length
  }

  test('writes and the watch go on when the leader is killed', async () => {
    await store.create('10.1.0.0-24', 'v', { kind: 'reservation' }, signal)
    await (await cluster.leader()).stop('SIGKILL')
    await createEventually(store, '10.2.0.0-24', 'v')
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=v', '+10.2.0.0-24=v'])
    expect(log.connection).toEqual(['up', 'down', 'up'])
    await expect.poll(connections, { ...DEADLINE, timeout: 10_000 }).toBe(1)
  })

  test('a frozen member is left for another', async () => {
    const frozen = await cluster.leader()
    frozen.freeze()
    try {
      await createEventually(store, '10.3.0.0-24', 'v')
      await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.3.0.0-24=v'])
    } finally {
      frozen.thaw()
    }
    await expect.poll(connections, { ...DEADLINE, timeout: 10_000 }).toBe(1)
  })

  test('a member without a majority is not listened to, and the watch goes on with the majority', async () => {
    const [first, second] = cluster.members.filter((member) => member !== cluster.members[0])
    await Promise.all([first?.stop('SIGKILL'), second?.stop('SIGKILL')])
    await expect.poll(() => log.connection.at(-1), DEADLINE).toBe('down')
    await cluster.restart()
    await createEventually(store, '10.4.0.0-24', 'v')
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.4.0.0-24=v'])
  })
})
