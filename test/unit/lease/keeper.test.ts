import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LeaseKeeper } from '../../../src/lease/keeper/keeper.ts'
import type { LeaseState } from '../../../src/lease/keeper/options.ts'
import { NO_ETCD_LEASE } from '../../../src/lease/lease.ts'
import { StoreError, type LeaseDelta, type LeaseRecord, type StoreErrorCode } from '../../../src/lease/store.ts'
import type { AskClone } from '../../../src/lease/clone.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { loopOn } from '../../fake/runtime.ts'
import { leaseValue, NODE } from '../../fake/samples.ts'
import { RacedLeaseStore } from '../../fake/raced-lease-store.ts'

const KEY = '10.15.64.0-20'
const MAC = '02:00:00:00:00:01'
const MINE = leaseValue({ publicIp: '192.168.205.10', mac: MAC, node: NODE })
const MOVED = leaseValue({ publicIp: '192.168.205.20', mac: MAC, node: NODE })
const MANGLED = leaseValue({ publicIp: '192.168.205.10', mac: '02:00:00:00:00:77', node: NODE })
const THEIRS = leaseValue({ publicIp: '192.168.205.11', mac: MAC, node: { id: 'x', hostname: 'thief' } })
const ELSEWHERES = leaseValue({ publicIp: '192.168.205.66', mac: MAC, node: { ...NODE, hostname: 'copy' } })
const HOUR_MS = 3_600_000
/** A third of a day, which the lease lasts. */
const RENEWAL_MS = 8 * HOUR_MS
const MINUTE_MS = 60_000

let store: RacedLeaseStore
let clock: FakeClock
let stop: AbortController
let states: LeaseState['is'][]
let contests: string[]
/** How often the key stood on an etcd lease that nobody here knows. */
let doubts: number
let interruptions: number
let unlisten: () => void

beforeEach(() => {
  store = new RacedLeaseStore()
  clock = new FakeClock()
  stop = new AbortController()
  states = []
  contests = []
  doubts = 0
  interruptions = 0
  unlisten = () => undefined
})

afterEach(async () => {
  unlisten()
  stop.abort()
  await clock.settle()
  expect(clock.sleeping).toBe(0)
})

interface Held {
  readonly keeper: LeaseKeeper
  /** Undefined while held; `over` is what `hold` said. */
  readonly over: () => { readonly reason: string | undefined } | undefined
}

/** A keeper at work on our key, on an etcd lease or (0) a reservation. `watched`: it hears of every change of its key. */
async function hold(
  options: { ttlSeconds?: number; renewMarginMs?: number; watched?: boolean; challenge?: AskClone } = {},
): Promise<Held> {
  const { ttlSeconds = 86_400, renewMarginMs = HOUR_MS, watched = true, challenge } = options
  const { etcd } = store
  const record = etcd.put(KEY, MINE, ttlSeconds === 0 ? NO_ETCD_LEASE : etcd.grant(ttlSeconds))
  if (record === undefined) throw new Error('not granted')
  const keeper = new LeaseKeeper(record, {
    store,
    terms: {
      node: NODE,
      ttlSeconds: ttlSeconds === 0 ? 86_400 : ttlSeconds,
    },
    ourselves: { ...NODE, instance: 'm' },
    clock,
    random: () => 0,
    renewMarginMs,
    ...(challenge === undefined ? {} : { challenge }),
    onDoubt: () => void (doubts += 1),
    onInterrupted: () => void (interruptions += 1),
    onState: (state) => {
      states.push(state.is)
      if (state.is === 'contested') contests.push(state.done)
    },
  })
  if (watched)
    unlisten = etcd.listen(({ deltas }) => {
      deltas.filter(isOwnKey).forEach((delta) => {
        keeper.observe(delta)
      })
    })
  let over: { readonly reason: string | undefined } | undefined
  void keeper.hold(loopOn(clock, stop.signal)).then((reason) => {
    over = { reason }
  })
  await clock.settle()
  return { keeper, over: () => over }
}

const isOwnKey = (delta: LeaseDelta): boolean => (delta.kind === 'put' ? delta.record.key : delta.key) === KEY

/** Time passes for both, as it does outside of tests. */
async function advance(ms: number): Promise<void> {
  store.etcd.advance(ms)
  await clock.advance(ms)
}

const own = (): LeaseRecord | undefined => store.etcd.get(KEY)
const callsOf = (op: string): number => store.calls.filter((call) => call.op === op).length

describe('LeaseKeeper renewing', () => {
  it('renews once in a third of the time to live, without a write', async () => {
    await hold()
    await advance(RENEWAL_MS - 1)
    expect(callsOf('keepAlive')).toBe(0)
    await advance(1)
    expect(callsOf('keepAlive')).toBe(1)
    for (let hour = 0; hour < 48; hour++) await advance(HOUR_MS)
    expect(callsOf('keepAlive')).toBe(7)
    expect(store.writes).toEqual([])
    expect(own()?.value).toBe(MINE)
    expect(states).toEqual([])
  })

  it('renews well before the margin of a short lease', async () => {
    await hold({ ttlSeconds: 600, renewMarginMs: 5 * MINUTE_MS })
    await advance(150_000)
    expect(callsOf('keepAlive')).toBe(1)
  })

  it('renews as often as the margin asks, where that is more often', async () => {
    await hold({ renewMarginMs: 1_430 * MINUTE_MS })
    await advance(5 * MINUTE_MS)
    expect(callsOf('keepAlive')).toBe(1)
    for (let minute = 5; minute < 60; minute++) await advance(MINUTE_MS)
    expect(callsOf('keepAlive')).toBe(12)
  })

  it('keeps alive also where the margin is longer than the lease', async () => {
    await hold({ ttlSeconds: 5, renewMarginMs: HOUR_MS })
    for (let second = 0; second < 20; second++) await advance(1_000)
    expect(own()?.modRevision).toBe(2n)
    expect(callsOf('keepAlive')).toBeLessThanOrEqual(40)
  })

  it('never renews a reservation', async () => {
    await hold({ ttlSeconds: 0 })
    for (let hour = 0; hour < 48; hour++) await advance(HOUR_MS)
    expect(store.calls).toEqual([])
  })

  it('renews at once when the connection is back', async () => {
    const { keeper } = await hold()
    keeper.renewSoon()
    await clock.settle()
    expect(callsOf('keepAlive')).toBe(1)
  })
})

describe('LeaseKeeper whose key vanished', () => {
  it('puts it back with the same subnet at once when the watch says so', async () => {
    await hold()
    store.etcd.delete(KEY)
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE })
    expect(own()?.etcdLeaseId).not.toBe(NO_ETCD_LEASE)
    expect(states).toEqual(['held'])
  })

  it('puts a reservation back as a reservation', async () => {
    await hold({ ttlSeconds: 0 })
    store.etcd.delete(KEY)
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: NO_ETCD_LEASE })
    expect(store.etcd.etcdLeaseIds).toEqual([])
  })

  it('finds out by itself when renewing says that the etcd lease is gone', async () => {
    await hold({ watched: false })
    const before = own()
    store.etcd.revoke(before?.etcdLeaseId ?? '')
    await advance(RENEWAL_MS)
    expect(own()).toMatchObject({ value: MINE })
    expect(own()?.etcdLeaseId).not.toBe(before?.etcdLeaseId)
  })

  it('renews the new etcd lease from then on, not the old', async () => {
    await hold()
    store.etcd.delete(KEY)
    await advance(RENEWAL_MS)
    expect(store.calls.at(-1)).toEqual({ op: 'keepAlive', target: own()?.etcdLeaseId })
  })

  it('puts it back when a list no longer shows it', async () => {
    const { keeper } = await hold({ watched: false })
    store.etcd.wipe()
    keeper.observeList(undefined)
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE })
  })

  it('does not create a second time what was created although the answer was lost', async () => {
    await hold({ watched: false })
    store.failNext('create', { code: 'DEADLINE_EXCEEDED', applied: true })
    store.etcd.revoke(own()?.etcdLeaseId ?? '')
    await advance(RENEWAL_MS)
    const created = own()
    expect(created).toBeDefined()
    await advance(RENEWAL_MS + MINUTE_MS)
    expect(own()).toEqual(created)
    expect(states).toEqual(['unrenewed', 'held'])
    expect(store.calls.at(-1)).toEqual({ op: 'keepAlive', target: created?.etcdLeaseId })
  })

  it.each([
    [
      'in another form',
      '10.15.64.0-20&fd00::-64',
      (v: string) => v.replace('"PublicIPv6":null', '"PublicIPv6":"fd01::1"'),
    ],
    ['of a part of its addresses', '10.15.65.0-24', (v: string) => v],
    ['around them', '10.15.0.0-16', (v: string) => v],
    ['and has its node id', '10.15.65.0-24', () => ELSEWHERES],
  ])('gives it up when another node has leased its addresses meanwhile, %s', async (_, theirs, inForm) => {
    const { over } = await hold({ watched: false })
    const { etcd } = store
    etcd.revoke(own()?.etcdLeaseId ?? '')
    etcd.put(theirs, inForm(THEIRS), etcd.grant(86_400))
    await advance(RENEWAL_MS)
    expect(over()?.reason).toMatch(new RegExp(`^lease ${theirs} of .* has addresses of lease ${KEY}$`))
    expect(own()).toBeUndefined()
  })

  it.each([
    ['what nobody can read', '10.15.64.0-24', 'junk'],
    ['a neighbour', '10.15.80.0-20', THEIRS],
  ])('puts it back beside %s', async (_, key, value) => {
    const { over } = await hold()
    store.etcd.put(key, value)
    store.etcd.delete(KEY)
    await clock.settle()
    expect([own()?.value, over()]).toEqual([MINE, undefined])
  })

  it('looks again when another node is faster between its look and its write, and gives the key up', async () => {
    const { over } = await hold()
    store.before('create', () => store.etcd.put('10.15.65.0-24', THEIRS))
    store.etcd.delete(KEY)
    await clock.settle()
    expect([over()?.reason, own()]).toEqual([expect.stringContaining('10.15.65.0-24'), undefined])
  })

  it('lets others go first when it is overtaken again and again, and puts the key back then', async () => {
    await hold()
    let others = 0
    store.before('create', () => store.etcd.put(`10.15.${64 + others++}.x`, 'junk'), 4)
    store.etcd.delete(KEY)
    await clock.settle()
    expect([own(), states]).toEqual([undefined, ['unrenewed']])
    await advance(5_000)
    expect([own()?.value, states.at(-1)]).toEqual([MINE, 'held'])
  })

  it('counts anew how often it is overtaken once its key stands again', async () => {
    await hold()
    let others = 0
    for (let loss = 0; loss < 3; loss++) {
      store.before('create', () => store.etcd.put(`10.15.${64 + others++}.x`, 'junk'), 3)
      store.etcd.delete(KEY)
      await clock.settle()
      expect(own()?.value).toBe(MINE)
      await advance(120_000)
    }
    expect([others, states.includes('unrenewed')]).toEqual([9, false])
  })

  it('is well again at once when the key that it could not put back is there all the same', async () => {
    await hold()
    store.failNext('create', { code: 'UNAVAILABLE' })
    store.etcd.delete(KEY)
    await clock.settle()
    expect(states).toEqual(['unrenewed'])
    store.etcd.put(KEY, MINE, store.etcd.grant(86_400))
    await clock.settle()
    expect(states.at(-1)).toBe('held')
  })

  it('is not kept busy by a store that says its etcd lease is gone, and shows its key', async () => {
    const { keeper, over } = await hold({ watched: false })
    store.keepAlive = () => Promise.resolve({ alive: false })
    keeper.renewSoon()
    await advance(HOUR_MS)
    expect([own()?.value, over()]).toEqual([MINE, undefined])
    expect(store.calls.filter(({ op }) => op === 'list').length).toBeLessThan(100)
  })

  it('has its doubts when the key is back, just as it wants it, before it could put it there', async () => {
    await hold()
    store.hang('list')
    store.etcd.delete(KEY)
    await clock.settle()
    expect(doubts).toBe(0)
    store.etcd.put(KEY, MINE, store.etcd.grant(86_400))
    expect(doubts).toBe(1)
  })

  it('gives up a key that another node took meanwhile, and does not touch it', async () => {
    const { over } = await hold({ watched: false })
    store.before('create', () => store.etcd.put(KEY, THEIRS, store.etcd.grant(60)))
    store.etcd.revoke(own()?.etcdLeaseId ?? '')
    await advance(RENEWAL_MS)
    expect(over()?.reason).toBe(`lease ${KEY} now belongs to thief (x)`)
    expect(own()?.value).toBe(THEIRS)
    expect(states).toEqual(['lost'])
  })
})

describe('LeaseKeeper whose key a restored store shows as another node’s', () => {
  const LIVING = { id: 'x', hostname: 'thief', instance: 't' }

  /** The key as the restored store has it, on an etcd lease that came back with it. */
  function restored(keeper: LeaseKeeper): void {
    const { etcd } = store
    const record = etcd.put(KEY, THEIRS, etcd.grant(86_400))
    keeper.observeList(record, true)
  }

  it('waits for that node to take it away, and puts its own back then', async () => {
    const { keeper, over } = await hold({ watched: false, challenge: () => Promise.reject(new Error('not yet')) })
    restored(keeper)
    await advance(500)
    store.etcd.delete(KEY)
    keeper.observe({ kind: 'deleted', key: KEY, revision: store.etcd.revision })
    await clock.settle()
    expect([own()?.value, over()]).toEqual([MINE, undefined])
  })

  it('takes it back from a node that does not answer', async () => {
    const { keeper, over } = await hold({ challenge: () => Promise.resolve(undefined) })
    unlisten()
    restored(keeper)
    await advance(999)
    expect(own()?.value).toBe(THEIRS)
    await advance(1)
    expect([own()?.value, over()]).toEqual([MINE, undefined])
  })

  it.each<[string, AskClone]>([
    ['answers', () => Promise.resolve(LIVING)],
    [
      'may not be asked',
      () => Promise.reject(new StoreError({ op: 'ask', code: 'PERMISSION_DENIED', retryable: false, message: '' })),
    ],
  ])('gives it up to a node that %s', async (_, challenge) => {
    const { keeper, over } = await hold({ watched: false, challenge })
    restored(keeper)
    await advance(1_000)
    expect(over()?.reason).toBe(`lease ${KEY} now belongs to thief (x)`)
    expect(own()?.value).toBe(THEIRS)
  })

  it('asks again when the store was out of reach, ever more slowly', async () => {
    let asked = 0
    const away = new StoreError({ op: 'ask', code: 'UNAVAILABLE', retryable: true, message: 'away' })
    const challenge: AskClone = () => (++asked < 3 ? Promise.reject(away) : Promise.resolve(undefined))
    const { keeper } = await hold({ watched: false, challenge })
    restored(keeper)
    await advance(1_000)
    expect([asked, states]).toEqual([1, ['unrenewed']])
    await advance(MINUTE_MS)
    expect([asked, own()?.value, states.at(-1)]).toEqual([3, MINE, 'held'])
  })

  it('gives it up at once where the store was not restored', async () => {
    const { keeper, over } = await hold({ watched: false, challenge: () => Promise.resolve(undefined) })
    keeper.observeList(store.etcd.put(KEY, THEIRS, store.etcd.grant(86_400)))
    await clock.settle()
    expect(over()?.reason).toContain('thief')
  })
})

describe('LeaseKeeper told of the leases of others', () => {
  const older = (key: string, value = THEIRS): LeaseRecord => ({
    ...{ key, value, etcdLeaseId: '0' },
    createRevision: 1n,
    modRevision: 99n,
  })

  it('gives its lease up to an older one of the same addresses, and leaves its key for the next start', async () => {
    const { keeper, over } = await hold()
    keeper.observeOthers([older('10.15.65.0-24')])
    await clock.settle()
    expect(over()?.reason).toContain('has addresses of lease')
    expect(own()?.value).toBe(MINE)
  })

  it('gives its lease up at once when it hears, its key being gone, that somebody has its addresses', async () => {
    const { keeper, over } = await hold()
    store.hang('list')
    store.etcd.delete(KEY)
    await clock.settle()
    keeper.observeOthers([older('10.15.80.0-20')])
    await clock.settle()
    expect(over()).toBeUndefined()
    keeper.observeOthers([{ ...older('10.15.65.0-24'), createRevision: 1_000n }])
    stop.abort() // what it waits for has no answer
    await clock.settle()
    expect(states).toContain('lost')
  })

  it('looks at once when it hears so while it waits to put its key back, since it may be back already', async () => {
    const { keeper, over } = await hold()
    store.before('create', () => store.etcd.put('10.15.80.0-20', ''))
    store.failNext('create', { code: 'UNAVAILABLE' })
    store.etcd.delete(KEY)
    await clock.settle()
    expect(states).toEqual(['unrenewed'])
    store.etcd.put('10.15.65.0-24', THEIRS)
    keeper.observeOthers([{ ...older('10.15.65.0-24'), createRevision: 1_000n }])
    await clock.settle()
    expect(over()?.reason).toContain('10.15.65.0-24')
  })

  it.each([
    ['is younger', { ...older('10.15.65.0-24'), createRevision: 1_000n }],
    ['has other addresses', older('10.15.80.0-20')],
    ['is its own', older('10.15.65.0-24', MINE)],
    ['says nothing', older('10.15.65.0-24', 'junk')],
  ])('does not mind one that %s', async (_, record) => {
    store.etcd.put('x', '')
    const { keeper, over } = await hold()
    keeper.observeOthers([record])
    await clock.settle()
    expect(over()).toBeUndefined()
  })
})

describe('LeaseKeeper whose key was rewritten', () => {
  it.each([
    ['by a hand that left it ours', MANGLED],
    ['with garbage', '{'],
    [
      "as upstream with our address would: without the node's name",
      leaseValue({ publicIp: '192.168.205.10', mac: MAC }),
    ],
  ])('restores it %s, on the etcd lease it is on', async (_, value) => {
    await hold()
    const before = own()?.etcdLeaseId ?? ''
    store.etcd.put(KEY, value, before)
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: before })
    expect(states).toEqual(['held'])
    expect(callsOf('replace')).toBe(1)
  })

  it('learns of it from a list too, even behind the same revision', async () => {
    const { keeper } = await hold({ watched: false })
    const before = own()
    if (before === undefined) throw new Error('no record')
    keeper.observeList({ ...before, value: MANGLED })
    await clock.settle()
    expect(callsOf('replace')).toBe(1)
  })

  it('does not answer its own writing, nor news older than it', async () => {
    const { keeper } = await hold()
    const old = own()
    if (old === undefined) throw new Error('no record')
    keeper.publish(MOVED)
    await clock.settle()
    keeper.observe({ kind: 'put', record: { ...old, value: MANGLED }, revision: old.modRevision })
    keeper.observe({ kind: 'deleted', key: KEY, revision: old.modRevision })
    await clock.settle()
    expect(own()?.value).toBe(MOVED)
    expect(store.writes).toHaveLength(1)
  })

  it('gives it up when it is now another node’s, and does not touch it', async () => {
    const { over } = await hold()
    store.etcd.put(KEY, THEIRS, store.etcd.grant(60))
    await clock.settle()
    expect(over()?.reason).toContain('thief')
    expect(own()?.value).toBe(THEIRS)
    expect(states).toEqual(['lost'])
    expect(store.writes).toEqual([])
  })

  it('gives it up when it was taken between its own look and its write', async () => {
    const { keeper, over } = await hold({ watched: false })
    store.before('replace', () => store.etcd.put(KEY, THEIRS))
    keeper.publish(MOVED)
    await clock.settle()
    expect(over()?.reason).toContain('thief')
    expect(own()?.value).toBe(THEIRS)
  })

  it('follows an operator who makes a reservation of it', async () => {
    await hold()
    store.etcd.put(KEY, MINE)
    for (let hour = 0; hour < 3; hour++) await advance(HOUR_MS)
    expect(store.calls).toEqual([])
  })
})

describe('LeaseKeeper whose key was put on another etcd lease, or on none', () => {
  const home = (): string => own()?.etcdLeaseId ?? ''

  it('brings a rewritten key back onto its own etcd lease while that lives', async () => {
    await hold()
    const before = home()
    store.etcd.put(KEY, MANGLED)
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: before })
  })

  it('makes a new etcd lease for it where its own has ended meanwhile', async () => {
    await hold()
    const before = home()
    store.etcd.put(KEY, MANGLED)
    store.etcd.revoke(before)
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE })
    expect([before, NO_ETCD_LEASE]).not.toContain(home())
    store.etcd.advance(86_399_000)
    expect(own()).toBeDefined()
  })

  it('takes it off a short etcd lease of somebody else, though it says what it should', async () => {
    await hold()
    const before = home()
    store.etcd.put(KEY, MINE, store.etcd.grant(30))
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: before })
    await advance(MINUTE_MS)
    expect(own()).toBeDefined()
  })

  it('renews another etcd lease that lasts as long as its own, without a write', async () => {
    await hold()
    const other = store.etcd.grant(86_400)
    store.etcd.put(KEY, MINE, other)
    await clock.settle()
    expect(store.writes).toEqual([])
    expect(store.calls.at(-1)).toEqual({ op: 'keepAlive', target: other })
  })

  it.each([
    ['the same', MINE],
    ['something else', MANGLED],
  ])('brings a reservation back as one that was written on an etcd lease, saying %s', async (_, value) => {
    await hold({ ttlSeconds: 0 })
    store.etcd.put(KEY, value, store.etcd.grant(86_400))
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: NO_ETCD_LEASE })
  })

  it('brings a reservation back as one though it has to renew that etcd lease before it can write', async () => {
    const { keeper } = await hold({ ttlSeconds: 0 })
    store.failNext('replace', { code: 'UNAVAILABLE' })
    store.etcd.put(KEY, MINE, store.etcd.grant(86_400))
    await clock.settle()
    store.failNext('replace', { code: 'UNAVAILABLE' })
    keeper.renewSoon()
    await clock.settle()
    expect(callsOf('keepAlive')).toBe(1)
    await advance(MINUTE_MS)
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: NO_ETCD_LEASE })
  })

  it('keeps as a reservation what an operator made one of, also when it is rewritten or deleted later', async () => {
    await hold()
    store.etcd.put(KEY, MINE)
    await clock.settle()
    store.etcd.put(KEY, MANGLED, store.etcd.grant(86_400))
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: NO_ETCD_LEASE })
    store.etcd.delete(KEY)
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: NO_ETCD_LEASE })
  })

  it('leaves no etcd lease behind when only the key was deleted', async () => {
    await hold()
    const before = home()
    store.etcd.delete(KEY)
    await clock.settle()
    expect(store.etcd.etcdLeaseIds).toEqual([before])
  })
})

describe('LeaseKeeper whose etcd lease lasts less than asked for', () => {
  it('renews in time for the life that the store says', async () => {
    await hold()
    store.keepAlive = async (id, signal) => {
      const result = await RacedLeaseStore.prototype.keepAlive.call(store, id, signal)
      return result.alive ? { ...result, ttlSeconds: 60 } : result
    }
    await advance(RENEWAL_MS)
    expect(callsOf('keepAlive')).toBe(1)
    await advance(20_000)
    expect(callsOf('keepAlive')).toBe(3)
  })
})

describe('LeaseKeeper asked to publish something else', () => {
  it('writes it once, on the same etcd lease', async () => {
    const { keeper } = await hold()
    const before = own()?.etcdLeaseId
    keeper.publish(MOVED)
    keeper.publish(MOVED)
    await clock.settle()
    expect(own()).toMatchObject({ value: MOVED, etcdLeaseId: before })
    expect(store.writes).toHaveLength(1)
  })

  it('writes nothing when that is what the key says', async () => {
    const { keeper } = await hold()
    keeper.publish(MINE)
    await clock.settle()
    expect(store.calls).toEqual([])
  })

  it('writes the latest although it was asked during a write', async () => {
    const { keeper } = await hold()
    store.before('replace', () => {
      keeper.publish(MOVED)
    })
    keeper.publish(MANGLED)
    await clock.settle()
    expect(own()?.value).toBe(MOVED)
    expect(store.writes).toHaveLength(2)
  })

  it('writes the latest although it was asked while the key was being put back', async () => {
    const { keeper } = await hold()
    store.before('create', () => {
      keeper.publish(MOVED)
    })
    store.etcd.delete(KEY)
    await clock.settle()
    expect(own()?.value).toBe(MOVED)
  })

  it('creates the key anew when it vanished in the meantime', async () => {
    const { keeper } = await hold({ watched: false })
    store.before('replace', () => store.etcd.delete(KEY))
    keeper.publish(MOVED)
    await clock.settle()
    expect(own()?.value).toBe(MOVED)
  })
})

describe('LeaseKeeper without etcd', () => {
  it('says once that it cannot renew, tries on with growing pauses, and says when it can', async () => {
    await hold()
    store.disconnect()
    await advance(RENEWAL_MS)
    expect(states).toEqual(['unrenewed'])
    const triedAt: number[] = []
    for (let calls = callsOf('keepAlive'), second = 0; second < 180; second++) {
      await advance(1_000)
      if (callsOf('keepAlive') > calls) triedAt.push(second + 1)
      calls = callsOf('keepAlive')
    }
    expect(triedAt).toEqual([1, 3, 5, 11, 22, 45, 87, 129, 171])
    store.reconnect()
    await advance(MINUTE_MS)
    expect(states).toEqual(['unrenewed', 'held'])
    expect(store.writes).toEqual([])
  })

  it('does not wait out the pause when the connection is back', async () => {
    const { keeper } = await hold()
    store.disconnect()
    await advance(RENEWAL_MS + 10 * MINUTE_MS)
    store.reconnect()
    keeper.renewSoon()
    await clock.settle()
    expect(states).toEqual(['unrenewed', 'held'])
  })

  it('puts its key back after an outage longer than the lease', async () => {
    await hold({ ttlSeconds: 600, renewMarginMs: MINUTE_MS, watched: false })
    store.disconnect()
    await advance(RENEWAL_MS)
    expect(own()).toBeUndefined()
    store.reconnect()
    await advance(2 * MINUTE_MS)
    expect(own()).toMatchObject({ value: MINE })
    expect(states.at(-1)).toBe('held')
  })
})

describe('LeaseKeeper with something to write while etcd is away', () => {
  it('takes its own failures for no fight, however many', async () => {
    const { keeper } = await hold()
    store.disconnect()
    keeper.publish(MOVED)
    await advance(10 * MINUTE_MS)
    store.reconnect()
    keeper.renewSoon()
    await clock.settle()
    expect(own()?.value).toBe(MOVED)
    expect(states).toEqual(['unrenewed', 'held', 'held'])
  })

  it('writes a new address at once although an earlier write waits to be tried again', async () => {
    const { keeper } = await hold()
    store.disconnect()
    keeper.publish(MANGLED)
    await advance(10 * MINUTE_MS)
    store.reconnect()
    keeper.publish(MOVED)
    await clock.settle()
    expect(own()?.value).toBe(MOVED)
    expect(states).not.toContain('contested')
  })

  it('puts a vanished key back as soon as the connection is back, and renews', async () => {
    const { keeper } = await hold({ watched: false })
    const before = own()?.etcdLeaseId
    store.disconnect()
    keeper.observeList(undefined)
    await advance(10 * MINUTE_MS)
    store.etcd.delete(KEY)
    store.reconnect()
    keeper.renewSoon()
    await clock.settle()
    expect(own()).toMatchObject({ value: MINE, etcdLeaseId: before })
    expect(states.filter((state) => state !== 'held')).toEqual(['unrenewed'])
  })

  it('says once that etcd takes no more writes, renews meanwhile, and writes when it does again', async () => {
    const { keeper } = await hold()
    const full = { code: 'RESOURCE_EXHAUSTED' } as const
    for (let time = 0; time < 700; time++) store.failNext('replace', full)
    keeper.publish(MOVED)
    await advance(RENEWAL_MS)
    expect(states).toEqual(['unrenewed'])
    expect(callsOf('keepAlive')).toBe(1)
    await advance(RENEWAL_MS)
    expect(own()?.value).toBe(MOVED)
    expect(states).toEqual(['unrenewed', 'held', 'held'])
  })

  it('does not take for somebody else’s what it wrote itself and had no answer to', async () => {
    const { keeper } = await hold({ watched: false })
    for (let time = 0; time < 8; time++) {
      store.failNext('replace', { code: 'DEADLINE_EXCEEDED', applied: true })
      keeper.publish(MANGLED)
      await clock.settle()
      expect(own()?.value).toBe(MANGLED)
      keeper.publish(MOVED)
      await clock.settle()
      expect(own()?.value).toBe(MOVED)
    }
    expect(states).not.toContain('contested')
  })
})

describe('LeaseKeeper told what happened during its own write', () => {
  it('puts the key back that was deleted right after', async () => {
    await hold()
    let times = 0
    const replaced = store.etcd.listen(({ deltas }) => {
      if (deltas.some((delta) => delta.kind === 'put') && times++ === 1) store.etcd.delete(KEY)
    })
    store.etcd.put(KEY, MANGLED, own()?.etcdLeaseId)
    await clock.settle()
    replaced()
    expect(times).toBeGreaterThan(1)
    expect(own()).toMatchObject({ value: MINE })
  })
})

describe('LeaseKeeper told to stop', () => {
  it.each([
    ['while it waits', async () => hold()],
    [
      'while etcd does not answer',
      async () => {
        store.hang('keepAlive')
        const held = await hold()
        held.keeper.renewSoon()
        await clock.settle()
        return held
      },
    ],
    [
      'during a pause after a failure',
      async () => {
        store.disconnect()
        const held = await hold()
        held.keeper.renewSoon()
        await clock.settle()
        return held
      },
    ],
  ])('stops %s, at once, without having lost anything', async (_, prepare) => {
    const { over } = await prepare()
    expect(over()).toBeUndefined()
    stop.abort()
    await clock.settle()
    expect(over()).toEqual({ reason: undefined })
    expect(states).not.toContain('lost')
    expect(store.writes).toEqual([])
  })

  it('does not begin when told before', async () => {
    stop.abort()
    const { over } = await hold()
    expect(over()).toEqual({ reason: undefined })
    expect(store.calls).toEqual([])
  })
})

describe('LeaseKeeper whose key another machine with the same identity keeps rewriting', () => {
  it('answers at once three times, then ever more slowly, and says so', async () => {
    await hold()
    const rewrite = async (): Promise<string | undefined> => {
      store.etcd.put(KEY, MANGLED, own()?.etcdLeaseId)
      await clock.settle()
      return own()?.value
    }
    for (let time = 0; time < 3; time++) expect(await rewrite()).toBe(MINE)
    expect(await rewrite()).toBe(MANGLED)
    expect(states.at(-1)).toBe('contested')
    await advance(1_000)
    expect(own()?.value).toBe(MINE)
    expect(await rewrite()).toBe(MANGLED)
    await advance(1_000)
    expect(own()?.value).toBe(MANGLED)
    await advance(1_000)
    expect(own()?.value).toBe(MINE)
  })

  it('stays slow for as long as it goes on', async () => {
    await hold()
    for (let second = 0; second < 3_600; second++) {
      if (own()?.value === MINE) store.etcd.put(KEY, MANGLED, own()?.etcdLeaseId)
      await advance(1_000)
    }
    expect(store.writes.length).toBeLessThan(100)
    const before = store.writes.length
    for (let second = 0; second < 600; second++) {
      if (own()?.value === MINE) store.etcd.put(KEY, MANGLED, own()?.etcdLeaseId)
      await advance(1_000)
    }
    expect(store.writes.length - before).toBeLessThan(16)
  })

  it('says nothing more, and waits no longer, because of changes that come while it waits', async () => {
    await hold()
    for (let time = 0; time < 50; time++) store.etcd.put(KEY, `${MANGLED}${' '.repeat(time)}`, own()?.etcdLeaseId)
    await clock.settle()
    expect(states.filter((state) => state === 'contested')).toHaveLength(1)
    await advance(1_000)
    expect(own()?.value).toBe(MINE)
  })

  it('answers at once again after a quiet minute', async () => {
    await hold()
    for (let time = 0; time < 8; time++) {
      store.etcd.put(KEY, MANGLED, own()?.etcdLeaseId)
      await clock.settle()
      expect(own()?.value).toBe(MINE)
      await advance(MINUTE_MS + 1)
    }
    expect(states).not.toContain('contested')
  })
})

describe('LeaseKeeper at whose key another machine with its node id may be', () => {
  const twin = (instance: string) => ({ ...NODE, hostname: 'copy', instance })
  const COPY = { ...NODE, hostname: 'copy' }
  const TWINS = leaseValue({ publicIp: '192.168.205.10', mac: '02:00:00:00:00:66', node: COPY })
  let asked: number

  beforeEach(() => {
    asked = 0
  })

  const answering =
    (...answers: (ReturnType<typeof twin> | StoreError | undefined)[]): AskClone =>
    () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]
      return answer instanceof StoreError ? Promise.reject(answer) : Promise.resolve(answer)
    }

  const failure = (code: StoreErrorCode): StoreError =>
    new StoreError({ op: 'ask', code, retryable: true, message: code })

  async function rewrite(value = TWINS, times = 4): Promise<void> {
    for (let time = 0; time < times; time++) {
      store.etcd.put(KEY, value, own()?.etcdLeaseId)
      await clock.settle()
    }
  }

  it('makes way to one that lives and was named first by chance, leaving the key as that one wrote it', async () => {
    const { over } = await hold({ challenge: answering(twin('a')) })
    await rewrite()
    expect(asked).toBe(0)
    await advance(1_000)
    expect(over()?.reason).toMatch(/another machine has the same machine id \(node-1; .* copy\): give .* --node-id/)
    expect(own()?.value).toBe(TWINS)
    expect(states.at(-1)).toBe('lost')
  })

  it.each([
    ['makes way at once to one with another address that has held it for longer', 'a', ELSEWHERES],
    ['takes it back at once from one with another address that has held it for less long', 'z', MINE],
  ])('%s', async (_, instance, value) => {
    const { over } = await hold({ challenge: answering(twin(instance)) })
    await rewrite(ELSEWHERES, 1)
    await clock.settle()
    expect([asked, own()?.value, over() !== undefined]).toEqual([1, value, value === ELSEWHERES])
    expect(contests).toEqual([])
  })

  it('says that its hold was interrupted where a copy made its key anew, and not where one wrote over it', async () => {
    const { keeper } = await hold({ watched: false, challenge: answering(twin('z')) })
    const before = own()
    await rewrite(ELSEWHERES, 1)
    keeper.observeList(own())
    expect(interruptions).toBe(0)
    store.etcd.delete(KEY)
    await rewrite(TWINS, 1)
    keeper.observeList(own())
    expect(interruptions).toBe(0) // just what one that was killed may have left
    store.etcd.delete(KEY)
    await rewrite(ELSEWHERES, 1)
    keeper.observeList(own())
    expect([before?.key, interruptions]).toEqual([KEY, 1])
  })

  it('goes on where the other one is to make way, and asks again when that does not', async () => {
    const { over } = await hold({ challenge: answering(twin('z'), undefined) })
    await rewrite()
    await advance(1_000)
    expect([own()?.value, asked, over()]).toEqual([MINE, 1, undefined])
    await rewrite(TWINS, 1)
    await advance(2_000)
    expect([own()?.value, asked, over()]).toEqual([MINE, 2, undefined])
  })

  it.each([
    ['nobody answers', undefined],
    ['a node with another id answers', { ...twin('a'), id: 'x' }],
    ['it answered itself', twin('m')],
    ['it may not ask', failure('PERMISSION_DENIED')],
  ])('restores its key when %s', async (_, answer) => {
    const { over } = await hold({ challenge: answering(answer) })
    await rewrite()
    await advance(1_000)
    expect([own()?.value, asked, over()]).toEqual([MINE, 1, undefined])
  })

  it('asks again when the store was out of reach, and proves nothing by that', async () => {
    const { over } = await hold({ challenge: answering(failure('UNAVAILABLE'), twin('a')) })
    await rewrite()
    await advance(1_000)
    expect([own()?.value, asked, over()]).toEqual([TWINS, 1, undefined])
    await advance(2_000)
    expect(asked).toBe(2)
    expect(over()?.reason).toContain('--node-id')
  })

  it('asks nobody about deletions, or about a value that is not of its node id', async () => {
    await hold({ challenge: answering(twin('a')) })
    for (let time = 0; time < 6; time++) {
      store.etcd.delete(KEY)
      await advance(MINUTE_MS)
    }
    expect(new Set(contests)).toEqual(new Set(['deleted']))
    await advance(60 * MINUTE_MS)
    await rewrite('garbage')
    await advance(MINUTE_MS)
    expect(contests.at(-1)).toBe('rewritten')
    expect([own()?.value, asked]).toEqual([MINE, 0])
  })

  it('keeps to what it learned of its key while it asked', async () => {
    const { over } = await hold({
      challenge: () => {
        store.etcd.put(KEY, THEIRS)
        return Promise.resolve(undefined)
      },
    })
    await rewrite()
    await advance(1_000)
    expect(over()?.reason).toContain('thief')
    expect(own()?.value).toBe(THEIRS)
  })

  it.each(['a', 'z'])('is left with one holder when both ask, the other being called %s', async (instance) => {
    const { over } = await hold({ challenge: answering(twin(instance)) })
    store.etcd.put(KEY, TWINS, own()?.etcdLeaseId)
    const seen = own()
    if (seen === undefined) throw new Error('gone')
    const other = new LeaseKeeper(seen, {
      store,
      terms: { node: { ...NODE, hostname: 'copy' }, ttlSeconds: 86_400 },
      ourselves: { ...NODE, hostname: 'copy', instance },
      clock,
      random: () => 0,
      renewMarginMs: HOUR_MS,
      challenge: answering({ ...NODE, instance: 'm' }),
      onState: () => undefined,
    })
    const deaf = store.etcd.listen(({ deltas }) => {
      deltas.filter(isOwnKey).forEach((delta) => {
        other.observe(delta)
      })
    })
    let otherLost: string | undefined
    void other.hold(loopOn(clock, stop.signal)).then((reason) => {
      otherLost = reason
    })
    for (let second = 0; second < 30; second++) await advance(1_000)
    deaf()
    expect([over() !== undefined, otherLost !== undefined]).toEqual(instance === 'a' ? [true, false] : [false, true])
    expect(own()?.value).toBe(instance === 'a' ? TWINS : MINE)
  })
})
