import { expect, test } from 'vitest'
import { backendJudge } from '../../../src/backend/judge.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'
import { judged } from '../../fake/judges.ts'

test('a reservation that waits for its node is of no other backend; a lease without a type is', () => {
  const foreign: string[] = []
  const limits = (): never => {
    throw new Error('nobody is to be judged')
  }
  const judge = backendJudge({ backends: [], ownKey: '', limits, onForeign: (type) => foreign.push(type) })
  const record = (etcdLeaseId: string): LeaseRecord => ({
    ...{ key: '10.32.0.0-20', value: '{"PublicIP":"192.168.205.10"}' },
    ...{ etcdLeaseId, createRevision: 1n, modRevision: 1n },
  })
  expect(judged(judge, record('0'))).toEqual({ ignored: true })
  expect(foreign).toEqual([])
  expect(judged(judge, record('7'))).toEqual({ ignored: true })
  expect(foreign).toEqual(['none'])
})
