import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ChallengesTask } from '../../../../src/etcd/subnets/challenges-task.ts'
import { encodeChallenge } from '../../../../src/etcd/challenge-codec.ts'
import { StoreError } from '../../../../src/lease/store.ts'
import type { Challenger } from '../../../../src/lease/challenges.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { FakeEtcd } from '../../../fake/fake-etcd.ts'
import { FakeLeaseStore } from '../../../fake/fake-lease-store.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const KEY = '10.20.0.0-20'
const OURSELVES: Challenger = { id: 'a'.repeat(32), hostname: 'host1', instance: 'ours' }
const OTHER: Challenger = { id: 'b'.repeat(32), hostname: 'host2', instance: 'theirs' }
const ANSWERED = `info another node asked whether the holder of our lease lives; answered lease=${KEY} node=${OTHER.id} hostname=host2`

let clock: FakeClock
let log: RecordingLog
let etcd: FakeEtcd
/** Our connection to etcd, and that of whoever asks. */
let store: FakeLeaseStore
let asking: FakeLeaseStore
let conditions: Conditions
let stop: AbortController
let running: Promise<void>
/** Instances that asked. */
let asked: string[]

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  etcd = new FakeEtcd()
  store = new FakeLeaseStore(etcd, clock)
  asking = new FakeLeaseStore(etcd, clock)
  conditions = new Conditions({ clock, log })
  stop = new AbortController()
  asked = []
  running = runTask(
    new ChallengesTask({
      store,
      clock,
      log,
      conditions,
      key: KEY,
      ourselves: OURSELVES,
      onAsked: ({ instance }) => asked.push(instance),
    }),
    runtime(clock, stop.signal),
  )
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

const ask = (from: Challenger, key = KEY): Promise<Challenger | undefined> =>
  asking.ask(key, from, 10_000, new AbortController().signal)

describe('whoever asks whether we live', () => {
  test('is answered, and named in the log', async () => {
    expect(await ask(OTHER)).toEqual(OURSELVES)
    expect(log.lines).toEqual([ANSWERED])
  })

  test('is told nothing of an answer that our stop cut short', async () => {
    store.answer = (_, __, signal) =>
      new Promise((___, reject) => {
        signal.addEventListener('abort', () => {
          const message = 'aborted'
          reject(new StoreError({ op: 'answer', code: 'ABORTED_BY_CALLER', retryable: false, message }))
        })
      })
    void ask(OTHER).catch(() => undefined)
    await clock.settle()
    stop.abort()
    await running
    expect([conditions.all(), log.lines]).toEqual([[], []])
    await clock.advance(20_000)
  })

  test('is answered also with our machine id, if it is another machine', async () => {
    expect(await ask({ ...OURSELVES, instance: 'a copy' })).toEqual(OURSELVES)
  })

  test('is not answered when it is ourselves, or asks about another lease', async () => {
    const answers = Promise.all([ask(OURSELVES), ask(OTHER, '10.30.0.0-20')])
    await clock.advance(10_000)
    expect(await answers).toEqual([undefined, undefined])
    expect(log.lines).toEqual([])
  })

  test('is named once a minute, however often it asks; another one at once', async () => {
    for (let minute = 0; minute < 2; minute++) {
      for (let time = 0; time < 5; time++) {
        await ask({ ...OTHER, instance: `process ${minute} ${time}` })
        await clock.advance(11_000)
      }
      await clock.advance(5_000)
    }
    await ask({ ...OTHER, hostname: 'host3' })
    expect(log.lines).toEqual([ANSWERED, ANSWERED, ANSWERED.replace('host2', 'host3')])
  })

  test('is named by 64 printable characters at most', async () => {
    await ask({ id: 'x'.repeat(100_000), hostname: `\u202eevil\n${'y'.repeat(100_000)}`, instance: 'theirs' })
    expect(log.lines).toEqual([
      `info another node asked whether the holder of our lease lives; answered lease=${KEY} node=${'x'.repeat(64)}… (128 characters) hostname=\\u{202e}evil ${'y'.repeat(58)}… (128 characters)`,
    ])
  })

  test('is a few lines a minute at most, whoever asks', async () => {
    for (let at = 0; at < 600; at++) {
      await ask({ ...OTHER, hostname: `host${at}` })
      await clock.advance(100)
    }
    expect(log.lines.length).toBeLessThanOrEqual(8)
  })

  test('is not said to be answered when somebody else has done so', async () => {
    const write = store.answer.bind(store)
    store.answer = (challenge, by, signal) => {
      etcd.putChallenge(`${challenge.key}/${challenge.id}`, encodeChallenge({ from: OTHER, by: OTHER }), '0')
      return write(challenge, by, signal)
    }
    expect(await ask(OTHER)).toEqual(OTHER)
    expect(log.lines).toEqual([])
  })

  test('is answered at once in the midst of thousands who only plague us, eight at a time', async () => {
    let [under, most] = [0, 0]
    const write = store.answer.bind(store)
    store.answer = async (challenge, by, signal) => {
      most = Math.max(most, ++under)
      await clock.sleep(10, signal)
      under--
      return write(challenge, by, signal)
    }
    for (let at = 0; at < 3_000; at++) etcd.putChallenge(`${KEY}/flood${at}`, 'rubbish', '0')
    const answer = ask(OTHER)
    await clock.advance(50)
    expect(await Promise.race([answer, Promise.resolve('nothing yet')])).toEqual(OURSELVES)
    expect(most).toBe(8)
    await clock.advance(1_000)
    const answered = [...etcd.challenges.values()].filter(({ value }) => value.includes('"By"'))
    expect(answered.length).toBeLessThanOrEqual(200)
  })

  test('is not answered once we have stopped', async () => {
    stop.abort()
    await running
    const answer = ask(OTHER)
    await clock.advance(10_000)
    expect(await answer).toBeUndefined()
  })

  test('is answered in the end though answering fails at first', async () => {
    store.failNext('answer', { code: 'UNAVAILABLE' })
    store.failNext('answer', { code: 'UNAVAILABLE' })
    const answer = ask(OTHER)
    await clock.advance(500)
    expect(conditions.all()).toMatchObject([{ what: 'answers to challenges', effect: 'none' }])
    await clock.advance(5_000)
    expect(await answer).toEqual(OURSELVES)
    expect(conditions.all()).toEqual([])
    expect(log.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1)
    expect(log.lines.at(-1)).toBe(ANSWERED)
  })

  test('is answered also after one whom we may not answer', async () => {
    store.failNext('answer', { code: 'PERMISSION_DENIED' })
    const first = ask(OTHER)
    await clock.advance(10_000)
    expect(await first).toBeUndefined()
    expect(await ask(OTHER)).toEqual(OURSELVES)
  })
})
