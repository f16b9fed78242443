import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { Connection } from '../../../../src/etcd/client/connection.ts'
import { EndpointRing } from '../../../../src/etcd/client/endpoints.ts'
import type { EtcdAddress } from '../../../../src/etcd/client/endpoints.ts'
import { WhoAnswers } from '../../../../src/etcd/client/who-answers.ts'
import { systemClock } from '../../../../src/host/system-clock.ts'

const TOOLS = {
  clock: systemClock,
  random: Math.random,
  whoAnswers: new WhoAnswers(systemClock),
  quietMs: () => 5_000,
  probeKey: Buffer.from('/config'),
}

const addresses = ['a', 'b', 'c'].map((name) => ({ url: `http://${name}:2379`, secure: false }))

function ringFrom(random: number): { ring: EndpointRing; connected: string[] } {
  const connected: string[] = []
  const connect = (address: EtcdAddress): Connection => {
    connected.push(address.url)
    return new Connection(address, { endpoints: [], prefix: '/' }, TOOLS)
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
    expect(ring.current().connection).toBe(ring.current().connection)
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

  test('makes one new connection for calls that failed on the old one together', () => {
    const { ring, connected } = ringFrom(0)
    const failed = ring.current()
    ring.drop(failed)
    const fresh = ring.current()
    ring.drop(failed)
    expect(ring.current().connection).toBe(fresh.connection)
    expect(fresh.connection).not.toBe(failed.connection)
    expect(connected).toHaveLength(2)
  })

  test('makes a new connection where the old one was given up', () => {
    const { ring } = ringFrom(0)
    const { address, connection } = ring.current()
    connection.close()
    expect(ring.current().address).toBe(address)
    expect(ring.current().connection.isClosed).toBe(false)
    ring.disconnect()
  })
})

describe('connections to former addresses', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('are closed some seconds after the last change, and the one in use stays', () => {
    const { ring, connected } = ringFrom(0)
    const used = ['a', 'b', 'c'].map(() => {
      const endpoint = ring.current()
      const close = vi.spyOn(endpoint.connection, 'close')
      ring.advance(endpoint)
      vi.advanceTimersByTime(5_000)
      return close
    })
    expect(used.map((close) => close.mock.calls.length)).toEqual([0, 0, 0])
    vi.advanceTimersByTime(5_000)
    expect(used.map((close) => close.mock.calls.length)).toEqual([0, 1, 1])
    ring.current()
    expect(connected).toHaveLength(3)
    ring.disconnect()
  })

  test('are none where there is but one address', () => {
    const ring = new EndpointRing(
      addresses.slice(0, 1),
      (address) => new Connection(address, { endpoints: [], prefix: '/' }, TOOLS),
      () => 0,
    )
    const { connection } = ring.current()
    ring.advance(ring.current())
    vi.advanceTimersByTime(60_000)
    expect(ring.current().connection).toBe(connection)
    ring.disconnect()
  })
})
