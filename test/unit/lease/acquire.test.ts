import { describe, expect, it } from 'vitest'
import { acquireLease } from '../../../src/lease/acquire.ts'
import { LeaseContentionError, OutOfSubnetsError, RivalError } from '../../../src/lease/errors.ts'
import { NO_ETCD_LEASE, leaseFamily, type Lease } from '../../../src/lease/lease.ts'
import { StoreError, type LeaseRecord } from '../../../src/lease/store.ts'
import type { LeaseTerms } from '../../../src/lease/terms.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { FakeEtcd } from '../../fake/fake-etcd.ts'
import { RacedLeaseStore } from '../../fake/raced-lease-store.ts'
import { leaseValue, NODE, OVERLAY, overlayOf } from '../../fake/samples.ts'

const MY_IP = '192.168.205.10'
const MY_MAC = '02:00:00:00:00:01'
const forever = new AbortController().signal
const lowest = (): number => 0

const terms = (change: Partial<LeaseTerms> = {}): LeaseTerms => ({
  node: NODE,
  instance: 'this',
  isTrace: () => true,
  avoid: [],
  overlays: [OVERLAY],
  publicIps: new Map([[4, ip(MY_IP)]]),
  backendType: 'vxlan',
  backendData: () => ({ VNI: 100, VtepMAC: MY_MAC }),
  previousSubnets: [],
  ttlSeconds: 86_400,
  ...change,
})

const RIVAL = { id: 'x', hostname: 'rival', instance: 'theirs' }
const MINE = leaseValue({ publicIp: MY_IP, mac: MY_MAC, node: NODE })
const other = (last: number, node?: Lease['node']): string =>
  leaseValue({
    publicIp: `192.168.205.${last}`,
    mac: `02:00:00:00:01:${last}`,
    ...(node === undefined ? {} : { node }),
  })

/** Puts a key on an etcd lease of its own, as any node does. */
function leased(etcd: FakeEtcd, key: string, value: string): LeaseRecord {
  const record = etcd.put(key, value, etcd.grant(86_400))
  if (record === undefined) throw new Error('not granted')
  return record
}

const acquire = (store: RacedLeaseStore, change: Partial<LeaseTerms> = {}) =>
  acquireLease(store, terms(change), lowest, forever)

describe('acquireLease on an empty store', () => {
  it('creates a lease for a day at the first subnet chance names, saying who we are', async () => {
    const store = new RacedLeaseStore()
    const { how, record, lease, list } = await acquire(store)
    expect(how).toBe('created')
    expect(record).toMatchObject({ key: '10.10.0.0-20', value: MINE })
    expect(lease).toMatchObject({ key: '10.10.0.0-20', node: NODE })
    expect(list.records).toEqual([record])
    expect(store.etcd.etcdLeaseIds).toEqual([record.etcdLeaseId])
    store.etcd.advance(86_399_000)
    expect(store.etcd.get(record.key)).toBeDefined()
    store.etcd.advance(1_000)
    expect(store.etcd.get(record.key)).toBeUndefined()
  })

  it("takes the previous run's subnet when it is free", async () => {
    const { lease } = await acquire(new RacedLeaseStore(), { previousSubnets: [prefix('10.15.64.0/20')] })
    expect(lease.key).toBe('10.15.64.0-20')
  })
})

describe('acquireLease beside others', () => {
  it('goes round what they hold, what nobody can read included', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.10.0.0-20', other(11))
    store.etcd.put('10.10.16.0-20', 'garbage')
    store.etcd.put('not a key', 'garbage')
    const { lease, list } = await acquire(store, { previousSubnets: [prefix('10.10.0.0/20')] })
    expect(lease.key).toBe('10.10.32.0-20')
    expect(list.records).toHaveLength(4)
  })

  it('says that the network is full, and between which bounds', async () => {
    const store = new RacedLeaseStore()
    for (const base of [64, 128, 192]) leased(store.etcd, `10.1.1.${base}-26`, other(base))
    const full = acquire(store, { overlays: [overlayOf('{"Network":"10.1.1.0/24"}')] })
    await expect(full).rejects.toThrow(OutOfSubnetsError)
    await expect(full).rejects.toThrow('out of subnets: every subnet of 10.1.1.64 to 10.1.1.192')
    expect(store.writes).toEqual([])
  })

  it('refuses to share its PublicIP with another node, naming it and touching nothing', async () => {
    const store = new RacedLeaseStore()
    store.ask = (key) => Promise.resolve(key === '10.30.0.0-20' ? RIVAL : undefined)
    leased(store.etcd, '10.30.0.0-20', leaseValue({ publicIp: MY_IP, mac: MY_MAC, node: RIVAL }))
    const attempt = acquire(store)
    await expect(attempt).rejects.toThrow(RivalError)
    await expect(attempt).rejects.toThrow(
      /192\.168\.205\.10 is in use: lease 10\.30\.0\.0-20 belongs to node rival \(x\)/,
    )
    expect(store.writes).toEqual([])
  })
})

describe('acquireLease with a lease of ours in the store', () => {
  it('keeps it and writes nothing when it says what it should, but renews it', async () => {
    const store = new RacedLeaseStore()
    const own = leased(store.etcd, '10.15.64.0-20', MINE)
    const { how, record } = await acquire(store, { previousSubnets: [prefix('10.30.0.0/20')] })
    expect(how).toBe('kept')
    expect(record).toEqual(own)
    expect(store.writes).toEqual([])
    expect(store.calls.map(({ op }) => op)).toEqual(['list', 'keepAlive'])
  })

  it('follows its PublicIP: same node id, same subnet, new value', async () => {
    const store = new RacedLeaseStore()
    const own = leased(store.etcd, '10.15.64.0-20', leaseValue({ publicIp: '192.168.1.1', mac: MY_MAC, node: NODE }))
    const { how, record, lease } = await acquire(store)
    expect(how).toBe('updated')
    expect(record).toMatchObject({ key: own.key, etcdLeaseId: own.etcdLeaseId, createRevision: own.createRevision })
    expect(leaseFamily(lease, 4)?.publicIp.text).toBe(MY_IP)
  })

  it("takes over upstream's lease with our PublicIP, and hands its backend data on", async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.15.64.0-20', leaseValue({ publicIp: MY_IP, mac: '82:53:2e:6a:a9:43' }))
    const { how, record } = await acquire(store, {
      backendData: (family, current) => current && leaseFamily(current, family)?.backendData,
    })
    expect(how).toBe('updated')
    expect(record.key).toBe('10.15.64.0-20')
    expect(JSON.parse(record.value)).toMatchObject({
      BackendData: { VtepMAC: '82:53:2e:6a:a9:43' },
      Node: { ID: NODE.id },
    })
  })

  it('leaves a reservation on no etcd lease, also when its value changes', async () => {
    const store = new RacedLeaseStore()
    store.etcd.put('10.15.64.0-20', leaseValue({ publicIp: MY_IP, mac: MY_MAC }))
    const { how, record } = await acquire(store)
    expect(how).toBe('updated')
    expect(record.etcdLeaseId).toBe(NO_ETCD_LEASE)
    expect(await acquire(store)).toMatchObject({ how: 'kept', record: { etcdLeaseId: NO_ETCD_LEASE } })
    expect(store.etcd.etcdLeaseIds).toEqual([])
  })

  it.each([
    ['of another size', '10.15.64.0-24'],
    ['below SubnetMin', '10.1.0.0-20'],
    ['above SubnetMax', '10.99.16.0-20'],
  ])('gives up one that no longer fits, being %s', async (_, key) => {
    const store = new RacedLeaseStore()
    leased(store.etcd, key, MINE)
    const { how, lease } = await acquire(store)
    expect(how).toBe('created')
    expect(lease.key).toBe('10.10.0.0-20')
    expect(store.etcd.records.map((record) => record.key)).toEqual(['10.10.0.0-20'])
  })

  it('takes what expired between list and renewal for gone', async () => {
    const store = new RacedLeaseStore()
    const own = leased(store.etcd, '10.15.64.0-20', MINE)
    store.before('keepAlive', () => store.etcd.revoke(own.etcdLeaseId))
    expect(await acquire(store)).toMatchObject({ how: 'created', lease: { key: '10.10.0.0-20' } })
  })
})

describe('acquireLease racing others', () => {
  it('lists again and takes the next subnet when another was faster', async () => {
    const store = new RacedLeaseStore()
    store.before('create', () => leased(store.etcd, '10.10.0.0-20', other(11)))
    const { lease, list } = await acquire(store)
    expect(lease.key).toBe('10.10.16.0-20')
    expect(list.records.map(({ key }) => key)).toEqual(['10.10.0.0-20', '10.10.16.0-20'])
    expect(store.etcd.etcdLeaseIds).toHaveLength(2)
  })

  it('gives up after ten lost races', async () => {
    const store = new RacedLeaseStore()
    let taken = 0
    store.before('create', () => leased(store.etcd, `10.10.${taken++ * 16}.0-20`, other(11)), 100)
    await expect(acquire(store)).rejects.toThrow(LeaseContentionError)
    expect(store.calls.filter(({ op }) => op === 'create')).toHaveLength(10)
  })

  it('never overwrites a key that changed after it was listed', async () => {
    const store = new RacedLeaseStore()
    const own = leased(store.etcd, '10.15.64.0-20', leaseValue({ publicIp: MY_IP, mac: MY_MAC }))
    const rival = leaseValue({ publicIp: '192.168.205.77', mac: MY_MAC, node: { id: 'x', hostname: 'h' } })
    store.before('replace', () => store.etcd.put(own.key, rival, own.etcdLeaseId))
    const { lease } = await acquire(store)
    expect(lease.key).toBe('10.10.0.0-20')
    expect(store.etcd.get(own.key)?.value).toBe(rival)
  })

  it('does not remove an unfit key that changed after it was listed', async () => {
    const store = new RacedLeaseStore()
    const own = leased(store.etcd, '10.1.0.0-20', MINE)
    store.before('remove', () => store.etcd.put(own.key, other(11), own.etcdLeaseId))
    expect((await acquire(store)).lease.key).toBe('10.10.0.0-20')
    expect(store.etcd.get(own.key)?.value).toBe(other(11))
  })

  it('finds its own creation whose answer was lost, and makes no second', async () => {
    const store = new RacedLeaseStore()
    store.failNext('create', { code: 'UNAVAILABLE', applied: true })
    await expect(acquire(store)).rejects.toThrow(StoreError)
    expect(await acquire(store)).toMatchObject({ how: 'kept', lease: { key: '10.10.0.0-20' } })
    expect(store.etcd.records).toHaveLength(1)
  })

  it.each(['list', 'keepAlive', 'create'] as const)('passes on that %s failed', async (op) => {
    const store = new RacedLeaseStore()
    if (op === 'keepAlive') leased(store.etcd, '10.15.64.0-20', MINE)
    store.failNext(op, { code: 'PERMISSION_DENIED' })
    await expect(acquire(store)).rejects.toMatchObject({ op, code: 'PERMISSION_DENIED', retryable: false })
  })

  it('stops when told to', async () => {
    const store = new RacedLeaseStore()
    const stop = new AbortController()
    store.hang('create')
    const attempt = acquireLease(store, terms(), lowest, stop.signal)
    const outcome = expect(attempt).rejects.toMatchObject({ code: 'ABORTED_BY_CALLER' })
    stop.abort()
    await outcome
  })
})

describe('acquireLease in dual stack', () => {
  const overlays = [OVERLAY, overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}')]
  const dual: Partial<LeaseTerms> = {
    overlays,
    publicIps: new Map([
      [4, ip(MY_IP)],
      [6, ip('fd01::10')],
    ]),
    backendData: (family) => ({ VNI: 100, VtepMAC: `02:00:00:00:00:0${family}` }),
  }

  it('leases a subnet of each family in one key, with the data of each', async () => {
    const store = new RacedLeaseStore()
    const { record } = await acquire(store, dual)
    expect(record.key).toBe('10.10.0.0-20&fd00:10:0:1::-64')
    expect(JSON.parse(record.value)).toMatchObject({
      PublicIP: MY_IP,
      PublicIPv6: 'fd01::10',
      BackendData: { VtepMAC: '02:00:00:00:00:04' },
      BackendV6Data: { VtepMAC: '02:00:00:00:00:06' },
    })
    expect(await acquire(store, dual)).toMatchObject({ how: 'kept' })
  })

  it('exchanges an IPv4 lease for a dual one, and back, when the configuration changes', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.15.64.0-20', MINE)
    expect((await acquire(store, dual)).lease.families).toHaveLength(2)
    expect((await acquire(store)).lease.families).toHaveLength(1)
    expect(store.etcd.records).toHaveLength(1)
  })
})

describe('acquireLease with the leases of two machines that share a machine id', () => {
  it('keeps the one with our own address', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.10.0.0-20', leaseValue({ publicIp: '192.168.205.99', mac: MY_MAC, node: NODE }))
    leased(store.etcd, '10.20.0.0-20', MINE)
    const { how, record } = await acquire(store)
    expect({ how, key: record.key }).toEqual({ how: 'kept', key: '10.20.0.0-20' })
  })
})
