import { beforeEach, expect, test } from 'vitest'
import { ExpiringKeys } from '../../../src/time/expiring-keys.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

let clock: FakeClock
let keys: ExpiringKeys

beforeEach(() => {
  clock = new FakeClock()
  keys = new ExpiringKeys(clock)
})

test('a key is remembered for as long as was said, and not a millisecond longer', async () => {
  expect(keys.has('a')).toBe(false)
  keys.add('a', 1_000)
  keys.add('b', 2_000)
  await clock.advance(999)
  expect([keys.has('a'), keys.has('b')]).toEqual([true, true])
  await clock.advance(1)
  expect([keys.has('a'), keys.has('b')]).toEqual([false, true])
})

test('a key that is added again is remembered from then on', async () => {
  keys.add('a', 1_000)
  await clock.advance(600)
  keys.add('a', 1_000)
  await clock.advance(600)
  expect(keys.expiryMs('a')).toBe(clock.monotonicMs() + 400)
})
