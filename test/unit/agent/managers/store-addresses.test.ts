import { beforeEach, describe, expect, test } from 'vitest'
import { StoreAddresses } from '../../../../src/agent/managers/store-addresses.ts'
import { ip, type Ip } from '../../../../src/net/ip.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'

let clock: FakeClock
let stop: AbortController
/** What each name stands for; others cannot be resolved. */
let names: Map<string, string[]>
let asked: string[]

beforeEach(() => {
  clock = new FakeClock()
  stop = new AbortController()
  names = new Map([['etcd.example', ['10.0.0.1', '10.0.0.2']]])
  asked = []
})

const resolve = (name: string): Promise<readonly Ip[]> => {
  asked.push(name)
  const found = names.get(name)
  return found === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve(found.map((text) => ip(text)))
}

const texts = (addresses: StoreAddresses): readonly string[] => addresses.all.map(({ text }) => text)

describe('the addresses of etcd', () => {
  test('are those in the URLs at once, and those of the names once they are resolved', async () => {
    const urls = [
      'http://192.168.1.1:2379',
      'https://[fd00::1]:2379',
      'https://etcd.example:2379',
      'http://etcd.example',
    ]
    const addresses = new StoreAddresses('etcd', () => urls, resolve, clock)
    expect(texts(addresses)).toEqual(['192.168.1.1', 'fd00::1'])
    await addresses.first(stop.signal)
    expect(texts(addresses)).toEqual(['192.168.1.1', 'fd00::1', '10.0.0.1', '10.0.0.2'])
    expect(asked).toEqual(['etcd.example'])
    expect(clock.sleeping).toBe(0)
  })

  test('of a name that nobody knows do not keep anybody waiting', async () => {
    const addresses = new StoreAddresses('etcd', () => ['http://nobody:2379'], resolve, clock)
    await addresses.first(stop.signal)
    expect(addresses.all).toEqual([])
  })

  test('of a name that hangs are waited for two seconds', async () => {
    const addresses = new StoreAddresses(
      'etcd',
      () => ['http://slow:2379'],
      () => new Promise(() => undefined),
      clock,
    )
    const first = addresses.first(stop.signal)
    await clock.advance(2_000)
    await first
    expect(clock.sleeping).toBe(0)
  })

  test('are looked up again: what has changed is told, what fails stays as it was', async () => {
    const addresses = new StoreAddresses('etcd', () => ['http://etcd.example:2379'], resolve, clock)
    let changes = 0
    addresses.subscribe(() => changes++)
    const running = runTask(addresses, runtime(clock, stop.signal))
    await clock.advance(0)
    expect(changes).toBe(1)
    await clock.advance(300_000)
    expect(changes).toBe(1)
    names.delete('etcd.example')
    await clock.advance(300_000)
    expect(texts(addresses)).toEqual(['10.0.0.1', '10.0.0.2'])
    names.set('etcd.example', ['10.0.0.3'])
    await clock.advance(30_000)
    expect(texts(addresses)).toEqual(['10.0.0.3'])
    expect(changes).toBe(2)
    names.set('etcd.example', ['10.0.0.4'])
    await clock.advance(300_000)
    expect([texts(addresses), changes]).toEqual([['10.0.0.4'], 3])
    stop.abort()
    await running
    expect(clock.sleeping).toBe(0)
  })

  test('follow the URLs, which a file may say late, and others later', async () => {
    let urls: readonly string[] = []
    const addresses = new StoreAddresses('the API', () => urls, resolve, clock)
    const told: (readonly string[])[] = []
    addresses.subscribe(() => told.push(texts(addresses)))
    const running = runTask(addresses, runtime(clock, stop.signal))
    await clock.advance(0)
    expect(told).toEqual([])
    urls = ['https://192.168.1.1:6443']
    expect(texts(addresses)).toEqual(['192.168.1.1'])
    await clock.advance(30_000)
    expect(told).toEqual([['192.168.1.1']])
    expect(addresses.all).toBe(addresses.all)
    urls = ['https://etcd.example:6443']
    await clock.advance(300_000)
    expect(told[1]).toEqual(['10.0.0.1', '10.0.0.2'])
    stop.abort()
    await running
  })

  test('are told of to everybody who listens, and to nobody who does not any more', async () => {
    const addresses = new StoreAddresses('etcd', () => ['http://etcd.example:2379'], resolve, clock)
    const told: string[] = []
    const tell = (): void => void told.push('twice')
    addresses.subscribe(() => told.push('one'))
    const unsubscribe = addresses.subscribe(tell)
    addresses.subscribe(tell)
    await addresses.first(stop.signal)
    expect(told).toEqual(['one', 'twice', 'twice'])
    unsubscribe()
    names.set('etcd.example', ['10.0.0.3'])
    await addresses.first(stop.signal)
    expect(told.slice(3)).toEqual(['one', 'twice'])
  })
})
