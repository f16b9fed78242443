import { beforeEach, describe, expect, test } from 'vitest'
import { reportLease } from '../../../../src/etcd/subnets/report-lease.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import type { LeaseState } from '../../../../src/lease/keeper/options.ts'
import { StoreError, type LeaseRecord } from '../../../../src/lease/store.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const KEY = '10.15.64.0-20'
const RECORD: LeaseRecord = { key: KEY, value: '{}', etcdLeaseId: '1', createRevision: 1n, modRevision: 1n }
const HELD: LeaseState = { is: 'held', record: RECORD }
const UNRENEWED: LeaseState = {
  is: 'unrenewed',
  record: RECORD,
  error: new StoreError({ op: 'keepAlive', code: 'UNAVAILABLE', retryable: true, message: 'no connection' }),
}

let log: RecordingLog
let conditions: Conditions

beforeEach(() => {
  log = recordingLog()
  conditions = new Conditions({ clock: new FakeClock(), log })
})

const report = (state: LeaseState, what: string): void => {
  reportLease({ log, conditions }, KEY, state, what)
}

describe('our lease', () => {
  test('that cannot be renewed only degrades, and is said to be renewed again once', () => {
    report(UNRENEWED, 'cannot be renewed')
    expect(conditions.all()).toMatchObject([
      { what: 'lease', reason: 'cannot be renewed: no connection', effect: 'degraded' },
    ])
    report(HELD, 'had vanished from etcd and was published again')
    report(HELD, 'renewed again')
    expect(conditions.all()).toEqual([])
    expect(log.lines).toEqual([
      `warn lease cannot be renewed: no connection; forwarding goes on subnet=${KEY}`,
      `info lease had vanished from etcd and was published again subnet=${KEY}`,
      `info lease renewed again subnet=${KEY}`,
    ])
  })

  test('that somebody else keeps deleting is an error, and one that is rewritten hints at a clone', () => {
    report({ is: 'contested', record: RECORD, done: 'deleted' }, 'keeps being deleted by somebody else')
    report({ is: 'contested', record: RECORD, done: 'rewritten' }, 'keeps being rewritten by somebody else')
    expect(conditions.all()).toMatchObject([{ effect: 'degraded', reason: 'keeps being rewritten by somebody else' }])
    report(HELD, 'was written again, because it did not say what it should')
    expect(conditions.all()).toEqual([])
    expect(log.lines).toEqual([
      `error lease keeps being deleted by somebody else subnet=${KEY}`,
      `error lease keeps being rewritten by somebody else: has another machine the same machine id? Give one of them --node-id subnet=${KEY}`,
      `info lease was written again, because it did not say what it should subnet=${KEY}`,
    ])
  })

  test('that is lost makes the node unready', () => {
    const reason = `lease ${KEY} now belongs to host2`
    report({ is: 'lost', reason }, reason)
    expect(conditions.all()).toMatchObject([{ what: 'lease', reason, effect: 'unready' }])
    expect(log.lines).toEqual([`error ${reason} subnet=${KEY}`])
  })
})
