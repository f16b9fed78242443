import { describe, expect, test } from 'vitest'

import { explain } from '../../../../src/etcd/client/explain.ts'
import { storeError } from '../../../../src/etcd/client/errors.ts'

const URL = 'https://10.0.0.1:2379'
const fault = (code: string, message = 'handshake failed'): Error => Object.assign(new Error(message), { code })
const unavailable = storeError({ op: 'list', url: URL }, 'UNAVAILABLE', 'No connection established')

describe('a failed connection', () => {
  test.each([
    ['SELF_SIGNED_CERT_IN_CHAIN', '--etcd-cafile'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', '--etcd-cafile'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', '--etcd-cafile'],
    ['UNABLE_TO_GET_ISSUER_CERT', '--etcd-cafile'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', '--etcd-cafile'],
    ['CERT_SIGNATURE_FAILURE', '--etcd-cafile'],
    ['CERT_HAS_EXPIRED', "server's certificate has expired"],
    ['CERT_NOT_YET_VALID', 'compare the clocks'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'other names'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', '--etcd-certfile'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', '--etcd-certfile'],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', '--etcd-certfile'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'certificate in --etcd-certfile has expired'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'http://'],
    ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'http://'],
  ])('of %s says what to do, in place of what gRPC says, and names the fault', (code, cure) => {
    const { message, op, code: same, retryable } = explain(unavailable, URL, fault(code))
    expect(message).toMatch(new RegExp(`^list at ${URL}: .*${cure}.* \\(${code}\\)$`))
    expect(message).not.toContain('No connection')
    expect([op, same, retryable]).toEqual(['list', 'UNAVAILABLE', true])
  })

  test('of another fault has its words behind what gRPC says', () => {
    expect(explain(unavailable, URL, fault('ECONNRESET', 'read ECONNRESET\n')).message).toBe(
      `list at ${URL}: No connection established (read ECONNRESET)`,
    )
  })

  test('without a fault is left as it is, and so is what the connection has no part in', () => {
    expect(explain(unavailable, URL, undefined)).toBe(unavailable)
    const denied = storeError({ op: 'list', url: URL }, 'PERMISSION_DENIED', 'no')
    expect(explain(denied, URL, fault('CERT_HAS_EXPIRED'))).toBe(denied)
  })
})

test('a full etcd says what to do about it', () => {
  const full = storeError({ op: 'create', url: URL }, 'RESOURCE_EXHAUSTED', 'database space exceeded')
  const { message, code, retryable } = explain(full, URL, undefined)
  expect(message).toMatch(/database space exceeded \(.*defragment.*\)$/)
  expect({ code, retryable }).toEqual({ code: 'RESOURCE_EXHAUSTED', retryable: true })
})
