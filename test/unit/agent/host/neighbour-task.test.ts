import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NeighbourTask, type NeighbourTaskInput } from '../../../../src/agent/host/neighbour-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import type { NeighbourTable } from '../../../../src/kernel/neighbour-table.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

const FULL = 'neighbour table of IPv4'

let clock: FakeClock
let log: ReturnType<typeof recordingLog>
let conditions: Conditions
let counts: AgentCounts
let tables: readonly NeighbourTable[]
let reads: number
let stop: AbortController
let running: Promise<void>

const table = (family: 4 | 6, overflows: number): NeighbourTable => ({
  ...{ family, overflows, most: 1_024, countsPermanent: false },
})

function begin(): void {
  const input: NeighbourTaskInput = {
    ...{ clock, conditions, counts, status: { session: undefined } },
    readNeighbourTables: () => {
      reads++
      return Promise.resolve(tables)
    },
  }
  running = runTask(new NeighbourTask(input), runtime(clock, stop.signal))
}

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  conditions = new Conditions({ clock, log })
  counts = new AgentCounts()
  tables = [table(4, 5_000), table(6, 0)]
  reads = 0
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await running
})

const failing = (): readonly string[] => conditions.all().map(({ what, effect }) => `${effect} ${what}`)
const overflows = async (overflows4: number, ms = 30_000): Promise<readonly string[]> => {
  tables = [table(4, overflows4), table(6, 0)]
  await clock.advance(ms)
  return failing()
}

describe('a full table of neighbours', () => {
  it('is named when it was full again since the last look, and not for what was before', async () => {
    begin()
    expect(await overflows(5_000)).toEqual([])
    expect(await overflows(5_037)).toEqual([`degraded ${FULL}`])
    const [condition] = conditions.all()
    expect(condition?.reason).toMatch(
      /^was full 37 times within 30 s: packets .* are lost, be it a peer, a gateway or etcd/,
    )
    expect(condition?.reason).toContain('1024 entries (net.ipv4.neigh.default.gc_thresh3)')
    expect(condition?.reason).toMatch(
      /Cure: sysctl -w net\.ipv4\.neigh\.default\.gc_thresh3=4096 .* on the host itself/,
    )
  })

  it('is well again when it has not been for five minutes, and said once however long it lasts', async () => {
    begin()
    await clock.advance(0)
    for (let at = 1; at <= 10; at++) expect(await overflows(5_000 + at)).toEqual([`degraded ${FULL}`])
    expect(await overflows(5_010, 270_000)).toEqual([`degraded ${FULL}`])
    expect(await overflows(5_010, 90_000)).toEqual([])
    const said = log.lines.filter((line) => line.includes(FULL))
    expect(said.length).toBeLessThanOrEqual(7) // once a minute while it lasts
    expect(said.at(-1)).toContain(`${FULL}: works now`)
  })

  it('is looked at at once when something else fails, and is told before it', async () => {
    begin()
    await clock.advance(0)
    tables = [table(4, 5_001), table(6, 0)]
    conditions.fails('etcd', 'is out of reach', 'degraded')
    await clock.advance(1_500)
    expect(failing()).toEqual([`degraded ${FULL}`, 'degraded etcd'])
  })

  it('is not looked at more often for what it says itself', async () => {
    begin()
    await overflows(6_000)
    const before = reads
    await overflows(7_000)
    await overflows(8_000)
    expect(reads - before).toBe(2)
  })

  it('stands when the session ends, as the fault may be what has ended it', async () => {
    begin()
    await overflows(6_000)
    conditions.sessionEnded()
    expect(failing()).toEqual([`degraded ${FULL}`])
  })

  it('is counted by family from the start of the agent on', async () => {
    begin()
    expect(await overflows(5_000)).toEqual([])
    expect([...counts.neighbourOverflows]).toEqual([
      [4, 0],
      [6, 0],
    ])
    await overflows(5_010)
    tables = [table(4, 5_010), table(6, 2)]
    await clock.advance(30_000)
    expect([...counts.neighbourOverflows]).toEqual([
      [4, 10],
      [6, 2],
    ])
    expect(failing()).toEqual([`degraded ${FULL}`, 'degraded neighbour table of IPv6'])
  })

  it('is nobody’s business where the kernel does not tell', async () => {
    tables = []
    begin()
    await clock.advance(90_000)
    expect(failing()).toEqual([])
    expect(counts.neighbourOverflows.size).toBe(0)
    expect(await overflows(70_000)).toEqual([]) // how often it was before is not known
  })
})
