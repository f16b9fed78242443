import { describe, expect, it } from 'vitest'
import { acquireLease } from '../../../../src/lease/acquire/acquire.ts'
import { systemClock } from '../../../../src/host/system-clock.ts'
import type { Challenger } from '../../../../src/lease/challenges.ts'
import {
  CloneError,
  LeaseContentionError,
  OtherAddressError,
  OutOfSubnetsError,
  RivalError,
} from '../../../../src/lease/errors.ts'
import { earlierSubnets, parseLeaseKey } from '../../../../src/lease/codec.ts'
import { overlaps } from '../../../../src/lease/overlap.ts'
import { NO_ETCD_LEASE, leaseFamily, type Lease } from '../../../../src/lease/lease.ts'
import {
  StoreError,
  type LeaseRecord,
  type LeaseWatchEvent,
  type StoreErrorCode,
  type StoreIdentity,
} from '../../../../src/lease/store.ts'
import type { LeaseTerms } from '../../../../src/lease/terms.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import type { FakeEtcd } from '../../../fake/fake-etcd.ts'
import { RacedLeaseStore } from '../../../fake/raced-lease-store.ts'
import { leaseValue, NODE, OVERLAY, overlayOf } from '../../../fake/samples.ts'

const MY_IP = '192.168.205.10'
const MY_MAC = '02:00:00:00:00:01'
const forever = new AbortController().signal
const lowest = (): number => 0

const terms = (change: Partial<LeaseTerms> = {}): LeaseTerms => ({
  node: NODE,
  instance: 'this',
  traceOf: () => 'device',
  avoid: [],
  overlays: [OVERLAY],
  publicIps: new Map([[4, ip(MY_IP)]]),
  backendType: 'vxlan',
  backendData: () => ({ VNI: 100, VtepMAC: MY_MAC }),
  previousSubnets: [],
  hintedSubnets: [],
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
  acquireLease({ store, terms: terms(change), random: lowest, clock: systemClock, isCloneKnown: false }, forever)

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

describe('acquireLease with a hint', () => {
  const hintedSubnets = ['10.200.0.0/20', '10.15.64.0/24', '10.15.64.0/20', '10.15.80.0/20'].map(prefix)

  it('takes the first hinted subnet that fits and is free, before a random one, and says of no move', async () => {
    const { lease, warnings } = await acquire(new RacedLeaseStore(), { hintedSubnets })
    expect([lease.key, warnings]).toEqual(['10.15.64.0-20', []])
  })

  it('never takes one that another node holds, or a part of it', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.15.64.0-20', other(11))
    leased(store.etcd, '10.15.80.0-24', other(12))
    expect((await acquire(store, { hintedSubnets })).lease.key).toBe('10.10.0.0-20')
  })

  it('prefers the subnet of the previous run', async () => {
    const previousSubnets = [prefix('10.16.0.0/20')]
    expect((await acquire(new RacedLeaseStore(), { hintedSubnets, previousSubnets })).lease.key).toBe('10.16.0.0-20')
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

  it('names the lease that is in the way of all others', async () => {
    const store = new RacedLeaseStore()
    store.etcd.put('10.0.0.0-8', 'junk')
    leased(store.etcd, '10.10.0.0-20', other(11))
    await expect(acquire(store)).rejects.toThrow(/underlay; the widest lease is 10\.0\.0\.0\/8$/)
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

describe('somebody who answers every challenge, to any lease', () => {
  const answering = (): { readonly store: RacedLeaseStore; readonly asked: string[] } => {
    const [store, asked] = [new RacedLeaseStore(), [] as string[]]
    store.ask = (key) => {
      asked.push(key)
      return Promise.resolve(RIVAL)
    }
    for (let at = 0; at < 40; at++)
      leased(store.etcd, `10.30.${at}.0-24`, leaseValue({ publicIp: MY_IP, mac: MY_MAC, node: RIVAL }))
    return { store, asked }
  }

  it('cannot keep a node from the lease that its host shows: it asks nobody', async () => {
    const { store, asked } = answering()
    leased(store.etcd, '10.15.64.0-20', MINE)
    expect((await acquire(store)).how).toBe('kept')
    expect(asked).toEqual([])
  })

  it('keeps a new one out, which asks eight at most, writes nothing, and says which lease, who answered, and what to do', async () => {
    const { store, asked } = answering()
    await expect(acquire(store)).rejects.toThrow(
      /192\.168\.205\.10 is in use: lease 10\.30\.\d\.0-24 belongs to node rival \(x\), which lives\. .*--iface or --public-ip/,
    )
    expect(asked.length).toBeLessThanOrEqual(8)
    expect(store.writes).toEqual([])
    expect((await acquire(store, { publicIps: new Map([[4, ip('192.168.205.11')]]) })).how).toBe('created')
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
    const store = new AnsweringStore()
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
    expect(store.calls.map(({ op }) => op)).not.toContain('replace')
  })
})

describe('acquireLease that has written a lease', () => {
  const lists = (store: RacedLeaseStore): number => store.calls.filter(({ op }) => op === 'list').length

  it('reads the changes since its list, and no second one', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.10.0.0-20', other(11))
    const gone = leased(store.etcd, '10.50.0.0-20', other(12))
    store.before('create', () => {
      leased(store.etcd, '10.60.0.0-20', other(13))
      store.etcd.delete(gone.key)
    })
    const { how, list, record } = await acquire(store)
    expect({ how, key: record.key, lists: lists(store) }).toEqual({ how: 'created', key: '10.10.16.0-20', lists: 1 })
    expect(list.revision).toBe(record.modRevision)
    expect(new Set(list.records)).toEqual(new Set(store.etcd.records))
    expect(store.watchCount).toBe(0)
  })

  it('leaves what becomes of it after that to whoever holds it', async () => {
    const store = new RacedLeaseStore()
    const unlisten = store.etcd.listen(() => {
      unlisten()
      queueMicrotask(() => store.etcd.delete('10.10.0.0-20')) // whoever else listens hears of one after the other
    })
    const { how, list, record } = await acquire(store)
    expect({ how, lists: lists(store) }).toEqual({ how: 'created', lists: 1 })
    expect(list).toMatchObject({ revision: record.modRevision, records: [record] })
  })

  it('lists again after three seconds in which it was told nothing', async () => {
    const [store, clock] = [new RacedLeaseStore(), new FakeClock()]
    store.watch = async function* (_from, signal): AsyncGenerator<LeaseWatchEvent, void, undefined> {
      await clock.sleep(60_000, signal)
    }
    const input = { store, terms: terms(), random: lowest, clock, isCloneKnown: false }
    const acquired = acquireLease(input, forever)
    await clock.advance(2_999)
    expect(lists(store)).toBe(1)
    await clock.advance(1)
    expect(await acquired).toMatchObject({ how: 'created', list: { records: [{ key: '10.10.0.0-20' }] } })
    expect({ lists: lists(store), sleeping: clock.sleeping }).toEqual({ lists: 2, sleeping: 0 })
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
    const input = { store, terms: terms(), random: lowest, clock: systemClock, isCloneKnown: false }
    const attempt = acquireLease(input, stop.signal)
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

  it('says of the family alone whose PublicIP is another now that it is', async () => {
    const store = new RacedLeaseStore()
    await acquire(store, dual)
    const publicIps = new Map([...(dual.publicIps ?? []), [6, ip('fd01::11')] as const])
    const { warnings } = await acquire(store, { ...dual, publicIps })
    expect(warnings).toEqual(['our PublicIP is fd01::11 now, and was fd01::10 before'])
  })

  it('exchanges an IPv4 lease for a dual one, and back, when the configuration changes', async () => {
    const store = new AnsweringStore()
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

describe('acquireLease with several copies of its own lease', () => {
  const [LOW, HIGH] = ['10.10.0.0-20', '10.20.0.0-20']
  const MOVE = 'our subnet is 10.10.0.0/20 now, and was 10.20.0.0/20 before: containers that are still there must move'
  const onDevice = (): 'device' => 'device'

  it.each([
    [LOW, HIGH],
    [HIGH, LOW],
  ])('keeps the one that the subnet file names, where %s is older than %s', async (older, younger) => {
    const store = new RacedLeaseStore()
    for (const key of [older, younger]) leased(store.etcd, key, MINE)
    const traceOf = ({ key }: Lease): 'subnet' | 'device' => (key === HIGH ? 'subnet' : 'device')
    const { how, record, warnings } = await acquire(store, { traceOf, previousSubnets: [prefix('10.20.0.0/20')] })
    expect({ how, key: record.key, warnings }).toEqual({ how: 'kept', key: HIGH, warnings: [] })
  })

  it.each([
    [LOW, HIGH],
    [HIGH, LOW],
  ])('keeps the older one where no subnet file tells: %s, not %s', async (older, younger) => {
    const store = new RacedLeaseStore()
    for (const key of [older, younger]) leased(store.etcd, key, MINE)
    expect((await acquire(store, { traceOf: onDevice })).record.key).toBe(older)
  })

  it('prefers what the subnet file names to our address, and our device to our address', async () => {
    const moved = leaseValue({ publicIp: '192.168.205.99', mac: MY_MAC, node: NODE })
    for (const trace of ['subnet', 'device'] as const) {
      const store = new RacedLeaseStore()
      leased(store.etcd, LOW, leaseValue({ publicIp: MY_IP, mac: MY_MAC, node: NODE }))
      leased(store.etcd, HIGH, moved)
      const { record } = await acquire(store, { traceOf: ({ key }) => (key === HIGH ? trace : undefined) })
      expect(record.key).toBe(HIGH)
    }
  })

  it('says that containers must move when it has to use another subnet than before', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, LOW, MINE)
    const { how, warnings } = await acquire(store, { previousSubnets: [prefix('10.20.0.0/20')] })
    expect({ how, warnings }).toEqual({ how: 'kept', warnings: [MOVE] })
    const full = new RacedLeaseStore()
    leased(full.etcd, HIGH, other(11))
    expect((await acquire(full, { previousSubnets: [prefix('10.20.0.0/20')] })).warnings).toEqual([MOVE])
  })
})

/** Has forgotten what came after any list, as one that was compacted. */
class ForgetfulStore extends RacedLeaseStore {
  override async *watch(from: StoreIdentity): AsyncGenerator<LeaseWatchEvent, void, undefined> {
    await Promise.resolve()
    yield { kind: 'compacted', compactRevision: from.revision + 1n }
  }
}

describe('acquireLease whose lease is changed as soon as it is written, as a second list shows', () => {
  const before = leaseValue({ publicIp: MY_IP, mac: MY_MAC })
  const next = (store: RacedLeaseStore, act: () => void): void => {
    const unlisten = store.etcd.listen(() => {
      unlisten()
      act()
    })
  }

  it('starts over when it was deleted', async () => {
    const store = new ForgetfulStore()
    next(store, () => store.etcd.delete('10.10.0.0-20'))
    const { how, record, list } = await acquire(store)
    expect({ how, record }).toEqual({ how: 'created', record: store.etcd.get('10.10.0.0-20') })
    expect(list.records).toEqual([record])
  })

  it('leaves it to another node that has overwritten it', async () => {
    const store = new ForgetfulStore()
    next(store, () => store.etcd.put('10.10.0.0-20', other(11, RIVAL)))
    const { record, list } = await acquire(store)
    expect(record.key).toBe('10.10.16.0-20')
    expect(list.records.map(({ value }) => value)).toEqual([other(11, RIVAL), MINE])
  })

  it('goes by what stands there when the same value was written over it', async () => {
    const store = new ForgetfulStore()
    next(store, () => store.etcd.put('10.10.0.0-20', MINE))
    expect(await acquire(store)).toMatchObject({ how: 'kept', record: { etcdLeaseId: NO_ETCD_LEASE } })
  })

  it('notices it also after a change of its own lease', async () => {
    const store = new ForgetfulStore()
    leased(store.etcd, '10.20.0.0-20', before)
    next(store, () => store.etcd.delete('10.20.0.0-20'))
    expect(await acquire(store)).toMatchObject({ how: 'created', record: { key: '10.10.0.0-20' } })
  })

  it('hands on the list in which it stands', async () => {
    const store = new ForgetfulStore()
    leased(store.etcd, '10.20.0.0-20', before)
    const { how, record, list } = await acquire(store)
    expect(how).toBe('updated')
    expect(list.records).toEqual([record])
  })
})

/** Answers challenges as the script says; remembers who was asked, and for how long. */
class AnsweringStore extends RacedLeaseStore {
  /** As {@link ForgetfulStore}. */
  isForgetful = false

  readonly asked: { readonly key: string; readonly waitMs: number }[] = []
  readonly answers = new Map<string, Challenger | StoreError>()
  readonly signals: AbortSignal[] = []
  /** Runs while an answer is awaited. */
  meanwhile = (): void => undefined

  override watch(from: StoreIdentity, signal: AbortSignal): AsyncIterable<LeaseWatchEvent> {
    return this.isForgetful ? new ForgetfulStore().watch(from) : super.watch(from, signal)
  }

  override async ask(
    key: string,
    _from: Challenger,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Challenger | undefined> {
    this.asked.push({ key, waitMs })
    this.signals.push(signal)
    await Promise.resolve()
    this.meanwhile()
    const answer = this.answers.get(key)
    if (answer instanceof StoreError) throw answer
    return answer
  }
}

const storeError = (code: StoreErrorCode): StoreError =>
  new StoreError({ op: 'ask', code, retryable: true, message: code })
const FORBIDDEN = storeError('PERMISSION_DENIED')
const CLONE = { ...NODE, instance: 'another' }
const RIVALS = leaseValue({ publicIp: MY_IP, mac: '02:00:00:00:00:55', node: RIVAL })

describe('acquireLease beside a lease of another node with our PublicIP', () => {
  it('refuses while that node answers, saying who did and what to do', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.30.0.0-20', RIVALS)
    store.answers.set('10.30.0.0-20', RIVAL)
    const error: unknown = await acquire(store).catch((thrown: unknown) => thrown)
    if (!(error instanceof RivalError)) throw error
    expect(error).toMatchObject({ publicIp: MY_IP, answeredBy: RIVAL, rival: { key: '10.30.0.0-20' } })
    expect(error.message).toMatch(/node rival \(x\), which lives.*--iface or --public-ip$/)
    expect(error.withCandidates('eth0 (1.2.3.4)').message).toMatch(/--public-ip \(candidates: eth0 \(1\.2\.3\.4\)\)$/)
    expect(store.asked).toEqual([{ key: '10.30.0.0-20', waitMs: 20_000 }])
    expect(store.writes).toEqual([])
  })

  it('takes its lease over when it does not answer: same subnet, our own claim, a new etcd lease', async () => {
    const store = new AnsweringStore()
    const dead = leased(store.etcd, '10.30.0.0-20', RIVALS)
    const { how, record } = await acquire(store)
    expect(how).toBe('taken over')
    expect(record).toMatchObject({ key: '10.30.0.0-20', value: MINE })
    expect([dead.etcdLeaseId, NO_ETCD_LEASE]).not.toContain(record.etcdLeaseId)
    expect(store.asked).toHaveLength(1)
  })

  it('leaves a reservation a reservation when it takes it over', async () => {
    const store = new AnsweringStore()
    store.etcd.put('10.30.0.0-20', RIVALS)
    expect(await acquire(store)).toMatchObject({ how: 'taken over', record: { etcdLeaseId: NO_ETCD_LEASE } })
  })

  it('removes the lease of the dead where it does not fit, and asks nobody twice', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.1.0.0-20', RIVALS)
    leased(store.etcd, '10.30.0.0-20', RIVALS)
    const { record, warnings } = await acquire(store)
    expect(record.key).toBe('10.30.0.0-20')
    expect(store.etcd.get('10.1.0.0-20')).toBeUndefined()
    expect(warnings).toEqual([
      'lease 10.1.0.0-20 was given up for 10.30.0.0-20: it does not fit the network configuration ' +
        '(10.0.0.0/8 in subnets of /20 from 10.10.0.0 to 10.99.0.0)',
    ])
    expect(store.asked.map(({ key }) => key)).toEqual(['10.1.0.0-20', '10.30.0.0-20'])
    expect(store.calls.filter(({ op }) => op === 'replace')).toHaveLength(1)
  })

  it('asks several at once, and is refused by one', async () => {
    const store = new AnsweringStore()
    for (const key of ['10.30.0.0-20', '10.40.0.0-20', '10.50.0.0-20']) leased(store.etcd, key, RIVALS)
    store.answers.set('10.40.0.0-20', RIVAL)
    await expect(acquire(store)).rejects.toMatchObject({ rival: { key: '10.40.0.0-20' } })
    expect(store.asked).toHaveLength(3)
    expect(store.writes).toEqual([])
  })

  it('asks the eight oldest of a flood, and takes over the oldest when they are silent', async () => {
    const store = new AnsweringStore()
    const keys = Array.from(
      { length: 600 },
      (_, index) => `10.${20 + (index >> 4)}.${(index % 16) * 16}.0-20`,
    ).reverse()
    for (const key of keys) leased(store.etcd, key, RIVALS)
    const { how, record, warnings } = await acquire(store)
    expect({ how, key: record.key }).toEqual({ how: 'taken over', key: keys[0] })
    expect(store.asked.map(({ key }) => key)).toEqual(keys.slice(0, 8))
    expect(warnings).toEqual([expect.stringMatching(/^592 more leases of other nodes have our PublicIP/)])
    expect(store.etcd.records).toHaveLength(600)
  })

  it('asks no more of a flood when those it asked have no use, and removes only those', async () => {
    const store = new AnsweringStore()
    for (let index = 0; index < 16; index++) leased(store.etcd, `10.1.${index * 16}.0-20`, RIVALS)
    expect(await acquire(store)).toMatchObject({ how: 'created' })
    expect(store.asked).toHaveLength(8)
    expect(store.etcd.records).toHaveLength(9)
  })

  it('is refused by one of a flood', async () => {
    const store = new AnsweringStore()
    for (let index = 0; index < 16; index++) leased(store.etcd, `10.30.${index * 16}.0-20`, RIVALS)
    store.answers.set('10.30.112.0-20', RIVAL)
    await expect(acquire(store)).rejects.toMatchObject({ rival: { key: '10.30.112.0-20' } })
    expect(store.writes).toEqual([])
  })

  it('gives each holder it asks a signal of its own, and ends them all when one answers', async () => {
    const store = new AnsweringStore()
    for (let index = 0; index < 8; index++) leased(store.etcd, `10.30.${index * 16}.0-20`, RIVALS)
    store.answers.set('10.30.0.0-20', RIVAL)
    await expect(acquire(store)).rejects.toThrow(RivalError)
    expect(new Set(store.signals).size).toBe(8)
    expect(store.signals.map(({ aborted }) => aborted)).toEqual(Array.from({ length: 8 }, () => true))
  })

  it('asks again when the lease has changed since, as when another node took it over', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.30.0.0-20', RIVALS)
    store.before('replace', () => {
      leased(store.etcd, '10.30.0.0-20', leaseValue({ publicIp: MY_IP, mac: MY_MAC, node: { id: 'y', hostname: 'z' } }))
      store.answers.set('10.30.0.0-20', RIVAL)
    })
    await expect(acquire(store)).rejects.toThrow(RivalError)
    expect(store.asked).toHaveLength(2)
  })

  it('does not take silence of the store for silence of the node', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.30.0.0-20', RIVALS)
    store.answers.set('10.30.0.0-20', storeError('UNAVAILABLE'))
    await expect(acquire(store)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(store.writes).toEqual([])
  })

  it('refuses when it may not ask, and says which permission is missing', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.30.0.0-20', RIVALS)
    store.answers.set('10.30.0.0-20', FORBIDDEN)
    await expect(acquire(store)).rejects.toThrow(/readwrite permission on challenges\//)
    expect(store.writes).toEqual([])
  })

  it('keeps its own lease at once when it has been in use here, whoever came later', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', MINE)
    leased(store.etcd, '10.30.0.0-20', RIVALS)
    expect(await acquire(store)).toMatchObject({ how: 'kept' })
    expect(store.asked).toEqual([])
  })

  it('does not move its own lease to that address while that node answers', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', leaseValue({ publicIp: '192.168.205.99', mac: MY_MAC, node: NODE }))
    leased(store.etcd, '10.30.0.0-20', RIVALS)
    store.answers.set('10.30.0.0-20', RIVAL)
    await expect(acquire(store)).rejects.toThrow(RivalError)
    store.answers.clear()
    expect(await acquire(store)).toMatchObject({ how: 'updated', lease: { key: '10.20.0.0-20' } })
    expect(store.etcd.get('10.30.0.0-20')).toBeDefined()
  })
})

describe('acquireLease of two nodes with one PublicIP that start at once', () => {
  it('lets the younger lease go, and asks the holder of the older', async () => {
    const store = new AnsweringStore()
    store.before('create', () => leased(store.etcd, '10.40.0.0-20', RIVALS))
    store.answers.set('10.40.0.0-20', RIVAL)
    await expect(acquire(store)).rejects.toThrow(RivalError)
    expect(store.etcd.records.map(({ key }) => key)).toEqual(['10.40.0.0-20'])
  })

  it('keeps the older lease', async () => {
    const store = new AnsweringStore()
    store.isForgetful = true
    const unlisten = store.etcd.listen(() => {
      unlisten()
      leased(store.etcd, '10.40.0.0-20', RIVALS)
    })
    const { how, list } = await acquire(store)
    expect(how).toBe('created')
    expect(list.records.map(({ key }) => key)).toEqual(['10.10.0.0-20', '10.40.0.0-20'])
    expect(store.asked).toEqual([])
  })

  it('finds out after all when the look after its creation failed', async () => {
    const store = new AnsweringStore()
    store.isForgetful = true
    store.before('create', () => {
      leased(store.etcd, '10.40.0.0-20', RIVALS)
      store.failNext('list', { code: 'UNAVAILABLE' })
    })
    await expect(acquire(store, { traceOf: () => undefined })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    store.answers.set('10.40.0.0-20', RIVAL)
    await expect(acquire(store, { traceOf: () => undefined })).rejects.toThrow(RivalError)
  })
})

describe('acquireLease with a lease of our node id', () => {
  const elsewhere = leaseValue({ publicIp: '192.168.205.99', mac: MY_MAC, node: NODE })
  const renamed = leaseValue({ publicIp: MY_IP, mac: MY_MAC, node: { ...NODE, hostname: 'before' } })

  it.each([
    ['of which this host shows no trace', MINE, false],
    ['with another address', elsewhere, true],
    ['with another hostname', renamed, true],
  ])('asks whether it is a copy of us that holds one %s, and takes silence for no', async (_, value, trace) => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', value)
    const { record } = await acquire(store, { traceOf: () => (trace ? 'device' : undefined) })
    expect(record).toMatchObject({ key: '10.20.0.0-20', value: MINE })
    expect(store.asked).toEqual([{ key: '10.20.0.0-20', waitMs: 3_000 }])
  })

  it('refuses when a copy of us answers, and touches nothing', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', elsewhere)
    store.answers.set('10.20.0.0-20', CLONE)
    const attempt = acquire(store, { traceOf: () => undefined })
    await expect(attempt).rejects.toThrow(CloneError)
    await expect(attempt).rejects.toThrow(/same machine id.*192\.168\.205\.99.*--node-id/)
    expect(store.writes).toEqual([])
  })

  it('goes on when it may not ask, and says so', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', elsewhere)
    store.answers.set('10.20.0.0-20', FORBIDDEN)
    const { how, warnings } = await acquire(store)
    expect(how).toBe('updated')
    const moved = `our PublicIP is ${MY_IP} now, and was 192.168.205.99 before`
    expect(warnings).toEqual([expect.stringContaining('we may not ask'), moved])
  })

  it('says which address that publishes, where ours is open, before anything is asked or written', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', elsewhere)
    leased(store.etcd, '10.30.0.0-20', leaseValue({ publicIp: MY_IP, mac: '02:00:00:00:00:02', node: RIVAL }))
    const attempt = acquire(store, { isAddressOpen: true })
    await expect(attempt).rejects.toThrow(OtherAddressError)
    await expect(attempt).rejects.toMatchObject({ publicIps: new Map([[4, ip('192.168.205.99')]]) })
    expect([store.asked, store.writes]).toEqual([[], []])
  })

  it('asks who holds that first, where this host shows no trace of it', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', elsewhere)
    const terms = { isAddressOpen: true, traceOf: () => undefined } as const
    await expect(acquire(store, terms)).rejects.toThrow(OtherAddressError)
    expect(store.asked).toHaveLength(1)
    store.answers.set('10.20.0.0-20', CLONE)
    await expect(acquire(store, terms)).rejects.toThrow(CloneError)
  })

  it('takes its own where that publishes what is to be published', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', MINE)
    expect(await acquire(store, { isAddressOpen: true })).toMatchObject({ how: 'kept' })
  })

  it('prefers, of several, that whose MAC is on our device', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', elsewhere)
    leased(store.etcd, '10.30.0.0-20', elsewhere)
    const { record } = await acquire(store, { traceOf: ({ key }) => (key === '10.30.0.0-20' ? 'device' : undefined) })
    expect(record.key).toBe('10.30.0.0-20')
  })

  it('keeps to the one with our id and a trace, though an unsigned one of another has our new address', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.10.0.0-20', other(10))
    leased(store.etcd, '10.30.0.0-20', other(12, NODE))
    const { record } = await acquire(store, { traceOf: ({ key }) => (key === '10.30.0.0-20' ? 'device' : undefined) })
    expect(record.key).toBe('10.30.0.0-20')
  })

  it('does not ask about a lease of upstream, which can not answer', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', leaseValue({ publicIp: MY_IP, mac: MY_MAC }))
    expect(await acquire(store, { traceOf: () => undefined })).toMatchObject({ how: 'updated' })
    expect(store.asked).toEqual([])
  })

  it('moves it off an etcd lease that somebody made for something shorter', async () => {
    const store = new AnsweringStore()
    const short = store.etcd.grant(30)
    store.etcd.put('10.20.0.0-20', MINE, short)
    const { record } = await acquire(store)
    expect(record).toMatchObject({ key: '10.20.0.0-20', value: MINE })
    store.etcd.advance(86_399_000)
    expect(store.etcd.get(record.key)).toBeDefined()
  })
})

describe('acquireLease beside a copy of this machine that lives', () => {
  const COPY = { id: 'node-1 as a copy', hostname: NODE.hostname }
  const COPYS_MAC = '02:00:00:00:00:c0'
  const copy = terms({ node: COPY, sharedId: NODE.id, backendData: () => ({ VNI: 100, VtepMAC: COPYS_MAC }) })
  const AS_COPY = leaseValue({ publicIp: MY_IP, mac: COPYS_MAC, node: COPY })
  const TWINS = leaseValue({ publicIp: '192.168.205.99', mac: MY_MAC, node: NODE })
  const NONE = (): undefined => undefined
  const fresh = { copy, traceOf: NONE }
  const living = (key: string): AnsweringStore => {
    const store = new AnsweringStore()
    leased(store.etcd, key, TWINS)
    store.answers.set(key, CLONE)
    return store
  }

  it('goes on under an identity of its own, saying so once', async () => {
    const store = living('10.20.0.0-20')
    const { how, record, terms: inForce, warnings } = await acquire(store, fresh)
    expect({ how, value: record.value, node: inForce.node }).toEqual({ how: 'created', value: AS_COPY, node: COPY })
    expect(store.etcd.get('10.20.0.0-20')?.value).toBe(TWINS)
    expect(warnings).toEqual([
      expect.stringMatching(
        /same machine id.*192\.168\.205\.99.*--node-id; until then this one goes on as node node-1 as/,
      ),
    ])
  })

  it('is who it was before when it starts again, and asks nobody', async () => {
    const store = living('10.20.0.0-20')
    await acquire(store, fresh)
    store.asked.length = 0
    const inUse = (): 'subnet' => 'subnet'
    const again = { copy: { ...copy, traceOf: inUse }, traceOf: NONE }
    expect(await acquire(store, again)).toMatchObject({ how: 'kept', record: { value: AS_COPY } })
    const { warnings } = await acquire(store, again)
    expect(warnings).toEqual([expect.stringMatching(/^another machine has, or had, the same machine id .*--node-id$/)])
    expect(store.asked).toEqual([])
  })

  it('keeps the subnet it leased while nobody knew of the other, under that identity', async () => {
    const store = living('10.20.0.0-20')
    leased(store.etcd, '10.30.0.0-20', MINE)
    const input = { store, terms: terms(fresh), random: lowest, clock: systemClock, isCloneKnown: true }
    const { how, record } = await acquireLease(input, forever)
    expect({ how, key: record.key, value: record.value }).toEqual({
      how: 'updated',
      key: '10.30.0.0-20',
      value: AS_COPY,
    })
    expect(store.etcd.records).toHaveLength(2)
  })

  it.each([
    ['both have one address', { ...fresh, publicIps: new Map([[4 as const, ip('192.168.205.99')]]) }],
    ['it has no other identity', { traceOf: NONE }],
  ])('waits where %s', async (_, change) => {
    await expect(acquire(living('10.20.0.0-20'), change)).rejects.toThrow(CloneError)
  })

  it.each([
    ['another address', TWINS, 'created', AS_COPY],
    ['our address', MINE, undefined, undefined],
  ])('makes way for one that was faster, with %s', async (_, value, how, written) => {
    const store = new AnsweringStore()
    store.before('create', () => {
      leased(store.etcd, '10.40.0.0-20', value)
      store.answers.set('10.40.0.0-20', CLONE)
    })
    const outcome = await acquire(store, fresh).catch((error: unknown) => error)
    if (how === undefined) expect(outcome).toBeInstanceOf(CloneError)
    else expect(outcome).toMatchObject({ how, record: { value: written } })
    expect(store.etcd.get('10.40.0.0-20')?.value).toBe(value)
    expect(store.etcd.records).toHaveLength(how === undefined ? 1 : 2)
  })

  it('asks even about what it shows every trace of, where one was met before', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', MINE)
    store.answers.set('10.20.0.0-20', CLONE)
    expect((await acquire(store)).how).toBe('kept')
    const input = { store, terms: terms(), random: lowest, clock: systemClock, isCloneKnown: true }
    await expect(acquireLease(input, forever)).rejects.toThrow(CloneError)
  })
})

describe('acquireLease whose addresses another lease has', () => {
  const dual: Partial<LeaseTerms> = {
    overlays: [OVERLAY, overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}')],
    publicIps: new Map([
      [4, ip(MY_IP)],
      [6, ip('fd01::10')],
    ]),
  }

  it.each([
    ['in another form', '10.10.0.0-20&fd00:10:0:9::-64', {}],
    ['of another length', '10.10.8.0-24', {}],
    ['that is wider', '10.8.0.0-13', {}],
    ['with the IPv6 subnet alone', '10.50.0.0-20&fd00:10:0:1::-64', dual],
  ])('takes others when that one is created at the last moment, %s', async (_, theirs, change) => {
    const store = new RacedLeaseStore()
    store.before('create', () => leased(store.etcd, theirs, other(11, RIVAL)))
    const seen: string[] = []
    store.etcd.listen(({ deltas }) => {
      for (const delta of deltas) if (delta.kind === 'put' && delta.record.key !== theirs) seen.push(delta.record.key)
    })
    const { record } = await acquire(store, change)
    expect(seen).toEqual([record.key])
    expect(overlaps(parseLeaseKey(record.key) ?? [], theirs)).toBe(false)
  })

  it('makes way for an older one of an IPv6 subnet that it could not see, in a large network', async () => {
    const store = new RacedLeaseStore()
    for (let index = 0; index < 1_001; index++) store.etcd.put(`junk ${index}`, '')
    const value = JSON.stringify({
      PublicIP: '192.168.205.11',
      PublicIPv6: 'fd01::11',
      Node: { ID: 'x', Hostname: 'rival' },
    })
    store.before('create', () => leased(store.etcd, '10.50.0.0-20&fd00:10:0:1::-64', value))
    const { record } = await acquire(store, dual)
    expect(record.key).toBe('10.10.0.0-20&fd00:10:0:2::-64')
    expect(store.etcd.get('10.10.0.0-20&fd00:10:0:1::-64')).toBeUndefined()
  })

  it('gives its own up at the next start when an older one has them, and not when a younger has', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.20.0.0-20', MINE)
    leased(store.etcd, '10.20.8.0-24', other(11))
    expect((await acquire(store)).how).toBe('kept')
    const later = new RacedLeaseStore()
    leased(later.etcd, '10.20.8.0-24', other(11, RIVAL))
    leased(later.etcd, '10.20.0.0-20', MINE)
    const { how, record, warnings } = await acquire(later)
    expect({ how, key: record.key }).toEqual({ how: 'created', key: '10.10.0.0-20' })
    expect(warnings).toEqual([
      'lease 10.20.0.0-20 was given up for 10.10.0.0-20: ' +
        'lease 10.20.8.0-24 of rival (x), which is older, has the same addresses',
    ])
  })

  it('does not mind an older one of its own, or one that nobody can read', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.8.0-24', other(99, NODE))
    store.etcd.put('10.20.9.0-24', 'junk')
    leased(store.etcd, '10.20.0.0-20', MINE)
    expect(await acquire(store)).toMatchObject({ how: 'kept', record: { key: '10.20.0.0-20' } })
  })
})

describe('acquireLease after a mistake in the configuration', () => {
  const WRONG = [overlayOf('{"Network":"10.200.0.0/16","SubnetLen":24}')]
  const overlays = [OVERLAY]

  it('holds another lease before it gives its own up, and takes that subnet again when the mistake is mended', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.15.64.0-20', MINE)
    store.before('create', () => {
      expect(store.etcd.get('10.15.64.0-20')).toBeDefined()
    })
    expect((await acquire(store, { overlays: WRONG })).record.key).toBe('10.200.1.0-24')
    expect(store.etcd.records.map(({ key }) => key)).toEqual(['10.200.1.0-24'])
    const { record, warnings } = await acquire(store, { overlays, previousSubnets: [prefix('10.200.1.0/24')] })
    expect(record.key).toBe('10.15.64.0-20')
    expect(warnings).toEqual([
      expect.stringMatching(/^lease 10\.200\.1\.0-24 was given up for 10\.15\.64\.0-20: it does not fit/),
      expect.stringContaining('containers that are still there must move'),
    ])
  })

  it('keeps its own lease when there is no other to be had', async () => {
    const store = new RacedLeaseStore()
    const own = leased(store.etcd, '10.15.64.0-20', MINE)
    for (const base of [64, 128, 192]) leased(store.etcd, `10.1.1.${base}-26`, other(base))
    const full = acquire(store, { overlays: [overlayOf('{"Network":"10.1.1.0/24"}')] })
    await expect(full).rejects.toThrow(OutOfSubnetsError)
    expect(store.etcd.get(own.key)).toEqual(own)
  })

  it('prefers a lease of its own that fits to one that does not, whatever it shows of them', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.200.1.0-24', MINE)
    leased(store.etcd, '10.15.64.0-20', MINE)
    const traceOf = ({ key }: Lease): 'subnet' | 'device' => (key === '10.200.1.0-24' ? 'subnet' : 'device')
    expect(await acquire(store, { traceOf })).toMatchObject({ how: 'kept', record: { key: '10.15.64.0-20' } })
  })

  it('takes its place within its own former subnet where every other is leased', async () => {
    const store = new RacedLeaseStore()
    leased(store.etcd, '10.1.2.0-24', MINE)
    for (const third of [1, 3]) leased(store.etcd, `10.1.${third}.0-24`, other(third))
    const halves = [
      overlayOf('{"Network":"10.1.0.0/22","SubnetLen":25,"SubnetMin":"10.1.1.0","SubnetMax":"10.1.3.128"}'),
    ]
    const { record } = await acquire(store, { overlays: halves })
    expect(record.key).toBe('10.1.2.0-25')
    expect(store.etcd.get('10.1.2.0-24')).toBeUndefined()
  })

  it('takes addresses of a dead node with its PublicIP, in another form, where there are no others', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.1.1.0-24', leaseValue({ publicIp: MY_IP, mac: '02:00:00:00:00:55', node: RIVAL }))
    leased(store.etcd, '10.1.2.0-24', other(12))
    const two = [overlayOf('{"Network":"10.1.0.0/22","SubnetLen":25,"SubnetMin":"10.1.1.0","SubnetMax":"10.1.2.128"}')]
    const { record } = await acquire(store, { overlays: two })
    expect(record.key).toBe('10.1.1.0-25')
    expect(store.etcd.records.map(({ key }) => key)).toEqual(['10.1.1.0-25', '10.1.2.0-24'])
    expect(store.calls.filter(({ op }) => op === 'create')).toHaveLength(1)
  })

  it('does not remember as a former one the subnet that it has again', async () => {
    const store = new RacedLeaseStore()
    const [first, second] = [1, 2].map((at) => [overlayOf(`{"Network":"10.${at}.0.0/16","SubnetLen":24}`)])
    for (const overlays of [first, second, first]) await acquire(store, { overlays: overlays ?? [] })
    const [record] = store.etcd.records
    expect(record?.key).toBe('10.1.1.0-24')
    expect(earlierSubnets(record ?? { value: '' }).map(({ text }) => text)).toEqual(['10.2.1.0/24'])
  })

  it('remembers no more than a few subnets, the newest first', async () => {
    const store = new RacedLeaseStore()
    for (let third = 1; third <= 12; third++) {
      const overlay = overlayOf(`{"Network":"10.${third}.0.0/16","SubnetLen":24}`)
      await acquire(store, { overlays: [overlay] })
    }
    const [record] = store.etcd.records
    expect(earlierSubnets(record ?? { value: '' }).map(({ text }) => text)).toEqual(
      [11, 10, 9, 8, 7, 6, 5, 4].map((second) => `10.${second}.1.0/24`),
    )
  })
})

describe('acquireLease where a subnet would cover what the underlay needs', () => {
  it.each([
    ['etcd', { avoid: [prefix('10.10.0.9/32')] }],
    ['the underlay', { avoid: [prefix('10.10.4.0/24')] }],
    ['our own address', { publicIps: new Map([[4 as const, ip('10.10.0.9')]]) }],
  ])('takes another: %s', async (_, change) => {
    const store = new AnsweringStore()
    const { record } = await acquire(store, { previousSubnets: [prefix('10.10.0.0/20')], ...change })
    expect(record.key).toBe('10.10.16.0-20')
  })

  it('takes another than around the address of a peer', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.30.0.0-20', leaseValue({ publicIp: '10.10.0.9', mac: MY_MAC }))
    expect((await acquire(store)).record.key).toBe('10.10.16.0-20')
  })

  it('gives up its own lease, loudly', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', MINE)
    const { how, record, warnings } = await acquire(store, { avoid: [prefix('10.20.0.9/32')] })
    expect({ how, key: record.key }).toEqual({ how: 'created', key: '10.10.0.0-20' })
    expect(warnings).toEqual([
      'lease 10.20.0.0-20 was given up for 10.10.0.0-20: it covers 10.20.0.9/32, which the underlay needs',
    ])
    expect(store.etcd.get('10.20.0.0-20')).toBeUndefined()
  })

  it('gives its own lease up for the address of an older peer, not of a younger', async () => {
    const inside = leaseValue({ publicIp: '10.20.0.9', mac: '02:00:00:00:00:66' })
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', MINE)
    leased(store.etcd, '10.30.0.0-20', inside)
    expect((await acquire(store)).how).toBe('kept')
    const later = new AnsweringStore()
    leased(later.etcd, '10.30.0.0-20', inside)
    leased(later.etcd, '10.20.0.0-20', MINE)
    expect((await acquire(later)).record.key).toBe('10.10.0.0-20')
  })

  it.each([
    ['with a node', { id: 'attacker', hostname: 'attacker' }],
    ['without a node', undefined],
  ])('keeps its own lease when an older one, %s, is rewritten to an address inside it', async (_, node) => {
    const store = new AnsweringStore()
    const said = (publicIp: string): string => leaseValue({ publicIp, mac: '02:00:00:00:00:66', ...(node && { node }) })
    leased(store.etcd, '10.30.0.0-20', said('192.168.205.66'))
    leased(store.etcd, '10.20.0.0-20', MINE)
    leased(store.etcd, '10.30.0.0-20', said('10.20.0.9'))
    expect((await acquire(store)).how).toBe('kept')
  })

  it('does not mind that the whole overlay lies within the underlay', async () => {
    const store = new AnsweringStore()
    leased(store.etcd, '10.20.0.0-20', MINE)
    expect(await acquire(store, { avoid: [prefix('0.0.0.0/0'), prefix('10.0.0.0/8')] })).toMatchObject({ how: 'kept' })
  })
})
