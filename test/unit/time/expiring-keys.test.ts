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

test('keys can be forgotten before their time', () => {
  for (const key of ['a 1', 'a 2', 'b 1']) keys.add(key, 1_000)
  keys.forget((key) => key.startsWith('a '))
  expect(['a 1', 'a 2', 'b 1'].filter((key) => keys.has(key))).toEqual(['b 1'])
})
