import { expect, test } from 'vitest'
import { SetUpReport } from '../../../../src/agent/datapath/set-up.ts'
import { KernelError } from '../../../../src/kernel/kernel.ts'
import type { RowFailure } from '../../../../src/reconcile/row.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

const error = new KernelError({ op: 'route.replace', target: '10.20.0.0/20', code: 'EINVAL', errno: 22, message: 'no' })
const failure: RowFailure = { row: 'route', peer: 'a', error, times: 1 }

test('what was done until all families forward is summed up once, when they do', () => {
  const log = recordingLog()
  const fields: unknown[] = []
  const standing: number[] = []
  const report = new SetUpReport({
    families: [4, 6],
    ports: { log: { ...log, info: (_, more) => fields.push(more) }, kernelWrites: () => 30 },
    peers: { size: 7, rejected: new Map([['10.30.0.0-20', 'no VtepMAC']]) },
    onFamily: (family) => standing.push(family),
  })
  report.forwards(4, { written: 6, erased: 1, failures: [failure, failure] })
  report.forwards(4, { written: 100, erased: 100, failures: [] })
  expect(fields).toEqual([])
  report.forwards(6, { written: 5, erased: 2, failures: [failure] })
  report.forwards(6, { written: 100, erased: 100, failures: [] })
  expect(fields).toEqual([{ peers: 7, rejected: 1, written: 11, erased: 3, failed: 3, kernelWrites: 30 }])
  expect(standing).toEqual([4, 6])
})
