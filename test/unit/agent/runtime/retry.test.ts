import { beforeEach, describe, expect, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { isCurable, untilItWorks } from '../../../../src/agent/runtime/retry.ts'
import { ConfigError } from '../../../../src/config/error.ts'
import { NoInterfaceError } from '../../../../src/host/underlay/underlay.ts'
import { LeaseContentionError, OutOfSubnetsError } from '../../../../src/lease/errors.ts'
import { StoreError } from '../../../../src/lease/store.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { loopOn } from '../../../fake/runtime.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let log: RecordingLog
let conditions: Conditions
let stop: AbortController

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  conditions = new Conditions({ clock, log })
  stop = new AbortController()
})

const outOfReach = (endpoint: string): StoreError =>
  new StoreError({ op: 'list', code: 'UNAVAILABLE', retryable: true, message: `no connection to ${endpoint}` })

/** Fails with what `failure` gives until told not to. @returns when it was tried, in milliseconds */
function trying(failure: () => Error | undefined, random = (): number => 0.5) {
  const attempts: number[] = []
  const attempt = (): Promise<string> => {
    attempts.push(clock.monotonicMs())
    const error = failure()
    return error === undefined ? Promise.resolve('done') : Promise.reject(error)
  }
  const result = untilItWorks('thing', attempt, { random, conditions }, loopOn(clock, stop.signal))
  return { attempts, result }
}

describe('what fails is tried again', () => {
  test('by its name of the moment: under the one before, nothing fails any more', async () => {
    const names = ['device flannel0', 'device flannel0', 'device flannel1']
    let attempts = 0
    const attempt = (): Promise<void> =>
      ++attempts > 3 ? Promise.resolve() : Promise.reject(outOfReach(String(attempts)))
    const what = (): string => names[attempts - 1] ?? 'device flannel1'
    const result = untilItWorks(what, attempt, { random: () => 0.5, conditions }, loopOn(clock, stop.signal))
    const failing: string[][] = []
    while (attempts <= 3) {
      await clock.advance(1_000)
      failing.push(conditions.all().map((one) => one.what))
    }
    await result
    expect(new Set(failing.flat())).toEqual(new Set(['device flannel0', 'device flannel1']))
    expect(failing.every((each) => each.length <= 1)).toBe(true)
    expect(conditions.all()).toEqual([])
  })

  test('what one that works has put off is a condition, until there is nothing of it', async () => {
    const left = ['deleted', 'deleted', undefined]
    const seen: unknown[] = []
    for (const reason of left) {
      const remains = () => (reason === undefined ? undefined : ({ reason, effect: 'unready' } as const))
      const ports = { random: () => 0.5, conditions }
      await untilItWorks('device flannel0', () => Promise.resolve(), ports, loopOn(clock, stop.signal), { remains })
      seen.push(conditions.all().map(({ what, reason: why, effect }) => [what, why, effect].join(' ')))
    }
    expect(seen).toEqual([['device flannel0 deleted unready'], ['device flannel0 deleted unready'], []])
    expect(log.lines).toEqual(['error device flannel0: deleted', 'info device flannel0: works now'])
  })

  test('what failed under one name, and is put off under another, fails under that alone', async () => {
    const names = ['device flannel0', 'device flannel1']
    let attempts = 0
    const attempt = (): Promise<void> => (++attempts > 1 ? Promise.resolve() : Promise.reject(outOfReach('a')))
    const remains = () => ({ reason: 'set down', effect: 'unready' }) as const
    const what = (): string => names[attempts - 1] ?? ''
    const ports = { random: () => 0.5, conditions }
    const result = untilItWorks(what, attempt, ports, loopOn(clock, stop.signal), { remains })
    await clock.advance(1_000)
    await result
    expect(conditions.all().map((one) => one.what)).toEqual(['device flannel1'])
  })

  test.each([
    ['of the host: each second', () => new NoInterfaceError('none'), [0, 1_000, 2_000, 3_000, 4_000]],
    ['of etcd: ever less often', () => outOfReach('a'), [0, 1_000, 3_000, 6_000, 9_000]],
    ['of the configuration: ever less often', () => new ConfigError('a', 'b', 'c'), [0, 1_000, 3_000, 6_000, 9_000]],
    [
      'of others at the same subnet: ever less often',
      () => new LeaseContentionError(1),
      [0, 1_000, 3_000, 6_000, 9_000],
    ],
    ['of a person to cure: every ten seconds', () => new OutOfSubnetsError('x'), [0, 10_000, 20_000, 30_000, 40_000]],
  ])('%s', async (_, failure, expected) => {
    const { attempts, result } = trying(failure)
    await clock.advance(40_000)
    expect(attempts.slice(0, 5)).toEqual(expected)
    stop.abort()
    await expect(result).rejects.toThrow()
    expect(clock.sleeping).toBe(0)
  })

  test('never more than 4 s apart while etcd is away, whatever the dice say, and spread where many wait', async () => {
    for (const random of [() => 0, () => 0.999]) {
      const { attempts, result } = trying(() => outOfReach('a'), random)
      await clock.advance(120_000)
      const gaps = attempts.slice(1).map((ms, at) => ms - (attempts[at] ?? 0))
      expect(Math.max(...gaps)).toBeLessThan(4_000)
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(700)
      stop.abort()
      await expect(result).rejects.toThrow()
      stop = new AbortController()
    }
  })

  test('but not for whom has stopped', async () => {
    stop.abort(new Error('stopped'))
    const { attempts, result } = trying(() => undefined)
    await expect(result).rejects.toThrow('stopped')
    expect(attempts).toEqual([])
    expect(conditions.all()).toEqual([])
  })

  test('but not what no retry can cure', async () => {
    expect([new TypeError('a mistake'), 'a text', outOfReach('a')].map(isCurable)).toEqual([false, false, true])
    await expect(trying(() => new TypeError('a mistake')).result).rejects.toThrow('a mistake')
    expect(log.lines).toEqual([])
  })
})

describe('the log', () => {
  test('says a failure once a minute, though its words name now this endpoint, now that', async () => {
    let count = 0
    const { result } = trying(() => outOfReach(count++ % 2 === 0 ? 'a:4001' : 'b:2379'))
    await clock.advance(58_000)
    expect(log.lines).toEqual(['warn thing: no connection to a:4001; retrying every few seconds'])
    await clock.advance(58_000)
    expect(log.lines).toHaveLength(2)
    stop.abort()
    await expect(result).rejects.toThrow()
  })

  test('says at once when the reason is a new one, and when it works', async () => {
    const failures = [outOfReach('a'), new ConfigError('key', 'a value', undefined)]
    const { result } = trying(() => failures.shift())
    await clock.advance(5_000)
    expect(await result).toBe('done')
    expect(log.lines).toEqual([
      'warn thing: no connection to a; retrying every few seconds',
      'warn thing: key: expected a value, found nothing; retrying every few seconds',
      'info thing: works now',
    ])
  })

  test('of what fails again and again, each time for a moment, is a pair of lines a minute', async () => {
    for (let turn = 0; turn < 30; turn++) {
      const failures = [new NoInterfaceError('none')]
      const attempt = (): Promise<void> => {
        const failure = failures.pop()
        return failure === undefined ? Promise.resolve() : Promise.reject(failure)
      }
      const ports = { random: () => 0.5, conditions }
      const done = untilItWorks('thing', attempt, ports, loopOn(clock, stop.signal))
      await clock.advance(2_000)
      await done
    }
    expect(log.lines).toEqual(['warn thing: none; retrying every second', 'info thing: works now'])
  })

  test('has a hint where there is one', async () => {
    const hint = (): Promise<string> => Promise.resolve(' (candidates: eth1)')
    const attempt = (): Promise<never> => Promise.reject(new OutOfSubnetsError('x to y'))
    const ports = { random: () => 0.5, conditions }
    const result = untilItWorks('lease', attempt, ports, loopOn(clock, stop.signal), { hint })
    await clock.advance(0)
    expect(log.lines).toHaveLength(1)
    expect(log.lines[0]).toMatch(/^warn lease: out of subnets: .* \(candidates: eth1\); retrying every ten seconds$/)
    stop.abort()
    await expect(result).rejects.toThrow()
  })
})
