import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { PeerFilterTask } from '../../../../src/agent/peer-filter/peer-filter-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { ip } from '../../../../src/net/ip.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { FakePeerFilter } from '../../../fake/fake-peer-filter.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const OVERLAY = { vni: 100, port: 8472 }
const RESYNC_MS = 5_000
const A = ip('192.0.2.1')
const B = ip('192.0.2.2')
const C = ip('192.0.2.3')

describe('the peer filter task', () => {
  let clock: FakeClock
  let filter: FakePeerFilter
  let log: RecordingLog
  let inUse: Set<string> | undefined
  let conditions: Conditions
  let stop: AbortController
  let running: Promise<void>
  let task: PeerFilterTask

  beforeEach(() => {
    clock = new FakeClock()
    filter = new FakePeerFilter()
    log = recordingLog()
    inUse = new Set()
    stop = new AbortController()
    running = Promise.resolve()
    conditions = new Conditions({ clock, log })
    const ports = { filter, clock, log, conditions, counts: new AgentCounts(), random: () => 0.5 }
    task = new PeerFilterTask({ ...ports, overlay: OVERLAY, resyncMs: RESYNC_MS, inUse: () => inUse })
    task.setPeer('a', [A])
    task.setPeer('b', [B])
  })

  const start = async (): Promise<void> => {
    running = runTask(task, runtime(clock, stop.signal))
    await clock.settle()
  }
  const advance = async (ms: number): Promise<void> => {
    await clock.advance(ms)
    await clock.settle()
  }
  const problem = (): string | undefined => conditions.all()[0]?.reason
  const said = (pattern: RegExp): readonly string[] => log.lines.filter((line) => pattern.test(line))
  const stands = async (): Promise<boolean> => {
    let stood = false
    void task.stands(stop.signal).then(() => (stood = true))
    await clock.settle()
    return stood
  }

  afterEach(async () => {
    stop.abort()
    await running
    expect(clock.sleeping).toBe(0)
  })

  it('makes the filter with all peers in one transaction, and says that it stands', async () => {
    expect(await stands()).toBe(false)
    await start()
    expect(filter.writes).toEqual(['install 192.0.2.1,192.0.2.2'])
    expect(await stands()).toBe(true)
  })

  it('writes nothing over a filter of an earlier run that is right', async () => {
    await filter.install(OVERLAY, [A, B])
    filter.writes = []
    await start()
    await advance(10 * RESYNC_MS)
    expect(filter.writes).toEqual([])
    expect(await stands()).toBe(true)
  })

  it('looks at once when somebody may be kept out, and not before its time when nobody is', async () => {
    await start()
    await advance(RESYNC_MS)
    const { reads } = filter
    task.release()
    await clock.settle()
    expect(filter.reads).toBe(reads)
    task.setPeer('b', undefined)
    task.release()
    await clock.settle()
    expect(filter.reads).toBe(reads + 1)
    expect(filter.writes.at(-1)).toBe('+ -192.0.2.2')
  })

  it('keeps those of an earlier run until the tables are known and hold them no longer', async () => {
    await filter.install(OVERLAY, [A, C])
    filter.writes = []
    inUse = undefined
    await start()
    expect(filter.writes).toEqual(['+192.0.2.2 -'])
    inUse = new Set([C.text])
    task.release()
    await clock.settle()
    expect(filter.peers).toContain(C.text)
    inUse = new Set()
    task.release()
    await clock.settle()
    expect(filter.peers).toEqual(new Set([A.text, B.text]))
  })

  it('makes a filter for another network anew', async () => {
    await filter.install({ ...OVERLAY, port: 4789 }, [A, B])
    await start()
    expect(filter.overlay).toEqual(OVERLAY)
  })

  it('lets a new peer in before admit resolves, and only what is new', async () => {
    await start()
    task.setPeer('c', [C])
    await task.admit(stop.signal)
    expect(filter.peers).toContain(C.text)
    expect(filter.writes.at(-1)).toBe('+192.0.2.3 -')
    const writes = filter.writes.length
    await task.admit(stop.signal)
    expect(filter.writes).toHaveLength(writes)
  })

  it('keeps a peer that has gone until nothing is sent to it any more', async () => {
    await start()
    task.setPeer('b', undefined)
    inUse = new Set([A.text, B.text])
    task.release()
    await clock.settle()
    expect(filter.peers).toContain(B.text)
    inUse = new Set([A.text])
    task.release()
    await clock.settle()
    expect(filter.peers).toEqual(new Set([A.text]))
  })

  it.each([
    ['the table', () => (filter.peers = undefined)],
    ['an address', () => filter.peers?.delete(A.text)],
  ])('restores %s that somebody removed, and says so once', async (_, undo) => {
    await start()
    undo()
    await advance(61_000)
    expect(filter.peers).toEqual(new Set([A.text, B.text]))
    expect(said(/restoring it/)).toHaveLength(1)
  })

  it('restores ever more slowly what somebody keeps removing', async () => {
    await start()
    for (let look = 0; look < 30; look++) {
      filter.peers = undefined
      await advance(RESYNC_MS)
    }
    const restored = filter.writes.length - 1
    expect(restored).toBeGreaterThan(4)
    expect(restored).toBeLessThan(15)
    expect(said(/ever more slowly/).length).toBeGreaterThan(0)
  })

  it.each([
    ['gone', () => (filter.peers = undefined), 'it is gone again and again'],
    ['without a peer', () => filter.peers?.delete(A.text), 'it has lost 1 address again and again'],
  ])('tells of the trouble while it knows that the filter is %s', async (_, undo, words) => {
    await start()
    for (let look = 0; problem() === undefined && look < 10; look++) {
      undo()
      await advance(61_000 - look)
    }
    for (let look = 0; problem() === undefined && look < 100; look++) {
      undo()
      await advance(RESYNC_MS)
    }
    expect(problem()).toContain(words)
    expect(filter.peers?.has(A.text) ?? false).toBe(false)
    await advance(120_000)
    expect(filter.peers).toContain(A.text)
    expect(problem()).toBeUndefined()
  })

  it('goes on when a new peer cannot be let in, tries again, and tells of the trouble', async () => {
    await start()
    filter.broken = 'REFUSED'
    task.setPeer('c', [C])
    await task.admit(stop.signal)
    await clock.settle()
    expect(problem()).toBe('nft REFUSED')
    await advance(5_000)
    expect(said(/error peer filter: nft REFUSED; forwarding goes on/)).toHaveLength(1)
    filter.broken = undefined
    await advance(60_000)
    expect(filter.peers).toContain(C.text)
    expect(problem()).toBeUndefined()
    expect(said(/works now/)).toHaveLength(1)
  })

  it('stands only when nft can be had', async () => {
    filter.broken = 'MISSING'
    await start()
    await advance(5_000)
    expect(await stands()).toBe(false)
    expect(said(/nothing is forwarded before it stands/)).toHaveLength(1)
    filter.broken = undefined
    await advance(60_000)
    expect(await stands()).toBe(true)
  })

  it('reads all addresses once a minute, not at every look', async () => {
    await start()
    await advance(120_000)
    expect(filter.fullReads).toBeLessThanOrEqual(3)
  })

  it('says that strangers send, with numbers, and not at every packet', async () => {
    await start()
    for (let look = 0; look < 24; look++) {
      filter.packets += 10
      await advance(RESYNC_MS)
    }
    const lines = said(/a host that is no peer sends to our overlay/)
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.length).toBeLessThan(6)
    expect(lines[0]).toContain('packets=10 total=10 vni=100 port=8472')
    expect(await task.readDrops(stop.signal)).toEqual({ packets: 240, forged: 0 })
  })

  it('is silent on what an earlier run has counted', async () => {
    await filter.install(OVERLAY, [A, B])
    filter.packets = 7
    await start()
    await advance(RESYNC_MS)
    expect(said(/no peer/)).toEqual([])
  })
})
