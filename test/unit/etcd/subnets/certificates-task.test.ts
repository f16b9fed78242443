import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { CertificatesTask, type CertificateFiles } from '../../../../src/etcd/subnets/certificates-task.ts'
import { Wakeup } from '../../../../src/time/wakeup.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

const START_MS = Date.parse('2026-06-01T00:00:00Z')
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

let clock: FakeClock
let log: RecordingLog
let conditions: Conditions
let seen: ReturnType<CertificateFiles['look']>
let looks: number
let bell: Wakeup
let stop: AbortController
let running: Promise<unknown>

beforeEach(async () => {
  clock = new FakeClock()
  log = recordingLog()
  conditions = new Conditions({ clock, log })
  seen = { problem: undefined, inUse: true, validities: [] }
  looks = 0
  stop = new AbortController()
  const startedMs = clock.monotonicMs()
  const look = (): typeof seen => {
    looks += 1
    return seen
  }
  const wallMs = (): number => START_MS + clock.monotonicMs() - startedMs
  bell = new Wakeup()
  const task = new CertificatesTask({ files: { look }, conditions, wallMs, bell })
  running = Promise.all([task, conditions].map((one) => runTask(one, runtime(clock, stop.signal))))
  await clock.settle()
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

const failing = (): readonly string[] =>
  conditions.all().map(({ what, reason, effect }) => `${what}: ${reason} (${effect})`)
const named = (what: string, days: number) => ({ what, toMs: START_MS + days * DAY_MS })

test('are looked at when it is rung, and not only once a minute', async () => {
  expect(looks).toBe(1)
  bell.ring()
  await clock.settle()
  expect(looks).toBe(2)
})

describe('certificates that end', () => {
  test('are named from two weeks before on, once a day, and more gravely when they have', async () => {
    seen = {
      ...seen,
      validities: [named('the certificate in --etcd-certfile', 16), named('the CA in --etcd-cafile', 90)],
    }
    await clock.advance(1.9 * DAY_MS)
    expect(failing()).toEqual([])
    await clock.advance(0.2 * DAY_MS)
    const first = 'the certificate in --etcd-certfile ends on 2026-06-17, in 13 days'
    expect(failing()).toEqual([`expiry of certificates: ${first} (none)`])
    await clock.advance(0.8 * DAY_MS)
    expect(log.lines).toEqual([`warn expiry of certificates: ${first}`])
    await clock.advance(12 * DAY_MS)
    expect(failing()[0]).toContain('in 1 day (none)')
    expect(log.lines).toHaveLength(13)
    await clock.advance(1.5 * DAY_MS)
    expect(failing()).toEqual([
      'expiry of certificates: the certificate in --etcd-certfile has ended on 2026-06-17 (degraded)',
    ])
    seen = { ...seen, validities: [named('the certificate in --etcd-certfile', 90)] }
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([])
    expect(log.lines.at(-1)).toBe('info expiry of certificates: works now')
  })

  test('together are one reason, each of one name once', async () => {
    seen = { ...seen, validities: [named('a', 1.5), named('b', 2.5), named('a', 1.5), named('c', 100)] }
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([
      'expiry of certificates: a ends on 2026-06-02, in 1 day; b ends on 2026-06-03, in 2 days (none)',
    ])
  })
})

describe('files of certificates', () => {
  test('that do not fit for a moment, as in a rotation, are looked at again soon, and nobody is told', async () => {
    await clock.advance(MINUTE_MS)
    seen = { ...seen, problem: 'half' }
    await clock.advance(MINUTE_MS)
    const before = looks
    seen = { ...seen, problem: undefined }
    await clock.advance(5_000)
    expect(looks).toBe(before + 1)
    expect([failing(), log.lines]).toEqual([[], []])
  })

  test('that stay unfit are named, with those from before in use, until they fit', async () => {
    seen = { ...seen, problem: 'a key of another' }
    await clock.advance(MINUTE_MS + 5_000)
    const reason = 'a key of another; those from before stay in use'
    expect(failing()).toEqual([`certificates of etcd: ${reason} (degraded)`])
    expect(log.lines).toEqual([`warn certificates of etcd: ${reason}`])
    seen = { ...seen, problem: undefined }
    await clock.advance(5_000)
    expect(failing()).toEqual([])
    expect(log.lines.at(-1)).toBe('info certificates of etcd: works now')
  })

  test('that are not there yet at the start are waited for, and keep the node from being ready', async () => {
    seen = { problem: 'waiting for /ca', inUse: false, validities: [] }
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual(['certificates of etcd: waiting for /ca (unready)'])
    seen = { ...seen, problem: undefined, inUse: true }
    await clock.advance(5_000)
    expect(failing()).toEqual([])
  })

  test('are read once a minute at most while all is well', async () => {
    const before = looks
    await clock.advance(10 * MINUTE_MS)
    expect(looks - before).toBe(10)
  })
})
