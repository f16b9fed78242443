import { castGrpcErrorMessage, GRPCUnavailableError } from 'etcd3'
import { describe, expect, test } from 'vitest'

import { GRPC_CODES, isTransient } from '../../../../src/etcd/client/codes.ts'
import { storeError, toStoreError } from '../../../../src/etcd/client/errors.ts'

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

  test('names operation and address, and keeps the cause', () => {
    const cause = new GRPCUnavailableError('connection refused')
    const failure = toStoreError({ op: 'list', url: 'http://10.0.0.1:2379' }, cause)
    expect(failure).toMatchObject({ op: 'list', code: 'UNAVAILABLE', retryable: true, cause })
    expect(failure.message).toBe('list at http://10.0.0.1:2379: connection refused')
  })

  test.each([
    ['No connection established. Last error: null. Resolution note: ', 'No connection established'],
    [
      'No connection established. Last error: Error: reset. Resolution note: ',
      'No connection established. Last error: Error: reset',
    ],
    ['No addresses resolved. Resolution note: no such name', 'No addresses resolved. Resolution note: no such name'],
  ])('says no more than there is to say of %j', (said, message) => {
    expect(toStoreError({ op: 'ask' }, new GRPCUnavailableError(said)).message).toBe(`ask: ${message}`)
  })

  test('leaves a store error as it is', () => {
    const failure = storeError({ op: 'list' }, 'CLOSED', 'closed')
    expect(toStoreError({ op: 'other' }, failure)).toBe(failure)
  })
})
