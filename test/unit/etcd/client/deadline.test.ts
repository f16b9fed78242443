import { describe, expect, test } from 'vitest'

import { withDeadline } from '../../../../src/etcd/client/deadline.ts'

const forever = new Promise<never>(() => undefined)

describe('a call with a deadline', () => {
  const bounds = (fields: { timeoutMs?: number; signal?: AbortSignal } = {}) => ({
    op: 'list',
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...fields,
  })

  test('gives what the work gives', async () => {
    expect(await withDeadline(bounds(), () => Promise.resolve(7))).toBe(7)
  })

  test('fails in time, whatever the work does', async () => {
    const call = withDeadline(bounds({ timeoutMs: 5 }), () => forever)
    await expect(call).rejects.toMatchObject({ op: 'list', code: 'DEADLINE_EXCEEDED', retryable: true })
  })

  test('fails as soon as its caller aborts', async () => {
    const stop = new AbortController()
    const call = withDeadline(bounds({ signal: stop.signal }), () => forever)
    stop.abort()
    await expect(call).rejects.toMatchObject({ code: 'ABORTED_BY_CALLER', retryable: false })
  })

  test('does not begin the work of a caller that aborted before', async () => {
    let begun = false
    const work = (): Promise<void> => {
      begun = true
      return Promise.resolve()
    }
    await expect(withDeadline(bounds({ signal: AbortSignal.abort() }), work)).rejects.toThrow()
    expect(begun).toBe(false)
  })

  test.each([
    ['success', () => Promise.resolve()],
    ['failure', () => Promise.reject(new Error('no'))],
  ])('tells what the work started to stop, after %s too', async (_, end) => {
    let scope: AbortSignal | undefined
    await withDeadline(bounds(), (signal) => {
      scope = signal
      return end()
    }).catch(() => undefined)
    expect(scope?.aborted).toBe(true)
  })

  test('wraps a foreign error as a store error with its cause', async () => {
    const cause = new Error('no such luck')
    const call = withDeadline(bounds(), () => Promise.reject(cause))
    await expect(call).rejects.toMatchObject({ name: 'StoreError', op: 'list', code: 'UNKNOWN', cause })
  })
})
