import { describe, expect, test } from 'vitest'

import { decodeChallenge, encodeChallenge } from '../../../src/etcd/challenge-codec.ts'

const challenger = { id: 'id', hostname: 'host', instance: 'run' }

describe('challenges', () => {
  test('come back as they were written', () => {
    expect(decodeChallenge(encodeChallenge({ from: challenger, by: undefined }))).toEqual({
      from: challenger,
      by: undefined,
    })
  })

  test('say since when the lease in question is held, where that is known', () => {
    const from = { ...challenger, since: 12_345_678_901_234n }
    expect(decodeChallenge(encodeChallenge({ from, by: challenger }))).toEqual({ from, by: challenger })
  })

  test.each(['-1', '1e3', '12345678901234567890', 7, null])('with %j for a revision do not say', (Since) => {
    const text = JSON.stringify({ From: { ID: 'a', Hostname: 'b', Instance: 'c', Since } })
    expect(decodeChallenge(text).from).toEqual({ id: 'a', hostname: 'b', instance: 'c', since: undefined })
  })

  test('of a challenger with endless texts are cut to what a log can bear', () => {
    const long = 'x'.repeat(1_000_000)
    const { from } = decodeChallenge(
      encodeChallenge({ from: { id: long, hostname: long, instance: long }, by: undefined }),
    )
    expect([from?.id, from?.hostname, from?.instance].map((text) => text?.length)).toEqual([128, 128, 128])
  })

  test.each<unknown>([7, null, ['a'], { a: 1 }])('with %j for a name have no challenger', (name) => {
    expect(decodeChallenge(JSON.stringify({ From: { ID: 'a', Hostname: name, Instance: 'b' } })).from).toBeUndefined()
  })
})
