import { describe, expect, test } from 'vitest'

import { explain, isRiddle, type Circumstances } from '../../../../src/etcd/client/explain.ts'
import { storeError } from '../../../../src/etcd/client/errors.ts'
import type { Answering } from '../../../../src/etcd/client/who-answers.ts'
import type { StoreErrorCode } from '../../../../src/lease/store.ts'

const URL = 'https://10.0.0.1:2379'
const NOW_MS = Date.parse('2026-06-01')
const DAY_MS = 86_400_000
const SCENE: Circumstances = {
  url: URL,
  fault: undefined,
  wasReached: true,
  answering: undefined,
  certificate: undefined,
  authority: undefined,
  user: 'user "agent"',
  prefix: '/coreos.com/network',
  nowMs: NOW_MS,
}
const fault = (code: string, message = 'handshake failed'): Error => Object.assign(new Error(message), { code })
const failure = (code: StoreErrorCode, message: string, op = 'list') => storeError({ op, url: URL }, code, message)
const unavailable = failure('UNAVAILABLE', 'No connection established')
const said = (of: typeof unavailable, scene: Partial<Circumstances>): string =>
  explain(of, { ...SCENE, ...scene }).message

describe('a failed connection', () => {
  test('does not say twice what gRPC and the connection say alike', () => {
    const lost = failure('UNAVAILABLE', 'Protocol error')
    expect(said(lost, { fault: fault('ERR_HTTP2_ERROR', 'Protocol error') })).toBe(
      `listing the leases at ${URL}: Protocol error`,
    )
    expect(said(lost, { fault: fault('ERR_HTTP2_ERROR', 'Session closed') })).toMatch(
      /Protocol error \(Session closed\)$/,
    )
  })

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
    ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'HTTP/2'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'http://'],
    ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'http://'],
  ])('of %s says what to do, in place of what gRPC says, and names the fault', (code, cure) => {
    const { message, op, code: same, retryable, root } = explain(unavailable, { ...SCENE, fault: fault(code) })
    expect(message).toMatch(new RegExp(`^listing the leases at ${URL}: .*${cure}.* \\(${code}\\)$`))
    expect(message).not.toContain('No connection')
    expect([op, same, retryable, root]).toEqual(['list', 'UNAVAILABLE', true, code])
  })

  test.each([
    ['Error: connect ECONNREFUSED 10.0.0.1:2379', 'nothing listens there (ECONNREFUSED)'],
    ['Error: connect EHOSTUNREACH 10.0.0.1:2379', 'no way leads to that host (EHOSTUNREACH)'],
    ['Error: connect ENETUNREACH 10.0.0.1:2379 - Local (0.0.0.0:0)', 'no route leads there (ENETUNREACH)'],
    ['Name resolution failed for target dns:etcd:2379', 'there is no address for that name (ENOTFOUND)'],
  ])('that gRPC says %s of is told in few words', (text, words) => {
    const lost = failure('UNAVAILABLE', `No connection established. Last error: ${text}`)
    expect(said(lost, {})).toBe(`listing the leases at ${URL}: ${words}`)
    expect(isRiddle(lost, SCENE)).toBe(false)
  })

  test('to nobody is told from an answer that is late', () => {
    const late = failure('DEADLINE_EXCEEDED', 'no answer within 5000 ms')
    expect(said(late, { wasReached: false })).toMatch(/nobody answers there.*firewall/)
    expect(said(late, {})).toBe(
      `listing the leases at ${URL}: no answer within 5000 ms (it was reached: it hangs, is overloaded, or has lost its leader (etcdctl endpoint status))`,
    )
  })

  const lastsUntil = (toMs: number, fromMs = 0) => ({ what: 'one', fromMs, toMs })
  const refused = fault('ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE')

  test.each([
    ['has expired', lastsUntil(NOW_MS - 1), 'the certificate in --etcd-certfile has expired'],
    ['is of tomorrow', lastsUntil(NOW_MS + 9 * DAY_MS, NOW_MS + DAY_MS), '--etcd-certfile is not valid yet'],
    ['is good', lastsUntil(NOW_MS + 1), 'etcd refused our certificate, or wants one'],
  ])('over a certificate of ours that %s', (_, certificate, words) => {
    expect(said(unavailable, { fault: refused, certificate })).toContain(words)
  })

  test('to a server whose CA has expired blames that, and not the server', () => {
    const scene = { fault: fault('CERT_HAS_EXPIRED'), authority: lastsUntil(NOW_MS - 1) }
    expect(said(unavailable, scene)).toContain('the CA in --etcd-cafile has expired')
  })

  test.each<[string, Answering, string]>([
    ['http://a:1', { is: 'tls' }, 'the server wants TLS: an https:// endpoint? (TLS)'],
    ['https://a:1', { is: 'etcd' }, 'the server speaks no TLS: an http:// endpoint? (HTTP)'],
    ['http://a:1', { is: 'old etcd', version: '2.3.8' }, 'an etcd answers that has no v3 API (version 2.3.8)'],
    ['http://a:1', { is: 'http/1' }, 'what answers speaks no HTTP/2: '],
    ['http://a:1', { is: 'something else' }, 'what answers is no etcd with the v3 API (no HTTP)'],
    ['https://a:1', { is: 'tls' }, 'No connection established'],
    ['http://a:1', { is: 'etcd' }, 'No connection established'],
    ['http://a:1', { is: 'silent' }, 'No connection established'],
  ])('to %s, where %j answers', (url, answering, words) => {
    expect(isRiddle(unavailable, SCENE)).toBe(true)
    expect(said(unavailable, { url, answering })).toContain(words)
  })

  test.each(['Received RST_STREAM with code 0 (Call ended without gRPC status)', 'Failed to connect'])(
    'of which nothing is known but "%s"',
    (text) => {
      expect(said(failure('INTERNAL', text), {})).toBe(
        `listing the leases at ${URL}: the connection was closed by the other end (closed)`,
      )
    },
  )

  test('of another fault has its words behind what gRPC says', () => {
    expect(said(unavailable, { fault: fault('ODD', 'odd words\n') })).toBe(
      `listing the leases at ${URL}: No connection established (odd words)`,
    )
  })

  test('without a fault is left as it is, and so is what the connection has no part in', () => {
    expect(explain(unavailable, SCENE)).toBe(unavailable)
    const denied = failure('NOT_FOUND', 'no')
    expect(explain(denied, { ...SCENE, fault: fault('CERT_HAS_EXPIRED') })).toBe(denied)
  })
})

describe('an answer of etcd', () => {
  test('that its disk is full says what to do about it', () => {
    const full = failure('RESOURCE_EXHAUSTED', 'database space exceeded')
    const { message, code, retryable } = explain(full, SCENE)
    expect(message).toMatch(/database space exceeded \(.*defragment.*\)$/)
    expect({ code, retryable }).toEqual({ code: 'RESOURCE_EXHAUSTED', retryable: true })
  })

  test.each([
    ['list', 'listing the leases', 'read'],
    ['readConfig', 'reading the configuration', 'read'],
    ['create', 'writing a new lease', 'write'],
    ['keepAlive', 'renewing the lease', 'write'],
  ])('that %s is not permitted names the user, and the permission that is lacking', (op, doing, permission) => {
    expect(said(failure('PERMISSION_DENIED', 'etcdserver: permission denied', op), {})).toBe(
      `${doing} at ${URL}: etcdserver: permission denied (user "agent" lacks a role with ${permission} permission below /coreos.com/network/)`,
    )
  })

  test('that there is no user says which flags name one', () => {
    expect(said(failure('INVALID_ARGUMENT', 'etcdserver: user name is empty'), {})).toContain('--etcd-username')
  })

  test('of a server that is no etcd', () => {
    expect(said(failure('UNIMPLEMENTED', 'unknown service etcdserverpb.KV'), {})).toContain('no etcd with the v3 API')
  })
})
