import type { IResponseHeader } from 'etcd3'
import { beforeEach, describe, expect, test } from 'vitest'

import type { Bounds } from '../../../../src/etcd/client/deadline.ts'
import { storeError } from '../../../../src/etcd/client/errors.ts'
import { Liveness } from '../../../../src/etcd/client/liveness.ts'
import type { StoreError, StoreErrorCode } from '../../../../src/lease/store.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'

const HEADER: IResponseHeader = { cluster_id: '1', member_id: '2', revision: '3', raft_term: '4' }

/** A question as it went out. */
interface Question {
  readonly atMs: number
  readonly answer: (header: IResponseHeader) => void
  readonly fail: (code: StoreErrorCode) => void
}

describe('whether the other end of a connection lives', () => {
  let clock: FakeClock
  let liveness: Liveness
  let asked: Question[]
  let knocks: number
  let received: number
  let deaths: number
  let shown: IResponseHeader[]
  let errors: StoreError[]
  let leave: AbortController
  let quietMs: number

  const read = ({ op, url = '' }: Bounds): Promise<IResponseHeader> =>
    new Promise((resolve, reject) => {
      const answer = (header: IResponseHeader): void => {
        received += 1
        resolve(header)
      }
      const fail = (code: StoreErrorCode): void => {
        received += 1
        reject(storeError({ op, url }, code, 'refused'))
      }
      asked.push({ atMs: clock.monotonicMs(), answer, fail })
    })

  function attend(): void {
    const attendant = {
      asked: () => (header: IResponseHeader) => {
        shown.push(header)
      },
      unanswered: (error: StoreError) => {
        errors.push(error)
        leave.abort()
      },
    }
    liveness.attend(attendant, leave.signal)
  }

  beforeEach(() => {
    ;[asked, shown, errors, knocks, received, deaths] = [[], [], [], 0, 0, 0]
    leave = new AbortController()
    quietMs = 5_000
    clock = new FakeClock()
    liveness = new Liveness({
      url: 'http://etcd:2379',
      probe: { read, knock: () => (knocks += 1) },
      clock,
      random: () => 0.5,
      quietMs: () => quietMs,
      received: () => received,
      onDead: () => (deaths += 1),
    })
  })

  test('is asked later where more ask, from the next sign of life on', async () => {
    attend()
    quietMs = 20_000
    await clock.advance(5_000)
    asked[0]?.answer(HEADER)
    await clock.advance(19_999)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    expect(asked).toHaveLength(2)
  })

  test('is asked after five seconds of silence, and again five seconds after the answer', async () => {
    attend()
    await clock.advance(4_999)
    expect(asked).toHaveLength(0)
    await clock.advance(1)
    asked[0]?.answer(HEADER)
    await clock.advance(4_999)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    expect(asked).toHaveLength(2)
    expect(shown).toEqual([HEADER])
  })

  test('is not asked while something is heard, nor when no stream is there to know it', async () => {
    attend()
    for (let at = 0; at < 10; at++) {
      await clock.advance(4_000)
      liveness.heard()
    }
    leave.abort()
    await clock.advance(60_000)
    expect(asked).toHaveLength(0)
  })

  test('is denied when two questions have had no answer, and nothing else came either, 9 s after the last word', async () => {
    attend()
    await clock.advance(7_000)
    expect([asked.length, knocks]).toEqual([2, 1])
    await clock.advance(2_200)
    expect(deaths).toBe(1)
    expect(errors).toMatchObject([{ code: 'DEADLINE_EXCEEDED', retryable: true }])
  })

  test('is not denied when a first answer comes late', async () => {
    attend()
    await clock.advance(8_000)
    asked[0]?.answer(HEADER)
    await clock.advance(2_000)
    expect([deaths, errors.length]).toEqual([0, 0])
    expect(shown).toEqual([HEADER])
  })

  test('is granted to who says something and answers no read: the stream ends, the connection stays', async () => {
    attend()
    await clock.advance(7_000)
    received += 1
    await clock.advance(2_200)
    expect([deaths, errors.length]).toEqual([0, 1])
  })

  test('is granted to a member that has no leader once, not twice, and its words are passed on', async () => {
    attend()
    await clock.advance(5_000)
    asked[0]?.fail('UNAVAILABLE')
    await clock.advance(2_000)
    asked[1]?.answer(HEADER)
    await clock.advance(7_000)
    expect(errors).toHaveLength(0)
    asked[2]?.fail('UNAVAILABLE')
    asked[3]?.fail('UNAVAILABLE')
    await clock.advance(2_200)
    expect(deaths).toBe(0)
    expect(errors).toMatchObject([{ code: 'UNAVAILABLE', message: 'watching the leases at http://etcd:2379: refused' }])
  })

  test('is proven by any answer of etcd, also that we may not read', async () => {
    attend()
    await clock.advance(5_000)
    asked[0]?.fail('PERMISSION_DENIED')
    await clock.advance(4_900)
    expect([asked.length, deaths, errors.length, shown.length]).toEqual([1, 0, 0, 0])
  })

  test('is asked at once when a call had no answer, once for many, and nobody is told when it is answered', async () => {
    for (let call = 0; call < 3; call++) liveness.doubt()
    expect(asked).toHaveLength(1)
    asked[0]?.answer(HEADER)
    await clock.advance(60_000)
    expect([asked.length, deaths]).toEqual([1, 0])
  })

  test('is denied after a call without an answer, also where no stream is', async () => {
    liveness.doubt()
    await clock.advance(4_200)
    expect(deaths).toBe(1)
  })

  test('is of no interest once the connection was closed', async () => {
    attend()
    await clock.advance(5_000)
    liveness.close()
    liveness.doubt()
    attend()
    await clock.advance(60_000)
    expect([asked.length, deaths, errors.length]).toEqual([1, 0, 0])
  })

  test('leaves an answer to whoever was there when the question went out', async () => {
    liveness.doubt()
    attend()
    asked[0]?.answer(HEADER)
    await clock.advance(10)
    expect(shown).toHaveLength(0)
  })
})
