import { describe, expect, it } from 'vitest'
import { giveBack, type GiveBackReport } from '../../../src/cleanup/give-back.ts'
import type { HostTitle } from '../../../src/cleanup/own-leases.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { FakeEtcd } from '../../fake/fake-etcd.ts'
import { FakeLeaseStore } from '../../fake/fake-lease-store.ts'
import { RacedLeaseStore } from '../../fake/raced-lease-store.ts'
import { CONFIG, leaseValue, NODE } from '../../fake/samples.ts'

const [KEY, EARLIER, THEIRS] = ['10.15.64.0-20', '10.16.0.0-20', '10.17.0.0-20']
const [HERE, ELSEWHERE] = ['192.168.205.10', '192.168.205.11']
const OTHER = { id: 'node-2', hostname: 'host-2' }

const HOST: HostTitle = {
  ...{ node: NODE, links: [], subnets: [prefix('10.15.64.0/20')] },
  addresses: [{ linkIndex: 2, ip: ip(HERE), prefixLength: 24, scope: 'global', flags: [] }],
}
const value = (publicIp: string, node = NODE): string => leaseValue({ publicIp, mac: '02:00:00:00:00:01', node })

/** One etcd with our lease and that of another node, and a clock that this test lets run. */
class World {
  readonly clock = new FakeClock()
  readonly etcd = new FakeEtcd()
  readonly store = new RacedLeaseStore(this.etcd, this.clock)
  readonly stop = new AbortController()

  constructor() {
    this.etcd.putConfig(CONFIG)
    this.lease(KEY, value(HERE))
    this.lease(THEIRS, value(ELSEWHERE, OTHER))
  }

  lease(key: string, text: string): LeaseRecord {
    const record = this.etcd.put(key, text, this.etcd.grant(86_400))
    if (record === undefined) throw new Error('not granted')
    return record
  }

  get keys(): readonly string[] {
    return this.etcd.records.map(({ key }) => key)
  }

  async giveBack(dryRun = false): Promise<GiveBackReport> {
    const { store, clock } = this
    const ports = { store, clock, prefix: '/net', random: () => 0.5, instance: 'this' }
    const outcome = giveBack(ports, HOST, dryRun, this.stop.signal)
    const state = { isDone: false }
    const done = (): void => {
      state.isDone = true
    }
    outcome.then(done, done)
    for (let ms = 0; ms < 60_000 && !state.isDone; ms += 100) await clock.advance(100)
    return outcome
  }
}

const RELEASED = { released: [`lease ${KEY}`], kept: [], failures: [] }

describe('giveBack', () => {
  it('deletes the lease of this host with its etcd lease, and nobody else notices', async () => {
    const world = new World()
    expect(await world.giveBack()).toEqual(RELEASED)
    expect(world.keys).toEqual([THEIRS])
    expect(world.etcd.etcdLeaseIds).toHaveLength(1)
    expect(world.store.calls.map(({ op }) => op)).not.toContain('ask')
    expect(await world.giveBack()).toEqual({ released: [], kept: [], failures: [] })
  })

  it('only says so when it only looks, and writes nothing, not even a question', async () => {
    const world = new World()
    world.lease(EARLIER, value(ELSEWHERE))
    const before = world.etcd.revision
    const released = [`lease ${KEY}`, `lease ${EARLIER}, unless another machine answers for it`]
    expect(await world.giveBack(true)).toEqual({ ...RELEASED, released })
    expect(world.etcd.revision).toBe(before)
  })

  it('gives back leases of earlier lives too, once nobody answers for them', async () => {
    const world = new World()
    world.lease(EARLIER, value(ELSEWHERE))
    expect(await world.giveBack()).toEqual({ ...RELEASED, released: [`lease ${KEY}`, `lease ${EARLIER}`] })
    expect(world.keys).toEqual([THEIRS])
    expect(world.etcd.etcdLeaseIds).toHaveLength(1)
  })

  it('leaves the lease of a machine with our node id that lives', async () => {
    const world = new World()
    world.lease(EARLIER, value(ELSEWHERE))
    const copy = new FakeLeaseStore(world.etcd, world.clock)
    const listening = (async () => {
      for await (const challenge of copy.challenges(EARLIER, world.stop.signal))
        await copy.answer(challenge, { ...NODE, instance: 'that' }, world.stop.signal)
    })()
    const report = await world.giveBack()
    expect(report).toMatchObject({ ...RELEASED, kept: [expect.stringContaining('another machine has the same')] })
    expect(world.keys).toEqual([EARLIER, THEIRS])
    world.stop.abort()
    await listening
  })

  it('where it may not ask, takes a lease with our address for ours, and says what it lacks for another', async () => {
    const world = new World()
    world.etcd.delete(KEY)
    world.lease(EARLIER, value(ELSEWHERE))
    world.lease('10.18.0.0-20', value(HERE))
    for (let time = 0; time < 2; time++) world.store.failNext('ask', { code: 'PERMISSION_DENIED' })
    expect(await world.giveBack()).toEqual({
      released: ['lease 10.18.0.0-20'],
      kept: [],
      failures: [expect.stringMatching(`^lease ${EARLIER}: .*permission on challenges/`)],
    })
    expect(world.keys).toEqual([EARLIER, THEIRS])
  })

  it('judges a lease anew that changed after it was listed', async () => {
    const world = new World()
    world.store.before('release', () => world.lease(KEY, value(HERE)))
    expect(await world.giveBack()).toEqual(RELEASED)
    expect(world.keys).toEqual([THEIRS])
  })

  it('leaves a lease alone that another node has taken meanwhile', async () => {
    const world = new World()
    world.store.before('release', () => world.lease(KEY, value(ELSEWHERE, OTHER)))
    const report = await world.giveBack()
    expect(report).toEqual({ released: [], kept: [`lease ${KEY}: it belongs to host-2 (node-2)`], failures: [] })
    expect(world.keys).toEqual([KEY, THEIRS])
  })

  it('gives up on a lease that somebody keeps changing, and says so', async () => {
    const world = new World()
    world.store.before('release', () => world.lease(KEY, value(HERE)), Infinity)
    const { released, failures } = await world.giveBack()
    expect({ released, failures }).toEqual({
      released: [],
      failures: [expect.stringMatching(`^lease ${KEY}: somebody keeps changing it`)],
    })
  })

  it('takes a lease for given back when only the answer was lost', async () => {
    const world = new World()
    world.store.failNext('release', { code: 'UNAVAILABLE', applied: true })
    expect(await world.giveBack()).toEqual(RELEASED)
  })

  it('waits a little for an etcd that does not answer', async () => {
    const world = new World()
    for (let time = 0; time < 3; time++) world.store.failNext('list', { code: 'UNAVAILABLE' })
    expect(await world.giveBack()).toEqual(RELEASED)
  })

  it('names the subnet and what to do when etcd stays out of reach', async () => {
    const world = new World()
    world.store.disconnect()
    const { released, failures } = await world.giveBack()
    expect(released).toEqual([])
    expect(failures).toEqual([
      expect.stringMatching(
        /^lease of 10\.15\.64\.0\/20: it was not given back: .*run flanneld cleanup --release again/,
      ),
    ])
  })

  it('names the lease and the permission that it lacks', async () => {
    const world = new World()
    world.store.failNext('release', { code: 'PERMISSION_DENIED' })
    const { failures } = await world.giveBack()
    expect(failures).toEqual([expect.stringMatching(`^lease ${KEY}: .*readwrite permission on /net/subnets/`)])
    expect(world.keys).toEqual([KEY, THEIRS])
  })

  it('asks about the prefix where neither leases nor a configuration stand, and is content with a network without leases', async () => {
    const world = new World()
    for (const key of world.keys) world.etcd.delete(key)
    expect((await world.giveBack()).failures).toEqual([])
    world.etcd.deleteConfig()
    expect((await world.giveBack()).failures).toEqual([expect.stringMatching(/below \/net .*--etcd-prefix/)])
  })

  it('takes challenges of ours with it, and no others', async () => {
    const world = new World()
    const from = (id: string): string => JSON.stringify({ From: { ID: id, Hostname: 'h', Instance: 'killed' } })
    world.etcd.putChallenge(`${THEIRS}/mine`, from(NODE.id), world.etcd.grant(60))
    world.etcd.putChallenge(`${THEIRS}/theirs`, from('node-3'))
    await world.giveBack()
    expect([...world.etcd.challenges.keys()]).toEqual([`${THEIRS}/theirs`])
    expect(world.etcd.etcdLeaseIds).toHaveLength(1)
  })

  it('does without the right to see challenges', async () => {
    const world = new World()
    world.store.failNext('takeBack', { code: 'PERMISSION_DENIED' })
    expect(await world.giveBack()).toEqual(RELEASED)
  })

  it('stops when it is asked to', async () => {
    const world = new World()
    world.store.disconnect()
    const outcome = world.giveBack()
    world.stop.abort(new Error('stopped'))
    await expect(outcome).rejects.toThrow('stopped')
  })
})
