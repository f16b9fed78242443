import { describe, expect, test } from 'vitest'

import { parseEndpoints } from '../../../../src/etcd/client/options.ts'

describe('etcd endpoints', () => {
  test.each([
    ['http://127.0.0.1:4001', 'http://127.0.0.1:4001', false],
    ['https://etcd.example:2379/', 'https://etcd.example:2379', true],
    ['http://[fd00::1]:2379', 'http://[fd00::1]:2379', false],
    ['10.0.0.1:2379', 'http://10.0.0.1:2379', false],
    ['http://etcd', 'http://etcd:2379', false],
    ['http://etcd:80', 'http://etcd:80', false],
    ['https://etcd:443', 'https://etcd:443', true],
    [' http://10.0.0.1:2379 ', 'http://10.0.0.1:2379', false],
  ])('%s is read as %s', (text, url, secure) => {
    expect(parseEndpoints([text])).toEqual([{ url, secure }])
  })

  test.each([['ftp://10.0.0.1'], ['http://'], ['http://10.0.0.1:99999'], ['http://10.0.0.1:2379/v3'], ['http://a b']])(
    '%s is refused and quoted',
    (text) => {
      expect(() => parseEndpoints([text])).toThrow(
        expect.objectContaining({ name: 'ConfigError', path: '--etcd-endpoints', got: JSON.stringify(text) }),
      )
    },
  )

  test('a password in an endpoint is refused and not repeated', () => {
    expect(() => parseEndpoints(['http://user:hush@10.0.0.1:2379'])).toThrow(/^(?!.*hush).*10\.0\.0\.1/)
  })

  test('none at all is refused', () => {
    expect(() => parseEndpoints(['', ' '])).toThrow(expect.objectContaining({ path: '--etcd-endpoints' }))
  })
})
