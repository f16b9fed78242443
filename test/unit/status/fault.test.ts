import { describe, expect, test } from 'vitest'
import { faultOf } from '../../../src/status/fault.ts'
import { ConfigError } from '../../../src/config/error.ts'
import { FirewallError } from '../../../src/kernel/firewall.ts'
import { KernelError } from '../../../src/kernel/kernel.ts'
import { OutOfSubnetsError } from '../../../src/lease/errors.ts'
import { StoreError } from '../../../src/lease/store.ts'

const NONE = { code: null, root: null, op: null, url: null, target: null, parts: [] }

describe('an error as data', () => {
  test('of a store: what was asked where, what it comes from, and that of each endpoint', () => {
    const one = { op: 'list', code: 'UNAVAILABLE', retryable: true, message: 'nobody', root: 'ECONNREFUSED' } as const
    const part = new StoreError({ ...one, url: 'http://10.0.0.1:2379' })
    const of = { ...NONE, error: 'StoreError', code: 'UNAVAILABLE', root: 'ECONNREFUSED', op: 'list', says: 'nobody' }
    expect(faultOf(new StoreError({ ...one, parts: [part] }))).toEqual({
      ...of,
      parts: [{ ...of, url: 'http://10.0.0.1:2379' }],
    })
  })

  test.each([
    [
      new KernelError({ op: 'link.create', errno: 95, code: 'EOPNOTSUPP', target: 'flannel.1', message: 'no' }),
      { error: 'KernelError', code: 'EOPNOTSUPP', op: 'link.create', target: 'flannel.1', says: 'no' },
    ],
    [
      new FirewallError('nft', 'MISSING', 'not there'),
      { error: 'FirewallError', code: 'MISSING', target: 'nft', says: 'not there' },
    ],
    [
      new ConfigError('/net/config', 'JSON', undefined),
      {
        error: 'ConfigError',
        code: 'MISSING',
        target: '/net/config',
        says: '/net/config: expected JSON, found nothing',
      },
    ],
    [new ConfigError('Backend.VNI', 'a number', 'x'), { error: 'ConfigError', code: 'INVALID', target: 'Backend.VNI' }],
    [Object.assign(new Error('read-only'), { code: 'EROFS' }), { error: 'Error', code: 'EROFS', says: 'read-only' }],
    [new OutOfSubnetsError('10.0.0.0/8'), { error: 'OutOfSubnetsError', code: null }],
  ])('%s', (error, fault) => {
    expect(faultOf(error)).toMatchObject({ ...NONE, ...fault })
  })

  test('is none of an error that is like any other', () => {
    expect(faultOf(new Error('whatever'))).toBeUndefined()
  })
})
