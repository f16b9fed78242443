import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Conditions, type Effect } from '../../../../src/agent/runtime/conditions.ts'
import { StoreError } from '../../../../src/lease/store.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { loopOn } from '../../../fake/runtime.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const MINUTE_MS = 60_000
/** At once only once a minute. */
const RARELY = { atOnce: 1 }

let clock: FakeClock
let log: RecordingLog
let conditions: Conditions
let stop: AbortController
let running: Promise<void>

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  conditions = new Conditions({ clock, log })
  stop = new AbortController()
  running = conditions.run(loopOn(clock, stop.signal))
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

const outOfReach = (endpoint: string): StoreError =>
  new StoreError({ op: 'list', code: 'UNAVAILABLE', retryable: true, message: `no connection to ${endpoint}` })

/** Reports a failure every second. */
async function failFor(ms: number, what: string, reason: () => string | Error): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    conditions.fails(what, reason(), 'degraded')
    await clock.advance(1_000)
  }
}

describe('the log', () => {
  test('says each transition once', async () => {
    conditions.holds('thing')
    await failFor(10_000, 'thing', () => 'is broken')
    conditions.holds('thing')
    conditions.holds('thing')
    expect(log.lines).toEqual(['warn thing: is broken', 'info thing: works now'])
  })

  test('says again what fails on, once a minute', async () => {
    await failFor(MINUTE_MS - 1_000, 'thing', () => 'is broken')
    expect(log.lines).toHaveLength(1)
    await failFor(3 * MINUTE_MS, 'thing', () => 'is broken')
    expect(log.lines).toEqual(Array.from({ length: 4 }, () => 'warn thing: is broken'))
  })

  test('says another reason at once, but each of them once a minute', async () => {
    let count = 0
    await failFor(MINUTE_MS, 'thing', () => (count++ % 2 === 0 ? 'is broken' : 'is gone'))
    expect(log.lines).toEqual(['warn thing: is broken', 'warn thing: is gone'])
  })

  test('takes errors for the same whose words name now this endpoint, now that', async () => {
    let count = 0
    await failFor(MINUTE_MS, 'thing', () => outOfReach(count++ % 2 === 0 ? 'a:4001' : 'b:2379'))
    expect(log.lines).toEqual(['warn thing: no connection to a:4001'])
  })

  test('is not flooded by what comes and goes, of whatever conditions there are', async () => {
    for (let second = 0; second < 120; second++) {
      for (const what of ['thing', 'other']) conditions.fails(what, 'is broken', 'degraded')
      await clock.advance(500)
      for (const what of ['thing', 'other']) conditions.holds(what)
      await clock.advance(500)
    }
    const lines = ['warn thing: is broken', 'info thing: works now']
    const threeTimesAMinute = Array.from({ length: 2 * 3 }, () => lines).flat()
    expect(log.lines.filter((line) => line.includes('thing'))).toEqual(threeTimesAMinute)
    expect(log.lines).toHaveLength(2 * threeTimesAMinute.length)
  })

  test('says at once what begins anew, a few times a minute', async () => {
    for (let times = 0; times < 4; times++) {
      conditions.fails('thing', 'is broken', 'degraded')
      await clock.advance(1_000)
      conditions.holds('thing')
      await clock.advance(1_000)
    }
    expect(log.lines).toHaveLength(2 * 3)
  })

  test('says after a minute at the latest that a condition fails again, though it is reported once only', async () => {
    conditions.fails('thing', 'is broken', 'degraded', RARELY)
    await clock.advance(1_000)
    conditions.holds('thing')
    await clock.advance(1_000)
    conditions.fails('thing', 'is broken', 'degraded', RARELY)
    await clock.advance(MINUTE_MS - 2_001)
    expect(log.lines.at(-1)).toBe('info thing: works now')
    await clock.advance(1)
    expect(log.lines.at(-1)).toBe('warn thing: is broken')
    await clock.advance(10 * MINUTE_MS)
    expect(log.lines).toHaveLength(3)
  })

  test('does not say that works now of which it had not said that it fails', async () => {
    for (let times = 0; times < 2; times++) {
      conditions.fails('thing', 'is broken', 'degraded', RARELY)
      conditions.holds('thing')
    }
    await clock.advance(10 * MINUTE_MS)
    expect(log.lines).toEqual(['warn thing: is broken', 'info thing: works now'])
  })

  test.each<[Effect, string]>([
    ['unready', 'error'],
    ['incomplete', 'error'],
    ['degraded', 'warn'],
    ['none', 'warn'],
  ])('says what is %s as %s', (effect, level) => {
    conditions.fails('thing', 'is broken', effect)
    expect(log.lines).toEqual([`${level} thing: is broken`])
  })

  test('has the words, level and fields that the task gives', () => {
    const fields = { file: 'x' }
    const words = { says: 'cannot write', saysHolds: 'written', level: 'warn', fields } as const
    conditions.fails('thing', 'is broken', 'unready', words)
    conditions.holds('thing')
    expect(log.lines).toEqual(['warn cannot write file=x', 'info written file=x'])
  })

  test('says nothing where the task has said it, or says the end alone', () => {
    conditions.fails('thing', 'is broken', 'unready', { says: false })
    conditions.holds('thing')
    expect(log.lines).toEqual([])
    conditions.fails('thing', 'is broken', 'unready', { says: false, saysHolds: 'is whole again' })
    conditions.holds('thing')
    expect(log.lines).toEqual(['info is whole again'])
  })

  test('says once what is not to be repeated, until it has held', async () => {
    const fail = async (reason: string): Promise<void> => {
      conditions.fails('thing', reason, 'degraded', { repeats: false })
      await clock.advance(2 * MINUTE_MS)
    }
    for (const reason of ['is broken', 'is broken', 'is gone', 'is gone', 'is broken']) await fail(reason)
    expect(log.lines).toEqual(['warn thing: is broken', 'warn thing: is gone', 'warn thing: is broken'])
    conditions.holds('thing')
    await fail('is broken')
    expect(log.lines).toHaveLength(5)
  })

  test('has no word for what is dropped, before and after', async () => {
    for (let times = 0; times < 2; times++) {
      conditions.fails('thing', 'is broken', 'degraded', RARELY)
      conditions.drop('thing')
      conditions.holds('thing')
      expect(conditions.all()).toEqual([])
    }
    await clock.advance(10 * MINUTE_MS)
    expect(log.lines).toEqual(['warn thing: is broken'])
  })
})

describe('whoever asks', () => {
  test('hears what fails, why, with what effect and since when', async () => {
    conditions.fails('thing', 'is broken', 'degraded')
    await clock.advance(5_000)
    conditions.fails('thing', new Error('is gone'), 'none')
    conditions.fails('other', 'is broken', 'unready')
    const sinceMs = clock.monotonicMs() - 5_000
    expect(conditions.all()).toEqual([
      { what: 'thing', reason: 'is gone', effect: 'none', sinceMs },
      { what: 'other', reason: 'is broken', effect: 'unready', sinceMs: sinceMs + 5_000 },
    ])
    conditions.holds('thing')
    expect(conditions.all().map(({ what }) => what)).toEqual(['other'])
  })

  test('hears of what is tolerated for a while that it only degrades, until that is over', async () => {
    await clock.advance(3_600_000)
    const fail = (): void => {
      conditions.fails('thing', 'is broken', 'unready', { toleratedMs: 30_000 })
    }
    fail()
    await clock.advance(29_999)
    fail()
    expect(conditions.all()).toMatchObject([{ effect: 'degraded' }])
    await clock.advance(1)
    expect(conditions.all()).toMatchObject([{ effect: 'unready' }])
  })

  test('hears the root cause first', () => {
    const causesFirst = [
      'underlay',
      'IPv4 underlay',
      'etcd',
      'network configuration',
      'lease',
      'list of leases',
      'peer filter',
      'device flannel.1',
      'forwarding of IPv4',
      'tables of IPv4',
      'peers of IPv4',
      'net.ipv4.ip_forward',
      'firewall',
      'subnet file',
      'something else',
    ]
    for (const what of [...causesFirst].reverse()) conditions.fails(what, 'is broken', 'unready')
    expect(conditions.all().map(({ what }) => what)).toEqual(causesFirst)
  })

  test('hears first, of those that stand beside each other, what has failed for longest', async () => {
    for (const what of ['forwarding of IPv6', 'forwarding of IPv4']) {
      conditions.fails(what, 'is broken', 'unready')
      await clock.advance(1)
    }
    expect(conditions.all().map(({ what }) => what)).toEqual(['forwarding of IPv6', 'forwarding of IPv4'])
  })
})

describe('the end of a session', () => {
  test('ends what was reported in it, without a word, and leaves what is of the process', () => {
    conditions.fails('thing', 'is broken', 'degraded')
    conditions.fails('endpoint', 'is taken', 'none', { isOfSession: false })
    let changes = 0
    conditions.subscribe(() => changes++)
    conditions.sessionEnded()
    expect(conditions.all().map(({ what }) => what)).toEqual(['endpoint'])
    conditions.holds('thing')
    expect(changes).toBe(1)
    conditions.holds('endpoint')
    expect(log.lines).toEqual(['warn thing: is broken', 'warn endpoint: is taken', 'info endpoint: works now'])
  })
})

describe('those who have subscribed', () => {
  test('all hear of each change, and of nothing else', () => {
    const heard = { first: 0, second: 0 }
    conditions.subscribe(() => heard.first++)
    conditions.subscribe(() => heard.second++)
    conditions.holds('thing')
    expect(heard).toEqual({ first: 0, second: 0 })
    for (let times = 0; times < 2; times++) conditions.fails('thing', 'is broken', 'degraded')
    expect(heard).toEqual({ first: 1, second: 1 })
    conditions.fails('thing', 'is gone', 'degraded')
    conditions.fails('thing', 'is gone', 'unready')
    conditions.holds('thing')
    conditions.holds('thing')
    expect(heard).toEqual({ first: 4, second: 4 })
  })

  test('hear nothing once they have unsubscribed, also within a notification', () => {
    const heard: string[] = []
    const ends = ['a', 'b', 'c'].map((name) =>
      conditions.subscribe(() => {
        heard.push(name)
        if (name === 'a') for (const end of ends.slice(0, 2)) end()
      }),
    )
    conditions.fails('thing', 'is broken', 'degraded')
    expect(heard).toEqual(['a', 'c'])
    conditions.holds('thing')
    expect(heard).toEqual(['a', 'c', 'c'])
  })

  test('hear from the next change on when they subscribe within a notification', () => {
    let late = 0
    let hasSubscribed = false
    conditions.subscribe(() => {
      if (!hasSubscribed) conditions.subscribe(() => late++)
      hasSubscribed = true
    })
    conditions.fails('thing', 'is broken', 'degraded')
    expect(late).toBe(0)
    conditions.holds('thing')
    expect(late).toBe(1)
  })
})
