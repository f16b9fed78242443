import { castGrpcError, castGrpcErrorMessage, GRPCUnavailableError } from 'etcd3'
import { describe, expect, test } from 'vitest'

import { GRPC_CODES, isTransient } from '../../../../src/etcd/client/codes.ts'
import { storeError, together, toStoreError } from '../../../../src/etcd/client/errors.ts'
import { StoreError, type StoreErrorCode } from '../../../../src/lease/store.ts'

describe('errors of etcd3 as data', () => {
  test.each(GRPC_CODES.map((code, number) => [code, number] as const))('gRPC status %s', (code, number) => {
    const failure = toStoreError({ op: 'list' }, Object.assign(new Error('x'), { code: number }))
    expect(failure).toMatchObject({ code, retryable: isTransient(code) })
  })

  test.each([
    ['etcdserver: invalid auth token', 'UNAUTHENTICATED'],
    ['etcdserver: authentication failed, invalid user ID or password', 'UNAUTHENTICATED'],
    ['etcdserver: permission denied', 'PERMISSION_DENIED'],
    ['etcdserver: requested lease not found', 'NOT_FOUND'],
  ])('%s', (message, code) => {
    expect(toStoreError({ op: 'create' }, castGrpcErrorMessage(message))).toMatchObject({ code, retryable: false })
  })

  test.each<readonly [string, StoreErrorCode]>([
    ['etcdserver: mvcc: required revision has been compacted', 'OUT_OF_RANGE'],
    ['etcdserver: mvcc: required revision is a future revision', 'OUT_OF_RANGE'],
    ['etcdserver: mvcc: database space exceeded', 'RESOURCE_EXHAUSTED'],
    ['etcdserver: request is too large', 'INVALID_ARGUMENT'],
    ['etcdserver: user name is empty', 'INVALID_ARGUMENT'],
    ['etcdserver: mvcc: something new', 'UNKNOWN'],
  ])('%s, passed on by a grpc-proxy as UNKNOWN', (words, code) => {
    const ofStream = Object.assign(new Error(`2 UNKNOWN: ${words}`), { code: 2 })
    for (const error of [ofStream, castGrpcError(ofStream)])
      expect(toStoreError({ op: 'saidAt' }, error)).toMatchObject({
        code,
        retryable: isTransient(code),
        message: `reading what a lease said: ${words}`,
      })
  })

  test('names operation and address, and keeps the cause', () => {
    const cause = new GRPCUnavailableError('connection refused')
    const failure = toStoreError({ op: 'list', url: 'http://10.0.0.1:2379' }, cause)
    expect(failure).toMatchObject({ op: 'list', code: 'UNAVAILABLE', retryable: true, cause })
    expect(failure.message).toBe('listing the leases at http://10.0.0.1:2379: connection refused')
  })

  test.each([
    ['No connection established. Last error: null. Resolution note: ', 'No connection established'],
    [
      'No connection established. Last error: Error: reset. Resolution note: ',
      'No connection established. Last error: Error: reset',
    ],
    ['No addresses resolved. Resolution note: no such name', 'No addresses resolved. Resolution note: no such name'],
  ])('says no more than there is to say of %j', (said, message) => {
    expect(toStoreError({ op: 'ask' }, new GRPCUnavailableError(said)).message).toBe(
      `asking who holds a lease: ${message}`,
    )
  })

  test('leaves a store error as it is', () => {
    const failure = storeError({ op: 'list' }, 'CLOSED', 'closed')
    expect(toStoreError({ op: 'other' }, failure)).toBe(failure)
  })
})

describe('failures of several addresses', () => {
  const at = (url: string, words: string, root: string): StoreError =>
    new StoreError({
      op: 'list',
      code: 'UNAVAILABLE',
      retryable: true,
      message: `listing the leases at ${url}: ${words}`,
      root,
    })
  const [a, b] = [at('http://a', 'refused', 'R'), at('http://b', 'expired', 'E')]
  const byUrl = (...of: readonly StoreError[]) =>
    new Map(of.map((one) => [/at (\S+):/.exec(one.message)?.[1] ?? '', one] as const))

  test('for different reasons are told together, the same way whichever was last', () => {
    const told = together(b, byUrl(b, a))
    expect(told.message).toBe('listing the leases: http://a: refused; http://b: expired')
    expect([told.op, told.code, told.root]).toEqual(['list', 'UNAVAILABLE', 'E R'])
    expect(together(a, byUrl(a, b)).message).toBe(told.message)
  })

  test('for one reason are told as the newest', () => {
    const also = at('http://b', 'refused', 'R')
    expect(together(also, byUrl(a, also))).toBe(also)
  })
})

test("what gRPC adds to a connection's error is left out: number and name of the status, and the time", () => {
  const said = '14 UNAVAILABLE: No connection established. Last error: Failed to connect (2026-11-29T17:47:41.114Z)'
  expect(toStoreError({ op: 'list' }, new Error(said)).message).toBe(
    'listing the leases: No connection established. Last error: Failed to connect',
  )
})
