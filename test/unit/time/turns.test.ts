import { expect, it } from 'vitest'
import { Turns } from '../../../src/time/turns.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

it('turns are given once some milliseconds have passed since the last, and not before', async () => {
  const clock = new FakeClock()
  const turns = new Turns(clock)
  await turns.give()
  expect(clock.sleeping).toBe(0)
  clock.jump(10)
  const given = turns.give()
  expect(clock.sleeping).toBe(1)
  await clock.advance(0)
  await given
  await turns.give()
  expect(clock.sleeping).toBe(0)
})
