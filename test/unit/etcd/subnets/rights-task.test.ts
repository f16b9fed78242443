import { afterEach, beforeEach, expect, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { RightsTask } from '../../../../src/etcd/subnets/rights-task.ts'
import { StoreError, type StoreErrorCode } from '../../../../src/lease/store.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

let clock: FakeClock
let conditions: Conditions
let refusal: StoreError | undefined
let asked: number
let stop: AbortController
let running: Promise<unknown>

beforeEach(() => {
  clock = new FakeClock()
  conditions = new Conditions({ clock, log: recordingLog() })
  refusal = undefined
  asked = 0
  stop = new AbortController()
  const readConfig = (): Promise<undefined> => {
    asked++
    return refusal === undefined ? Promise.resolve(undefined) : Promise.reject(refusal)
  }
  const task = new RightsTask({ store: { readConfig }, conditions, random: () => 0.5 })
  running = runTask(task, runtime(clock, stop.signal))
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

const error = (code: StoreErrorCode, root?: string): StoreError =>
  new StoreError({ op: 'readConfig', code, retryable: false, message: 'refused', ...(root && { root }) })
const failing = (): readonly string[] =>
  conditions.all().map(({ what, effect, reason }) => `${effect} ${what}: ${reason}`)

test.each([
  ['a password that is another now', error('UNAUTHENTICATED')],
  ['a role that was taken away', error('PERMISSION_DENIED')],
  ['auth that was switched on', error('INVALID_ARGUMENT', 'no user')],
])('%s is noticed within an hour or so, and that it is mended within half a minute', async (_, denied) => {
  refusal = denied
  await clock.advance(3_599_000)
  expect([asked, failing()]).toEqual([0, []])
  await clock.advance(1_000)
  expect(failing()).toEqual(['degraded rights in etcd: etcd lets us read no more: refused'])
  refusal = undefined
  await clock.advance(30_000)
  expect([asked, failing()]).toEqual([2, []])
})

test('an etcd that does not answer is nothing to do with rights', async () => {
  refusal = error('UNAVAILABLE', 'ECONNREFUSED')
  await clock.advance(7_200_000)
  expect([asked, failing()]).toEqual([2, []])
})
