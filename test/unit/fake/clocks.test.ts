import { systemClock } from '../../../src/host/system-clock.ts'
import { clockContract } from '../../contract/clock-contract.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

clockContract('the machine', () => ({
  clock: systemClock,
  pass: (ms) => systemClock.sleep(ms, new AbortController().signal),
}))

clockContract('FakeClock', () => {
  const clock = new FakeClock()
  return { clock, pass: (ms) => clock.advance(ms) }
})
