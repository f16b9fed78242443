import { Etcd3 } from 'etcd3'
import { describe, expect, test } from 'vitest'

import { EndpointRing } from '../../../src/etcd/endpoints.ts'

const addresses = ['a', 'b', 'c'].map((name) => ({ url: `http://${name}:2379`, secure: false }))

function ringFrom(random: number): { ring: EndpointRing; connected: string[] } {
  const connected: string[] = []
  const connect = ({ url }: { url: string }): Etcd3 => {
    connected.push(url)
    return new Etcd3({ hosts: url })
  }
  return { ring: new EndpointRing(addresses, connect, () => random), connected }
}

describe('a ring of endpoints', () => {
  test.each([
    [0, 'http://a:2379'],
    [0.5, 'http://b:2379'],
    [0.999, 'http://c:2379'],
  ])('begins where chance says: %d', (random, url) => {
    expect(ringFrom(random).ring.current().address.url).toBe(url)
  })

  test('stays with one client until it fails, then goes round', () => {
    const { ring, connected } = ringFrom(0.5)
    expect(ring.current().client).toBe(ring.current().client)
    for (let round = 0; round < 3; round++) ring.advance(ring.current())
    expect(ring.current().address.url).toBe('http://b:2379')
    expect(connected).toEqual(['http://b:2379', 'http://c:2379', 'http://a:2379'])
  })

  test('moves once for calls that failed together', () => {
    const { ring } = ringFrom(0)
    const failed = ring.current()
    ring.advance(failed)
    ring.advance(failed)
    expect(ring.current().address.url).toBe('http://b:2379')
  })

  test('makes a new client once for calls whose token went stale together', () => {
    const { ring, connected } = ringFrom(0)
    const stale = ring.current()
    const fresh = ring.renew(stale)
    expect(ring.renew(stale).client).toBe(fresh.client)
    expect(fresh.client).not.toBe(stale.client)
    expect(connected).toHaveLength(2)
  })
})
