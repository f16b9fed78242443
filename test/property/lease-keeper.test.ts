import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LeaseKeeper } from '../../src/lease/keeper/keeper.ts'
import type { LeaseState } from '../../src/lease/keeper/options.ts'
import { heldKey, transition, type KeeperEvent, type KeeperState } from '../../src/lease/keeper/keeper-state.ts'
import { NO_ETCD_LEASE, type EtcdLeaseId } from '../../src/lease/lease.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { isOursToRestore } from '../../src/lease/owner.ts'
import { FakeClock } from '../fake/fake-clock.ts'
import { RacedLeaseStore } from '../fake/raced-lease-store.ts'
import { loopOn } from '../fake/runtime.ts'
import { leaseRecord, leaseValue, NODE } from '../fake/samples.ts'

const KEY = '10.15.64.0-20'
const MAC = '02:00:00:00:00:01'
const TERMS = { node: NODE, instance: 'm', ttlSeconds: 86_400 }
const lease = (publicIp: string, node = NODE): string => leaseValue({ publicIp, mac: MAC, node })

/** What we may want the key to say. */
const WANTED = [lease('192.168.205.10'), lease('192.168.205.20')]
/** What somebody may write that leaves it ours. */
const MANGLED = [...WANTED, '{', leaseValue({ publicIp: '192.168.205.10', mac: '02:00:00:00:00:77', node: NODE })]
const THEIRS = lease('192.168.205.66', { id: 'x', hostname: 'thief' })

const QUIET_MS = 7_200_000

/** One thing that may happen; what is known of time passes in between. */
type Happening =
  | { readonly is: 'deleted' | 'expired' | 'renewSoon' | 'reconnected' | 'disconnected' | 'listed' }
  | { readonly is: 'rewritten' | 'taken'; readonly value: string; readonly on: 'own' | 'none' | 'short' | 'long' }
  | { readonly is: 'wanted'; readonly value: string }
  | { readonly is: 'fault'; readonly op: 'create' | 'replace' | 'keepAlive'; readonly applied: boolean }
  | { readonly is: 'race'; readonly op: 'create' | 'replace' | 'keepAlive'; readonly value: string | undefined }
  | { readonly is: 'passed'; readonly ms: number }

const on = fc.constantFrom('own', 'none', 'short', 'long')
const op = fc.constantFrom('create', 'replace', 'keepAlive')
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({
    is: fc.constantFrom('deleted', 'expired', 'renewSoon', 'reconnected', 'disconnected', 'listed'),
  }),
  fc.record({ is: fc.constant('rewritten'), value: fc.constantFrom(...MANGLED), on }),
  fc.record({ is: fc.constant('wanted'), value: fc.constantFrom(...WANTED) }),
  fc.record({ is: fc.constant('fault'), op, applied: fc.boolean() }),
  fc.record({ is: fc.constant('race'), op, value: fc.constantFrom(undefined, ...MANGLED, THEIRS) }),
  fc.record({ is: fc.constant('passed'), ms: fc.constantFrom(0, 1_000, 30_000, 600_000, 4_000_000) }),
)
const taken: fc.Arbitrary<Happening> = fc.record({ is: fc.constant('taken'), value: fc.constant(THEIRS), on })

/** A keeper at work on a key in a store where anything may happen. */
class KeeperWorld {
  readonly store = new RacedLeaseStore()
  readonly clock = new FakeClock()
  readonly keeper: LeaseKeeper
  wanted = WANTED[0] ?? ''
  readonly states: LeaseState[] = []
  /** What the key said when we wrote over it although it was another's. */
  readonly overwritten: string[] = []
  over: { readonly reason: string | undefined } | undefined
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  /** What the key says, before each of its changes. */
  #before: LeaseRecord | undefined
  /** It was not we who made the change under way. */
  #isForeign = false

  constructor(isWatched: boolean, isReservation: boolean) {
    const { etcd } = this.store
    const record = etcd.put(KEY, this.wanted, isReservation ? NO_ETCD_LEASE : etcd.grant(TERMS.ttlSeconds))
    if (record === undefined) throw new Error('not granted')
    this.#before = record
    const { store, clock } = this
    const onState = (state: LeaseState): void => void this.states.push(state)
    this.keeper = new LeaseKeeper(record, {
      ...{
        store,
        terms: TERMS,
        ourselves: { ...TERMS.node, instance: 'this' },
        clock,
        random: () => 0,
        renewMarginMs: 3_600_000,
        onState,
      },
    })
    etcd.listen(({ deltas }) => {
      for (const delta of deltas) {
        this.#judge()
        if (isWatched) this.keeper.observe(delta)
      }
    })
    this.#running = this.keeper.hold(loopOn(clock, this.#stop.signal)).then((reason) => {
      this.over = { reason }
    })
  }

  get key(): LeaseRecord | undefined {
    return this.store.etcd.get(KEY)
  }

  #judge(): void {
    const before = this.#before
    this.#before = this.key
    if (this.#isForeign || before === undefined || this.key === undefined) return
    if (!isOursToRestore(before, this.wanted, TERMS)) this.overwritten.push(before.value)
  }

  #outside(act: () => void): void {
    this.#isForeign = true
    act()
    this.#isForeign = false
  }

  #put(value: string, etcdLeaseId: EtcdLeaseId): void {
    this.#outside(() => this.store.etcd.put(KEY, value, etcdLeaseId))
  }

  #etcdLease(where: 'own' | 'none' | 'short' | 'long'): EtcdLeaseId {
    if (where === 'none') return NO_ETCD_LEASE
    if (where === 'own') return this.key?.etcdLeaseId ?? NO_ETCD_LEASE
    return this.store.etcd.grant(where === 'short' ? 30 : TERMS.ttlSeconds)
  }

  async happen(what: Happening): Promise<void> {
    this.#carryOut(what)
    await this.pass(what.is === 'passed' ? what.ms : 0)
  }

  #carryOut(what: Happening): void {
    const { store, keeper } = this
    switch (what.is) {
      case 'deleted':
        this.#outside(() => store.etcd.delete(KEY))
        break
      case 'expired':
        this.#outside(() => store.etcd.revoke(this.key?.etcdLeaseId ?? ''))
        break
      case 'rewritten':
      case 'taken':
        this.#put(what.value, this.#etcdLease(what.on))
        break
      case 'wanted':
        this.wanted = what.value
        keeper.publish(what.value)
        break
      case 'fault':
        store.failNext(what.op, { code: 'DEADLINE_EXCEEDED', applied: what.applied })
        break
      case 'race':
        store.before(what.op, () => {
          if (what.value !== undefined) this.#put(what.value, this.#etcdLease('own'))
          else this.#outside(() => store.etcd.delete(KEY))
        })
        break
      case 'listed':
        keeper.observeList(this.key)
        break
      case 'renewSoon':
        keeper.renewSoon()
        break
      case 'disconnected':
        store.disconnect()
        break
      case 'reconnected':
        store.reconnect()
        break
      case 'passed':
    }
  }

  async pass(ms: number): Promise<void> {
    this.#outside(() => {
      this.store.etcd.advance(ms)
    })
    await this.clock.advance(ms)
  }

  /** Nobody meddles any more, etcd answers, and a list says how the key stands. */
  async becomeQuiet(): Promise<void> {
    for (const op of ['create', 'replace', 'keepAlive'] as const) this.store.before(op, () => undefined, 0)
    this.store.reconnect()
    this.keeper.observeList(this.key)
    this.keeper.renewSoon()
    // in steps: a short etcd lease is renewed several times in a step, and etcd's clock goes first
    for (let passedMs = 0; passedMs < QUIET_MS; passedMs += 10_000) await this.pass(10_000)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

const scenes = (happenings: fc.Arbitrary<Happening>) =>
  fc.tuple(fc.boolean(), fc.boolean(), fc.array(happenings, { maxLength: 15 }))

describe('LeaseKeeper', () => {
  it('never writes over another’s lease, and in quiet has its own or has lost it', async () => {
    await fc.assert(
      fc.asyncProperty(
        scenes(fc.oneof({ weight: 12, arbitrary: happening }, taken)),
        async ([watched, reserved, all]) => {
          const world = new KeeperWorld(watched, reserved)
          try {
            for (const one of all) await world.happen(one)
            await world.becomeQuiet()
            expect(world.overwritten).toEqual([])
            if (world.over === undefined) expect(world.key?.value).toBe(world.wanted)
            else {
              expect(world.over.reason).toBe(`lease ${KEY} now belongs to thief (x)`)
              expect(world.states.at(-1)?.is).toBe('lost')
            }
          } finally {
            await world.close()
          }
        },
      ),
    )
  })

  it('never loses a lease that nobody else takes', async () => {
    const harmless = happening.filter((what) => what.is !== 'race' || what.value !== THEIRS)
    await fc.assert(
      fc.asyncProperty(scenes(harmless), async ([watched, reserved, all]) => {
        const world = new KeeperWorld(watched, reserved)
        try {
          for (const one of all) await world.happen(one)
          await world.becomeQuiet()
          expect(world.over).toBeUndefined()
          expect(world.key?.value).toBe(world.wanted)
          if (reserved) expect(world.key?.etcdLeaseId).toBe(NO_ETCD_LEASE)
        } finally {
          await world.close()
        }
      }),
    )
  })
})

const revision = fc.bigInt({ min: 1n, max: 9n })
const record = fc
  .record({
    value: fc.constantFrom(...MANGLED, THEIRS),
    etcdLeaseId: fc.constantFrom(NO_ETCD_LEASE, '1', '2'),
    modRevision: revision,
  })
  .map(({ value, ...fields }) => leaseRecord(KEY, value, fields))
const etcdLeaseId = fc.constantFrom('1', '2')

const keeperEvent: fc.Arbitrary<KeeperEvent> = fc.oneof(
  record.map((put) => ({ kind: 'put' as const, record: put, revision: put.modRevision })),
  revision.map((deletion) => ({ kind: 'deleted' as const, key: KEY, revision: deletion })),
  fc.record({ kind: fc.constant('listed'), record: fc.option(record, { nil: undefined }) }),
  fc.record({ kind: fc.constant('refused'), found: fc.option(record, { nil: undefined }) }),
  fc.record({ kind: fc.constant('wanted'), value: fc.constantFrom(...WANTED) }),
  fc.record({ kind: fc.constant('writing') }),
  fc.record({ kind: fc.constant('renewed'), etcdLeaseId, ttlSeconds: fc.constantFrom(30, 86_400) }),
  fc.record({ kind: fc.constant('expired'), etcdLeaseId }),
)

describe('the states of a key', () => {
  it('never compare a write with another’s record, and never come back from being lost', () => {
    fc.assert(
      fc.property(fc.array(keeperEvent, { maxLength: 30 }), (events) => {
        let state: KeeperState = heldKey(leaseRecord(KEY, WANTED[0] ?? '', { etcdLeaseId: '1' }), TERMS)
        for (const event of events) {
          const before: KeeperState = state
          const step = transition(before, event, TERMS)
          state = step.state
          if (before.is === 'lost') expect(step).toEqual({ state: before })
          if (state.is === 'lost') continue
          expect(isOursToRestore(state.record, state.wanted, TERMS)).toBe(true)
          if (state.is === 'held') expect(state.record.value).toBe(state.wanted)
        }
      }),
    )
  })
})
