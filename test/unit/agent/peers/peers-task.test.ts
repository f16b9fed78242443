import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PeersTask } from '../../../../src/agent/peers/peers-task.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import type { EntriesByFamily } from '../../../../src/backend/judge.ts'
import type { PeerRecord } from '../../../../src/lease/lease.ts'
import { rejectedFor } from '../../../../src/lease/rejection.ts'
import { PeerTable } from '../../../../src/lease/peers/peer-table.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'
import { judgeThat } from '../../../fake/judges.ts'

const GRACE_MS = 60_000
const LINGER_MS = 500
const NO_ENTRIES: EntriesByFamily = new Map()

let clock: FakeClock
let stop: AbortController
let log: RecordingLog
let task: PeersTask
/** What a device was told, in order: `+a`, `-a`, `prune`. */
let told: string[]
let there: Set<string>
let running: Promise<void>
/** So many leases are said to be rejected. */
let rejected: number

beforeEach(async () => {
  clock = new FakeClock()
  stop = new AbortController()
  log = recordingLog()
  told = []
  there = new Set()
  const sink = {
    setPeer: (key: string, entries: EntriesByFamily | undefined): void => {
      told.push(`${entries === undefined ? '-' : '+'}${key}`)
      if (entries === undefined) there.delete(key)
      else there.add(key)
    },
    allowPruning: (): void => void told.push('prune'),
    wake: (): void => undefined,
  }
  const peers = new PeerTable(
    judgeThat<EntriesByFamily>(({ key }) =>
      key.startsWith('bad')
        ? rejectedFor('malformed', 'it is bad')
        : { accepted: NO_ENTRIES, claims: { names: [key], subnets: [], addresses: [] }, isSigned: false },
    ),
  )
  task = new PeersTask({
    ports: {
      clock,
      log,
      subnets: { saidAt: () => Promise.resolve('forgotten') },
      status: { rejected: (leases) => void (rejected = leases) },
    },
    peers,
    sinks: [sink],
    stalePeerGraceMs: GRACE_MS,
  })
  void task.begin(['a', 'b', 'c', 'd'].map(peer))
  running = runTask(task, runtime(clock, stop.signal))
  await clock.settle()
})

afterEach(async () => {
  stop.abort()
  await running
})

/** As a manager without revisions would have it: all leases are of one age. */
const peer = (key: string): PeerRecord => ({ key, value: key, createRevision: 0n, modRevision: 0n })

const listed = (keys: string, whatElse: { wasReset?: boolean; isOwnMissing?: boolean } = {}): void => {
  void task.onList({ records: keys.split(' ').map(peer), wasReset: false, isOwnMissing: false, ...whatElse })
}

const deleted = (keys: string, isOwnGone = false): void => {
  task.onChanges({ deltas: keys.split(' ').map((key) => ({ kind: 'deleted', key })), isOwnGone })
}

describe('peers, whoever tells of them', () => {
  it('are all set before anything may be pruned for the first time', () => {
    expect(told.toSorted()).toEqual(['+a', '+b', '+c', '+d', 'prune'])
    expect(told.filter((what) => what === 'prune')).toHaveLength(1)
  })

  it('that are rejected are counted, as long as they are', () => {
    expect(rejected).toBe(0)
    listed('a b c d bad1 bad2')
    expect(rejected).toBe(2)
    task.onChanges({ deltas: [{ kind: 'deleted', key: 'bad1' }], isOwnGone: false })
    expect(rejected).toBe(1)
  })

  it('that many join at once are one line in the log, and those that follow are counted within moments', async () => {
    const lines = (): readonly string[] => log.lines.filter((line) => / peers joined/.test(line))
    const many = (from: number): string => Array.from({ length: 10 }, (_, at) => `p${from + at}`).join(' ')
    listed(`a b c d ${many(0)}`)
    listed(`a b c d ${many(0)} ${many(10)}`)
    expect(lines()).toEqual(['info peers joined, left or moved joined=10 peers=14'])
    await clock.advance(10_000)
    expect(lines().slice(1)).toEqual(['info peers joined, left or moved joined=10 peers=24'])
  })

  it('that are deleted are kept for a moment, and stay when they come back in it', async () => {
    deleted('a b')
    task.onChanges({ deltas: [{ kind: 'put', record: peer('a') }], isOwnGone: false })
    await clock.advance(LINGER_MS)
    expect([...there].toSorted()).toEqual(['a', 'c', 'd'])
    expect(told).not.toContain('-a')
  })

  it.each([
    [
      'most of them in one change',
      () => {
        deleted('a b c')
      },
    ],
    [
      'half of them, and we with them',
      () => {
        deleted('a b', true)
      },
    ],
    [
      'most of them between two lists',
      () => {
        listed('d')
      },
    ],
    [
      'half of them between two lists, and we with them',
      () => {
        listed('c d', { isOwnMissing: true })
      },
    ],
    [
      'one of them, in another store',
      () => {
        listed('b c d', { wasReset: true })
      },
    ],
  ])('that vanish at once, %s, are kept until their grace is over', async (_, vanish) => {
    vanish()
    expect([...task.kept.values()].every((untilMs) => untilMs === clock.monotonicMs() + GRACE_MS)).toBe(true)
    expect(task.kept.size).toBeGreaterThan(0)
    await clock.advance(GRACE_MS - 1)
    expect(there.size).toBe(4)
    await clock.advance(1)
    expect(task.kept.size).toBe(0)
    expect(there.size).toBeLessThan(4)
    expect(log.lines.filter((line) => /^(error|warn)/.test(line))).toMatchObject([
      expect.stringContaining('error the store has lost leases of peers; their entries are kept for a while'),
      expect.stringContaining('warn peers did not publish themselves again; giving them up'),
    ])
  })

  it('that come back in their grace stay', async () => {
    deleted('a b c d')
    expect([...task.kept.keys()].toSorted()).toEqual(['a', 'b', 'c', 'd'])
    listed('a b c d')
    expect(task.kept.size).toBe(0)
    await clock.advance(GRACE_MS)
    expect(there.size).toBe(4)
    expect(told.filter((what) => what.startsWith('-'))).toEqual([])
  })

  it('of which few are missing in a list go at once', () => {
    listed('b c d')
    expect([...there].toSorted()).toEqual(['b', 'c', 'd'])
  })
})
