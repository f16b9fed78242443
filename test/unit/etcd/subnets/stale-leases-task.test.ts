import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StaleLeasesTask } from '../../../../src/etcd/subnets/stale-leases-task.ts'
import type { LeaseRecord } from '../../../../src/lease/store.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { FakeEtcd } from '../../../fake/fake-etcd.ts'
import { FakeLeaseStore } from '../../../fake/fake-lease-store.ts'
import { leaseValue, NODE } from '../../../fake/samples.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const OWN = '10.20.0.0-20'
const OLD = '10.30.0.0-20'
const OURS = leaseValue({ publicIp: '192.168.205.10', mac: '02:00:00:00:00:01', node: NODE })
/** Longer than anybody is given for an answer. */
const ANSWER_MS = 3_500

let clock: FakeClock
let log: RecordingLog
let etcd: FakeEtcd
let store: FakeLeaseStore
let conditions: Conditions
let task: StaleLeasesTask
/** Why we made way, each time. */
let ways: string[]
let stop: AbortController
let running: Promise<void>

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  etcd = new FakeEtcd()
  store = new FakeLeaseStore(etcd, clock)
  stop = new AbortController()
  conditions = new Conditions({ clock, log })
  const makeWay = (reason: string): void => void ways.push(reason)
  ways = []
  const own = {
    key: OWN,
    get createRevision() {
      return etcd.get(OWN)?.createRevision ?? 0n
    },
  }
  task = new StaleLeasesTask({ store, log, conditions, ourselves: { ...NODE, instance: 'this' }, own, makeWay })
  running = runTask(task, runtime(clock, stop.signal))
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

/** Puts a lease, as the task is told by the watch. */
function put(key: string, value: string): LeaseRecord {
  const record = etcd.put(key, value, etcd.grant(86_400))
  if (record === undefined) throw new Error('not granted')
  task.observe(record)
  return record
}

async function answerFor(key: string): Promise<void> {
  const other = new FakeLeaseStore(etcd, clock)
  for await (const challenge of other.challenges(key, stop.signal))
    await other.answer(challenge, { ...NODE, hostname: 'copy', instance: 'other' }, stop.signal)
}

describe('a lease with our node id beside the one we hold', () => {
  test('goes when nobody answers for it; ours and those of others stay', async () => {
    put(OWN, OURS)
    put('10.40.0.0-20', leaseValue({ publicIp: '192.168.205.11', mac: '02:00:00:00:00:02' }))
    put('10.50.0.0-20', `garbage ${NODE.id}`)
    put(OLD, OURS)
    await clock.advance(ANSWER_MS)
    expect(etcd.records.map(({ key }) => key)).toEqual([OWN, '10.40.0.0-20', '10.50.0.0-20'])
    expect(log.lines).toEqual([expect.stringContaining(`lease=${OLD}`)])
  })

  test('that is a reservation stays one, and no longer says what only our lease may say', async () => {
    put(OWN, OURS)
    const reserved = etcd.put(OLD, OURS)
    if (reserved === undefined) throw new Error('not put')
    task.observe(reserved)
    await clock.advance(ANSWER_MS)
    expect(etcd.get(OLD)).toMatchObject({
      value: '{"PublicIP":"192.168.205.10","PublicIPv6":null}',
      etcdLeaseId: '0',
    })
    expect(log.lines).toEqual([expect.stringContaining('a reservation for this node')])
  })

  test('stays when another machine answers for it, which is said once', async () => {
    const answering = answerFor(OLD)
    put(OWN, OURS)
    const record = put(OLD, OURS)
    await clock.advance(ANSWER_MS)
    task.observe(record)
    await clock.advance(ANSWER_MS)
    expect(etcd.get(OLD)).toEqual(record)
    expect(log.lines).toEqual([expect.stringMatching(/error .*same machine id.*--node-id/)])
    expect(ways).toEqual([])
    stop.abort()
    await answering
  })

  test('is one to make way before when another machine answers for it, and it is older than ours', async () => {
    const answering = answerFor(OLD)
    const record = put(OLD, OURS)
    put(OWN, OURS)
    await clock.advance(ANSWER_MS)
    expect(etcd.get(OLD)).toEqual(record)
    expect(ways).toEqual([expect.stringMatching(/same machine id.*--node-id/)])
    stop.abort()
    await answering
  })

  test('goes later when the store is out of reach at first', async () => {
    put(OLD, OURS)
    await clock.settle()
    store.disconnect()
    await clock.advance(ANSWER_MS)
    expect(etcd.get(OLD)).toBeDefined()
    store.reconnect()
    await clock.advance(10_000)
    expect(etcd.get(OLD)).toBeUndefined()
  })

  test('that cannot be removed is a condition until it is, said once a minute', async () => {
    for (let times = 0; times < 3; times++) store.failNext('remove', { code: 'UNAVAILABLE' })
    put(OLD, OURS)
    await clock.advance(2 * ANSWER_MS)
    expect(conditions.all()).toMatchObject([{ what: 'stale leases', effect: 'none' }])
    await clock.advance(60_000)
    expect(etcd.get(OLD)).toBeUndefined()
    expect(conditions.all()).toEqual([])
    expect(log.lines).toEqual([
      expect.stringMatching(`^warn cannot remove lease ${OLD}: `),
      expect.stringMatching(/^info removed a lease of an earlier life/),
    ])
  })

  test('that has changed meanwhile is looked at anew', async () => {
    put(OLD, OURS)
    await clock.advance(1_000)
    const record = put(OLD, leaseValue({ publicIp: '192.168.205.77', mac: '02:00:00:00:00:77' }))
    await clock.advance(ANSWER_MS)
    expect(etcd.get(OLD)).toEqual(record)
  })
})
