import { setMaxListeners } from 'node:events'

import { Etcd3 } from 'etcd3'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import type { Challenger } from '../../src/lease/challenges.ts'
import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { askedRanges, asRangeRequest, type AskedRange } from './asked-ranges.ts'
import { openStore, PREFIX } from './etcd-harness.ts'
import { WireRelay } from './wire-relay.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)
const DEADLINE = { timeout: 30_000, interval: 20 }
const SECRET = 'of another program'
/** Larger than all that the agent has to read here. */
const FOREIGN_VALUE = SECRET.padEnd(300_000, '.')

/** On either side of every key and directory that the agent reads, and at the ends of the store. */
const FOREIGN = [
  ...['\0', '/', '/coreos.com/network', '/coreos.com/networj/subnets/a', '/coreos.com/network0', '/registry/secrets/a'],
  ...['', '!', '\0', '/', '0'].map((end) => `${PREFIX}/subnets${end}`.replace(/subnets\/$/, 'subnett/')),
  ...['', '!', '.', '0', 'x'].map((end) => `${PREFIX}/challenges${end}`),
  ...['confif', 'config\0', 'config!', 'config/', 'config/a', 'configs', 'confih'].map((end) => `${PREFIX}/${end}`),
  ...[`${PREFIX}/`, '\x7f', 'zzz'],
]

/** The directories whole, in order, and the configuration. */
const OURS = [`${PREFIX}/challenges/`, `${PREFIX}/subnets/`]

/** Whether nothing but ours can be meant. */
function isOurs({ key, end }: AskedRange): boolean {
  if (end === undefined)
    return key.toString() === `${PREFIX}/config` || OURS.some((directory) => isBelow(key, directory))
  return OURS.some((directory) => isBelow(key, directory) && end.compare(endOf(directory)) <= 0 && end.length > 0)
}
const endOf = (directory: string): Buffer => Buffer.from(directory.replace(/\/$/, '0'))
const isBelow = (key: Buffer, directory: string): boolean =>
  key.compare(Buffer.from(directory)) >= 0 && key.compare(endOf(directory)) < 0

const objectContaining = (fields: object): unknown => expect.objectContaining(fields)

const us: Challenger = { id: 'us', hostname: 'here', instance: '1' }
const them: Challenger = { id: 'them', hostname: 'there', instance: '2' }

/** Everything that a store is ever asked to do. */
async function doEverything(store: EtcdLeaseStore, relay: WireRelay): Promise<void> {
  expect(await store.readConfig(signal)).toMatchObject({ value: '{}' })
  const config = store.watchConfig(signal)[Symbol.asyncIterator]()
  expect((await config.next()).value).toMatchObject({ value: '{}' })
  const log = new WatchLog(store, await store.list(signal))
  const created = await store.create('10.1.0.0-24', 'one', { kind: 'grant', ttlSeconds: 600 }, signal)
  const taken = await store.create('10.1.0.0-24', 'two', { kind: 'reservation' }, signal)
  if (!created.ok || taken.ok) throw new Error('the wrong one was refused')
  const { modRevision } = created.record
  expect(await store.saidAt('10.1.0.0-24', modRevision, signal)).toMatchObject({ value: 'one' })
  for (const within of ['everywhere', [{ from: '10.1.', to: '10.2.' }]] as const) {
    const newcomers = { after: modRevision - 1n, within }
    const late = await store.create('10.1.0.0-25', 'late', { kind: 'reservation' }, signal, newcomers)
    expect(late.ok).toBe(false)
  }
  await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
  relay.cut() // then the store is asked whether it is the same, and how it stood
  await expect.poll(() => log.connection, DEADLINE).toEqual(['up', 'down', 'up'])
  const questions = (): readonly unknown[] => relay.requestsTo('Range').map(asRangeRequest)
  await expect.poll(questions, DEADLINE).toContainEqual(objectContaining({ sort_target: 'Mod', limit: '1' }))
  const changed = await store.replace(created.record, 'changed', signal)
  await expect.poll(() => log.changes.at(-1), DEADLINE).toBe('+10.1.0.0-24=changed')
  await expect(store.keepAlive(created.record.etcdLeaseId, signal)).resolves.toMatchObject({ alive: true })
  await challenge(store)
  if (!changed.ok) throw new Error('refused')
  await store.remove(created.record, signal)
  expect(await store.release(changed.record, signal)).toBe(true)
  await expect.poll(() => log.changes.at(-1), DEADLINE).toBe('-10.1.0.0-24')
  log.abort()
  expect((await store.list(signal)).records).toEqual([])
}

async function challenge(store: EtcdLeaseStore): Promise<void> {
  const stop = new AbortController()
  const answering = (async () => {
    for await (const asked of store.challenges('10.1.0.0-24', stop.signal)) await store.answer(asked, them, signal)
  })()
  expect(await store.ask('10.1.0.0-24', us, 20_000, signal)).toMatchObject({ id: 'them' })
  await store.takeBack('us', signal)
  stop.abort()
  await answering
}

describe('what the agent asks of etcd', () => {
  let cluster: EtcdCluster
  let relay: WireRelay
  beforeAll(async () => {
    cluster = await EtcdCluster.start()
    relay = await WireRelay.start(cluster.member.place.clientPort)
    const others = new Etcd3({ hosts: cluster.member.endpoint })
    for (const key of FOREIGN) await others.put(Buffer.from(key)).value(FOREIGN_VALUE)
    await others.put(`${PREFIX}/config`).value('{}')
    others.close()
  })
  afterEach(async () => {
    relay.calls.splice(0)
    await cluster.etcdctl(['del', '--prefix', `${PREFIX}/subnets/`])
  })
  afterAll(async () => {
    relay.close()
    await cluster.close()
  })

  function expectOnlyOurs(): void {
    const asked = relay.calls.flatMap(askedRanges)
    expect(asked.filter((range) => !isOurs(range)).map(({ of, key, end }) => [of, String(key), end])).toEqual([])
    const kinds = ['RangeRequest', 'PutRequest', 'DeleteRangeRequest', 'Compare', 'WatchCreateRequest']
    expect(new Set(asked.map(({ of }) => of))).toEqual(new Set(kinds))
    const answers = relay.calls.flatMap((call) => call.answers)
    expect(answers.filter((answer) => answer.includes(SECRET))).toEqual([])
    expect(relay.received).toBeLessThan(FOREIGN_VALUE.length)
  }

  test('is below its own prefix in every request, and nothing else comes, whoever has keys beside it', async () => {
    const store = openStore({ endpoints: [relay.endpoint] }, { random: () => 0 })
    onTestFinished(() => {
      store.close()
    })
    await doEverything(store, relay)
    expectOnlyOurs()
  })

  test('is the same for a user whose role is limited to the prefix, who needs no more', async () => {
    for (const command of [
      ...['user add root:rootpw', 'user grant-role root root', 'user add agent:pw', 'role add flannel'],
      ...[
        `role grant-permission flannel readwrite ${PREFIX}/ --prefix`,
        'user grant-role agent flannel',
        'auth enable',
      ],
    ])
      await cluster.etcdctl(command.split(' '))
    cluster.user = 'root:rootpw'
    const store = openStore({ endpoints: [relay.endpoint], username: 'agent', password: 'pw' }, { random: () => 0 })
    onTestFinished(() => {
      store.close()
    })
    await doEverything(store, relay)
    expectOnlyOurs()
  })
})
