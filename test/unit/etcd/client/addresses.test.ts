import { describe, expect, test } from 'vitest'

import { parseEndpoints } from '../../../../src/etcd/client/endpoints.ts'

describe('addresses of etcd', () => {
  test.each([
    ['http://127.0.0.1:4001', 'http://127.0.0.1:4001', false],
    ['https://etcd.example:2379/', 'https://etcd.example:2379', true],
    ['10.0.0.1:2379', 'http://10.0.0.1:2379', false],
  ])('%s is reached at %s', (text, url, secure) => {
    expect(parseEndpoints([text])).toEqual([{ url, secure }])
  })

  test('none at all is refused', () => {
    expect(() => parseEndpoints(['', ' '])).toThrow(expect.objectContaining({ path: '--etcd-endpoints' }))
  })
})
