import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/host/system-clock.ts'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import type { RtnetlinkOptions } from '../../src/netlink/rtnetlink-kernel.ts'
import type { KernelChange } from '../../src/kernel/kernel.ts'
import type { LinkRows, PeerEntries } from '../../src/reconcile/entries.ts'
import type { PendingRow } from '../../src/reconcile/pending-row.ts'
import { Reconciler, type PassReport } from '../../src/reconcile/reconciler.ts'
import { waitFor } from '../lab/wait-for.ts'
import { makeVxlan, peer, peers } from './peers.ts'
import { bridgeJson, ipJson, realKernel, tool, type RealHarness } from './real-kernel.ts'

const HEALED_WITHIN_MS = 2_000

let harness: RealHarness
let reconciler: Reconciler
let linkIndex: number
let stop: AbortController
/** Everything the kernel has reported. */
let reported: KernelChange[]

/** The listener is there for every test, as in the agent. */
async function start(options: RtnetlinkOptions = {}): Promise<void> {
  harness = realKernel(options)
  linkIndex = await makeVxlan(harness)
  reconciler = new Reconciler(harness.kernel, [4], systemClock, () => 0.5)
  reconciler.allowPruning()
  void listen()
  reconciler.attach(linkIndex)
}

async function listen(): Promise<void> {
  const changes = harness.kernel.changes(() => reconciler.watchedLinks, stop.signal)
  for await (const change of changes) {
    reconciler.observe(change)
    reported.push(change)
  }
}

beforeEach(() => {
  stop = new AbortController()
  reported = []
})

afterEach(async () => {
  stop.abort()
  await harness.dispose()
})

const rowsOf = (n: number): LinkRows => {
  const { subnet, mac: address, remote, metric } = peer(n)
  return {
    neighbours: [{ ip: subnet.base, mac: address }],
    fdb: [{ mac: address, remote }],
    routes: [{ destination: subnet, gateway: subnet.base, metric, protocol: '70', onlink: true }],
  }
}

const entries = (n: number): PeerEntries => ({ onDevice: rowsOf(n), onUnderlay: [] })

/** The same peer with its MAC and PublicIP changed for the `time`th time: two MACs in turn, a new PublicIP each time. */
const changed = (n: number, time: number): PeerEntries => {
  const before = rowsOf(n)
  const address = mac(`02:00:00:08:00:0${time % 2}`)
  const neighbours = before.neighbours.map((row) => ({ ...row, mac: address }))
  const fdb = [{ mac: address, remote: ip(`198.19.0.${time}`) }]
  return { onDevice: { ...before, neighbours, fdb }, onUnderlay: [] }
}

const pass = (): Promise<PassReport> => reconciler.pass(stop.signal)
const device = (): string => harness.device(0).name
const neighbours = (): readonly unknown[] => ipJson('neigh', 'show', 'dev', device())
const routes = (): readonly unknown[] => ipJson('route', 'show', 'dev', device(), 'proto', '70')
const fdb = (): readonly unknown[] => bridgeJson('fdb', 'show', 'dev', device())

/** Passes, as often as there is something to do, until everything is as it should be. */
async function settle(): Promise<readonly PassReport[]> {
  const reports = [await pass()]
  await waitFor('settled tables', async () => {
    if (reconciler.nextPassInMs() !== undefined) reports.push(await pass())
    return reconciler.pending === 0 && reconciler.nextPassInMs() === undefined
  })
  return reports
}

describe('our own writes', () => {
  it("are never taken for drift: 200 rapid changes of a peer's MAC and PublicIP", async () => {
    await start()
    reconciler.setPeer('other', entries(2))
    await settle()
    let undone = 0
    const deadlineMs = performance.now() + HEALED_WITHIN_MS
    for (let time = 0; time < 200; time++) {
      reconciler.setPeer('peer', changed(1, time))
      undone += (await pass()).undone
    }
    for (const report of await settle()) undone += report.undone
    expect(performance.now()).toBeLessThan(deadlineMs)
    expect(undone).toBe(0)
    expect(fdb()).toHaveLength(2)
    expect(fdb()).toContainEqual(expect.objectContaining({ mac: peer(2).mac, dst: peer(2).remote.text }))
    expect(fdb()).toContainEqual(expect.objectContaining({ mac: '02:00:00:08:00:01', dst: '198.19.0.199' }))
    expect(neighbours()).toContainEqual(
      expect.objectContaining({ dst: peer(1).subnet.base.text, lladdr: '02:00:00:08:00:01' }),
    )
  })

  it('are never taken for drift when changed again before the kernel has answered', async () => {
    await start()
    let undone = 0
    for (let time = 0; time < 200; time++) {
      reconciler.setPeer('peer', changed(1, time))
      const running = pass()
      reconciler.setPeer('peer', changed(1, (time + 7) % 200))
      undone += (await running).undone
    }
    for (const report of await settle()) undone += report.undone
    expect(undone).toBe(0)
    expect(fdb()).toEqual([expect.objectContaining({ mac: '02:00:00:08:00:00', dst: '198.19.0.6' })])
  })

  it("do not hide another's change right before or behind them", async () => {
    await start()
    await settle()
    for (let time = 0; time < 20; time++) {
      reconciler.setPeer('peer', changed(1, time))
      const running = pass()
      await harness.outside({
        op: 'fdb.replace',
        linkIndex,
        mac: mac(`02:00:00:08:00:0${time % 2}`),
        remote: ip('203.0.113.7'),
      })
      await running
      await harness.kernel.catchUp()
      await settle()
      expect(fdb()).toEqual([expect.objectContaining({ dst: `198.19.0.${time}` })])
    }
  })
})

describe('a device', () => {
  it.each<{
    readonly what: string
    readonly harm: (name: string) => void
    readonly sign: (change: KernelChange) => boolean
    readonly mend: (name: string) => void
  }>([
    {
      what: 'deleted',
      harm: (name) => tool('ip', 'link', 'del', name),
      sign: (change) => change.kind === 'link' && change.gone && change.link.index === linkIndex,
      mend: () => undefined,
    },
    {
      what: 'set down',
      harm: (name) => tool('ip', 'link', 'set', name, 'down'),
      sign: (change) => change.kind === 'link' && !change.link.up,
      mend: (name) => tool('ip', 'link', 'set', name, 'up'),
    },
    {
      what: 'given another MAC',
      harm: (name) => tool('ip', 'link', 'set', name, 'address', '02:00:00:09:00:01'),
      sign: (change) => change.kind === 'link' && change.link.mac === '02:00:00:09:00:01',
      mend: (name) => tool('ip', 'link', 'set', name, 'address', '02:00:00:00:01:00'),
    },
    {
      what: 'robbed of its address',
      harm: (name) => tool('ip', '-4', 'addr', 'flush', 'dev', name),
      sign: (change) => change.kind === 'address' && change.gone,
      mend: (name) => tool('ip', 'addr', 'add', `${harness.subnet(100).base.text}/32`, 'dev', name),
    },
  ])('that is $what takes its rows along, which is not told of the rows', async ({ harm, sign, mend }) => {
    await start()
    for (let n = 0; n < 300; n++) reconciler.setPeer(String(n), entries(n))
    await settle()
    let undone = 0
    // Passes run all the while, as the agent's would at every report.
    const until = new AbortController()
    const passes = (async () => {
      while (!until.signal.aborted) {
        if (reconciler.nextPassInMs() !== undefined) undone += (await pass()).undone
        await new Promise(setImmediate)
      }
    })()
    harm(device())
    await waitFor('a report of it', () => reported.some(sign))
    mend(device())
    if (reconciler.linkIndex === undefined) linkIndex = await makeVxlan(harness)
    reconciler.attach(linkIndex)
    await waitFor('all rows back', () => routes().length === 300 && neighbours().length === 300 && fdb().length === 300)
    until.abort()
    await passes
    expect(undone).toBe(0)
  })
})

describe('routes of one destination and metric', () => {
  const show = (): readonly unknown[] => ipJson('route', 'show', peer(1).subnet.text, 'dev', device())
  const route = (how: string, ...rest: readonly string[]): void => {
    const { subnet, metric } = peer(1)
    tool('ip', 'route', how, subnet.text, 'dev', device(), 'metric', String(metric), ...rest)
  }
  const wrong = '12.0.0.25'
  const ours = { gateway: peer(1).subnet.base.text, protocol: '70' }

  it.each<[string, string, readonly string[]]>([
    ['behind ours', 'append', ['via', wrong, 'onlink']],
    ['before ours', 'prepend', ['via', wrong, 'onlink']],
    ['without a gateway', 'append', []],
    ['without a gateway before ours', 'prepend', []],
    ['in place of ours', 'replace', ['via', wrong, 'onlink']],
  ])('with our protocol %s: it is gone, and ours stands', async (_, how, next) => {
    await start()
    reconciler.setPeer('peer', entries(1))
    await settle()
    route(how, 'proto', '70', ...next)
    await waitFor('a report of it', () => reconciler.nextPassInMs() !== undefined)
    await settle()
    expect(show()).toEqual([expect.objectContaining(ours)])
  })

  it('of somebody else beside ours is left alone, and ours when it goes', async () => {
    await start()
    reconciler.setPeer('peer', entries(1))
    await settle()
    const before = harness.kernel.stats().writes
    route('append', 'proto', 'static', 'via', wrong, 'onlink')
    await waitFor('a report of it', () => reconciler.nextPassInMs() !== undefined)
    await settle()
    expect(show()).toHaveLength(2)
    route('delete', 'proto', 'static', 'via', wrong)
    await harness.kernel.catchUp()
    expect(reconciler.pending).toBe(0)
    expect(show()).toEqual([expect.objectContaining(ours)])
    expect(harness.kernel.stats().writes).toBe(before)
  })

  it('of somebody else in place of ours: ours is restored', async () => {
    await start()
    reconciler.setPeer('peer', entries(1))
    await settle()
    route('replace', 'proto', 'static', 'via', wrong, 'onlink')
    await waitFor('a report of it', () => reconciler.nextPassInMs() !== undefined)
    await settle()
    expect(show()).toEqual([expect.objectContaining(ours)])
  })
})

describe('drift', () => {
  it('of 1 000 peers flushed at once is healed within 2 s', async () => {
    await start()
    peers(1_000).forEach((_, n) => {
      reconciler.setPeer(String(n), entries(n))
    })
    await settle()
    tool('ip', 'route', 'flush', 'dev', device(), 'proto', '70')
    tool('ip', 'neigh', 'flush', 'dev', device(), 'nud', 'permanent')
    const flushedMs = performance.now()
    await waitFor('drift that is noticed', () => reconciler.pending > 0)
    await settle()
    const tookMs = performance.now() - flushedMs
    expect([neighbours().length, fdb().length, routes().length]).toEqual([1_000, 1_000, 1_000])
    expect(tookMs).toBeLessThan(HEALED_WITHIN_MS)
  })

  it('behind an overrun (ENOBUFS) is found by reading the tables again, which end exact', async () => {
    await start({ listenerBufferBytes: 4096 })
    for (let n = 0; n < 500; n++) reconciler.setPeer(String(n), entries(n))
    await settle()
    tool('ip', 'route', 'flush', 'dev', device(), 'proto', '70')
    tool('ip', 'neigh', 'flush', 'dev', device(), 'nud', 'permanent')
    await waitFor('exact tables', async () => {
      await settle()
      return [neighbours(), fdb(), routes()].every(({ length }) => length === 500)
    })
    expect(reported.map(({ kind }) => kind)).toContain('overrun')
  })
})

describe('rows that are not as they should be are told with the reason', () => {
  it('refused: a gateway that the kernel cannot reach, in its words', async () => {
    await start()
    const { subnet: destination, metric } = peer(1)
    const gateway = ip('203.0.113.1')
    const route = { destination, gateway, metric, protocol: '70', onlink: false } as const
    reconciler.setPeer('far', { onDevice: { ...rowsOf(1), routes: [route] }, onUnderlay: [] })
    await pass()
    const [row, ...more] = [...reconciler.pendingRows()]
    expect(row).toMatchObject({
      row: `route ${destination.text} via 203.0.113.1 proto 70 metric ${metric}`,
      peer: 'far',
      why: { is: 'refused', error: { code: 'ENETUNREACH' }, times: 1 },
    })
    expect(row?.why.is === 'refused' ? row.why.error.message : '').toContain('gateway')
    expect(more).toEqual([])
  })

  it('flapping: a neighbour that somebody deletes again and again', async () => {
    await start()
    reconciler.setPeer('peer', entries(1))
    await settle()
    const { subnet, mac: address } = peer(1)
    const neighbour = (): PendingRow | undefined => [...reconciler.pendingRows()][0]
    await waitFor('a row that flaps', async () => {
      if (neighbour()?.why.is === 'flapping') return true
      if (reconciler.pending > 0) await settle()
      tool('ip', 'neigh', 'delete', subnet.base.text, 'dev', device())
      await harness.kernel.catchUp()
      return false
    })
    expect(neighbour()).toMatchObject({
      row: `neighbour ${subnet.base.text} lladdr ${address} nud permanent`,
      peer: 'peer',
      why: { is: 'flapping' },
    })
    expect(neighbour()?.untilMs).toBeGreaterThan(performance.now())
  })
})
