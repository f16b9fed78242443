import { describe, expect, it } from 'vitest'
import type { ReservationWish } from '../../../src/admin/reservation.ts'
import { reserve } from '../../../src/admin/reserve.ts'
import { leaseNamed, release, undoing, useOf } from '../../../src/admin/release.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'
import { FakeEtcd } from '../../fake/fake-etcd.ts'
import { FakeLeaseStore } from '../../fake/fake-lease-store.ts'
import { upstreamLease } from '../../fake/agent-world.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

const { signal } = new AbortController()
const CONFIG = '{"Network":"10.0.0.0/8","SubnetLen":20}'

const wish = (subnet: string, address = '192.168.205.10', id?: string): ReservationWish => ({
  parts: [{ subnet: prefix(subnet), publicIp: ip(address) }],
  node: id === undefined ? undefined : { id, hostname: 'host' },
})

function world(config = CONFIG): { etcd: FakeEtcd; store: FakeLeaseStore } {
  const etcd = new FakeEtcd()
  if (config !== '') etcd.putConfig(config)
  return { etcd, store: new FakeLeaseStore(etcd, new FakeClock()) }
}

const only = (etcd: FakeEtcd): LeaseRecord => {
  const [record] = etcd.records
  if (record === undefined) throw new Error('no lease')
  return record
}

const containing = (text: string): unknown => expect.stringContaining(text)

describe('reserve', () => {
  it('writes a lease without an end, as upstream knows it', async () => {
    const { etcd, store } = world()
    expect(await reserve(store, wish('10.32.0.0/20'), signal)).toMatchObject({ is: 'reserved', key: '10.32.0.0-20' })
    expect(only(etcd)).toMatchObject({ etcdLeaseId: '0', value: '{"PublicIP":"192.168.205.10","PublicIPv6":null}' })
  })

  it.each([
    ['10.48.0.0/21', '192.168.205.10', /no subnet that agents take: those are of \/20/],
    ['11.0.0.0/20', '192.168.205.10', /no subnet that agents take/],
    ['10.32.0.0/20', '127.0.0.1', /not an address that a host can have/],
    ['10.32.0.0/20', '10.99.0.1', /lies inside of 10\.0\.0\.0\/8/],
    ['10.64.0.0/20', '192.168.205.10', /overlaps lease 10\.64\.0\.0-20 of the node at 192\.168\.205\.77/],
    ['10.80.0.0/20', '192.168.205.10', /overlaps lease 10\.80\.0\.0-16, which nobody can read/],
    ['10.32.0.0/20', '192.168.205.77', /192\.168\.205\.77 holds lease 10\.64\.0\.0-20 of .* already/],
  ])('refuses %s for %s, and writes nothing', async (subnet, address, reason) => {
    const { etcd, store } = world()
    etcd.put('10.64.0.0-20', upstreamLease(77))
    etcd.put('10.80.0.0-16', '{')
    const before = etcd.records
    const found = await reserve(store, wish(subnet, address), signal)
    expect(found.is === 'refused' ? found.objections.join() : found.is).toMatch(reason)
    expect(etcd.records).toEqual(before)
  })

  it('wants a subnet of each family of the network', async () => {
    const { store } = world('{"Network":"10.0.0.0/8","SubnetLen":20,"EnableIPv6":true,"IPv6Network":"fd00::/48"}')
    const found = await reserve(store, wish('10.32.0.0/20'), signal)
    expect(found).toMatchObject({ is: 'refused', objections: [containing('the network has IPv6')] })
  })

  it('says where nothing is configured', async () => {
    const { store } = world('')
    expect(await reserve(store, wish('10.32.0.0/20'), signal)).toEqual({ is: 'not configured' })
  })
})

describe('release', () => {
  const asker = { id: 'release 1', hostname: 'here', instance: 'one' }

  it('finds a lease by its key or one of its subnets', () => {
    const { etcd } = world()
    etcd.put('10.64.0.0-20&fd00:0:0:1::-64', '{}')
    for (const name of ['10.64.0.0/20', 'fd00:0:0:1::/64', '10.64.0.0-20', '10.64.0.0-20&fd00:0:0:1::-64'])
      expect(leaseNamed(name, etcd.records)?.key, name).toBe('10.64.0.0-20&fd00:0:0:1::-64')
    expect(leaseNamed('10.64.0.0/24', etcd.records)).toBeUndefined()
  })

  it('takes a fresh reservation back at once, and says how to have it again', async () => {
    const { etcd, store } = world()
    await reserve(store, wish('10.32.0.0/20', '192.168.205.10', 'seven'), signal)
    const record = only(etcd)
    expect(undoing(record)).toBe(
      'flanneld reserve 10.32.0.0/20 --public-ip=192.168.205.10 --node-id=seven --hostname=host',
    )
    expect(useOf(record)).toEqual({ is: 'unused' })
    expect(await release(store, record, { asker, isForced: false, waitMs: 20_000 }, signal)).toMatchObject({
      is: 'released',
    })
    expect(etcd.records).toEqual([])
  })

  it("leaves upstream's lease alone, which answers nobody, unless forced", async () => {
    const { etcd, store } = world()
    etcd.put('10.64.0.0-20', upstreamLease(77))
    const found = await release(store, only(etcd), { asker, isForced: false, waitMs: 20_000 }, signal)
    expect(found).toMatchObject({ is: 'kept', isForcible: true, why: containing('192.168.205.77') })
    expect(await release(store, only(etcd), { asker, isForced: true, waitMs: 20_000 }, signal)).toMatchObject({
      is: 'released',
    })
  })

  it('asks a holder that can answer, and leaves its lease alone when it does, and not when it is silent', async () => {
    const { etcd, store } = world()
    etcd.put(
      '10.64.0.0-20',
      JSON.stringify({ ...JSON.parse(upstreamLease(77)), Node: { ID: 'nine', Hostname: 'host9' } }),
    )
    const record = only(etcd)
    const stop = new AbortController()
    const holder = new FakeLeaseStore(etcd, new FakeClock())
    const answering = (async () => {
      for await (const challenge of holder.challenges(record.key, stop.signal))
        await holder.answer(challenge, { id: 'nine', hostname: 'host9', instance: 'two' }, signal)
    })()
    const found = await release(store, record, { asker, isForced: false, waitMs: 20_000 }, signal)
    expect(found).toMatchObject({ is: 'kept', why: containing('node host9 (nine) has answered') })
    stop.abort()
    await answering
    const clock = new FakeClock()
    const silent = release(new FakeLeaseStore(etcd, clock), record, { asker, isForced: false, waitMs: 20_000 }, signal)
    await clock.advance(30_000)
    expect(await silent).toMatchObject({ is: 'released' })
  })

  it('deletes nothing that has changed since it was seen, forced or not', async () => {
    const { etcd, store } = world()
    etcd.put('10.64.0.0-20', upstreamLease(77))
    const seen = only(etcd)
    etcd.put('10.64.0.0-20', upstreamLease(78))
    expect(await release(store, seen, { asker, isForced: true, waitMs: 20_000 }, signal)).toMatchObject({
      is: 'kept',
      isForcible: false,
    })
    expect(etcd.records).toHaveLength(1)
  })
})
