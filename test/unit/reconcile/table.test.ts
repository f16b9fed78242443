import { describe, expect, it } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { FdbEntry, NeighbourEntry, RouteEntry } from '../../../src/reconcile/entries.ts'
import { KernelError } from '../../../src/kernel/kernel.ts'
import { planRows } from '../../../src/reconcile/plan.ts'
import { atOnce } from '../../../src/time/slices.ts'
import type { NeighbourKey } from '../../../src/reconcile/tracker/row-cells.ts'
import { Table } from '../../../src/reconcile/table.ts'
import { fdbRules, neighbourRules, routeRules } from '../../../src/reconcile/table-rules.ts'

const LINK = 5
const REFUSAL = new KernelError({ op: 'neighbour.replace', errno: 22, code: 'EINVAL', target: '', message: 'no' })
const middle = (): number => 0.5
const neighbour = (host: number, last = host): NeighbourEntry => ({
  ip: ip(`10.0.${host}.0`),
  mac: mac(`02:00:00:00:00:0${last}`),
})
const key = (host: number): string => `10.0.${host}.0`

type Neighbours = Table<NeighbourEntry, NeighbourKey>

const tableWith = (...hosts: readonly number[]): Neighbours => {
  const table = new Table(neighbourRules, middle)
  for (const host of hosts) table.want(`peer-${host}`, neighbour(host))
  return table
}

/** What would be sent now. */
const plan = (table: Neighbours, nowMs = 0, prune = true): readonly string[] =>
  [...table.plan(LINK, nowMs, prune)].map((row) => `${row.erases ? 'erase' : 'write'} ${row.key}`)

/** Sends all there is to send, as if the kernel took it. */
function settleAll(table: Neighbours): void {
  table.beginWrite()
  const rows = [...table.plan(LINK, 0, true)]
  table.endWrite()
  for (const row of rows) row.settle()
}

describe('Table', () => {
  it('plans what is wanted until it is there', () => {
    const table = tableWith(1, 2)
    expect(plan(table)).toEqual(['write 10.0.1.0', 'write 10.0.2.0'])
    settleAll(table)
    expect(plan(table)).toEqual([])
    expect(table.pendingSize).toBe(0)
  })

  it('erases what nobody wants, but only when it may', () => {
    const table = tableWith(1)
    atOnce(table.replacingActual([neighbour(1), neighbour(9)], 0))
    expect(plan(table, 0, false)).toEqual([])
    expect(table.nextAttemptMs(0, false)).toBeUndefined()
    expect(plan(table, 0, true)).toEqual(['erase 10.0.9.0'])
  })

  it('lets a row pass from peer to peer without erasing it', () => {
    const table = tableWith(1)
    settleAll(table)
    table.want('other', neighbour(1))
    table.unwant('peer-1', neighbour(1))
    expect(plan(table)).toEqual([])
    table.unwant('other', neighbour(1))
    expect(plan(table)).toEqual(['erase 10.0.1.0'])
  })

  it('believes what the kernel reported during a write more than the acknowledgement of the write', () => {
    const table = tableWith(1)
    table.beginWrite()
    const rows = [...table.plan(LINK, 0, true)]
    table.observe(neighbour(1), undefined, 0)
    table.endWrite()
    for (const row of rows) row.settle()
    expect(plan(table)).toEqual(['write 10.0.1.0'])
  })

  it('forgets with the next write what was reported during the last', () => {
    const table = tableWith(1)
    table.beginWrite()
    table.observe(neighbour(1), undefined, 0)
    table.endWrite()
    settleAll(table)
    expect(plan(table)).toEqual([])
  })

  it('tells drift from its own progress', () => {
    const table = tableWith(1)
    expect(table.observe(neighbour(1), neighbour(1, 2), 0)).toBe('quiet')
    expect(table.observe(neighbour(1), neighbour(1), 0)).toBe('quiet')
    expect(table.observe(neighbour(1), neighbour(1, 3), 0)).toBe('undone')
    expect(table.observe(neighbour(1), undefined, 0)).toBe('quiet')
  })

  it('slows down where it is being undone again and again', () => {
    const table = tableWith(1)
    settleAll(table)
    const findings = Array.from({ length: 5 }, (_, at) => {
      const finding = table.observe(neighbour(1), undefined, 1_000 * at)
      settleAll(table)
      table.observe(neighbour(1), neighbour(1), 1_000 * at)
      return finding
    })
    expect(findings).toEqual(['undone', 'undone', 'undone', 'flapping', 'flapping'])
    table.observe(neighbour(1), undefined, 5_000)
    expect(plan(table, 5_000)).toEqual([])
    expect(table.nextAttemptMs(5_000, true)).toBe(9_000)
    expect(plan(table, 9_000)).toEqual(['write 10.0.1.0'])
  })

  it('takes what is undone in rounds, as a flush does it, for one deed', () => {
    const table = tableWith(1)
    settleAll(table)
    const undo = (nowMs: number): string => {
      const finding = table.observe(neighbour(1), undefined, nowMs)
      settleAll(table)
      table.observe(neighbour(1), neighbour(1), nowMs)
      return finding
    }
    expect(Array.from({ length: 10 }, (_, round) => undo(1_000 + 20 * round))).toEqual(Array(10).fill('undone'))
    expect(undo(2_000)).toBe('undone')
    expect(undo(3_000)).toBe('undone')
    expect(undo(4_000)).toBe('flapping')
  })

  it('finds drift in a dump, and no drift in the first one', () => {
    const table = tableWith(1, 2)
    expect(atOnce(table.replacingActual([neighbour(1)], 0))).toEqual([])
    settleAll(table)
    expect(atOnce(table.replacingActual([neighbour(2)], 0))).toEqual([{ key: key(1), finding: 'undone' }])
    expect(atOnce(table.replacingActual([neighbour(2), neighbour(9)], 0))).toEqual([])
  })

  it('holds back a refused row alone, and says until when', () => {
    const table = tableWith(1, 2)
    const [row] = [...table.plan(LINK, 0, true)]
    expect(row?.refuse(REFUSAL, 0)).toBe(1)
    expect(plan(table, 999)).toEqual(['write 10.0.2.0'])
    settleAll(table)
    expect(table.nextAttemptMs(999, true)).toBe(1_000)
    expect(plan(table, 1_000)).toEqual(['write 10.0.1.0'])
  })

  it('names what the kernel refuses, and for whom, until it is there or wanted no more', () => {
    const table = tableWith(1, 2)
    for (const row of [...table.plan(LINK, 0, true)]) row.refuse(REFUSAL, 0)
    expect([...table.pendingRows()]).toMatchObject([
      { peer: 'peer-1', why: { is: 'refused', error: REFUSAL, times: 1 } },
      { peer: 'peer-2', why: { is: 'refused', error: REFUSAL, times: 1 } },
    ])
    table.observe(neighbour(1), neighbour(1), 1) // somebody else has made it
    table.unwant('peer-2', neighbour(2))
    expect([...table.pendingRows()]).toEqual([])
  })

  it('writes a new value at once, however long the kernel refused the former one', () => {
    const table = tableWith(1)
    for (const row of [...table.plan(LINK, 0, true)]) for (let times = 0; times < 6; times++) row.refuse(REFUSAL, 0)
    table.want('peer-1', neighbour(1))
    expect(plan(table, 1)).toEqual([])
    table.want('peer-1', neighbour(1, 2))
    expect(plan(table, 1)).toEqual(['write 10.0.1.0'])
  })

  it('writes a new value at once, however often the former one was undone', () => {
    const table = tableWith(1)
    settleAll(table)
    for (let times = 0; times < 4; times++) {
      table.observe(neighbour(1), undefined, 1_000 * times)
      table.observe(neighbour(1), neighbour(1), 1_000 * times)
    }
    table.observe(neighbour(1), undefined, 4_000)
    expect(plan(table, 4_000)).toEqual([])
    table.change('peer-1', [neighbour(1)], [neighbour(1, 2)])
    expect(plan(table, 4_000)).toEqual(['write 10.0.1.0'])
  })

  it('takes a report of what it is writing for its own echo, and any other for drift', () => {
    const table = tableWith(1)
    settleAll(table)
    table.unwant('peer-1', neighbour(1))
    table.beginWrite()
    for (const row of table.plan(LINK, 0, true)) row.begin()
    table.want('peer-1', neighbour(1))
    expect(table.observe(neighbour(1), undefined, 0)).toBe('quiet')
    expect(table.observe(neighbour(1), neighbour(1), 0)).toBe('quiet')
    expect(table.observe(neighbour(1), neighbour(1, 2), 0)).toBe('undone')
    table.endWrite()
    table.observe(neighbour(1), neighbour(1), 0)
    expect(table.observe(neighbour(1), undefined, 0)).toBe('undone')
  })

  it('blames nobody for rows that go with the device', () => {
    const table = tableWith(1, 2)
    settleAll(table)
    expect(table.observe(neighbour(1), undefined, 0, true)).toBe('quiet')
    expect(atOnce(table.replacingActual([], 0, true))).toEqual([])
    expect(plan(table)).toEqual(['write 10.0.1.0', 'write 10.0.2.0'])
  })

  it('writes everything again when the device is a new one', () => {
    const table = tableWith(1, 2)
    settleAll(table)
    table.forgetActual()
    expect(plan(table)).toEqual(['write 10.0.1.0', 'write 10.0.2.0'])
  })

  it('describes a row for people', () => {
    const [row] = [...tableWith(1).plan(LINK, 0, true)]
    expect(row?.describe()).toBe('neighbour 10.0.1.0 lladdr 02:00:00:00:00:01')
  })
})

describe('planRows', () => {
  const tables = () => ({
    neighbours: new Table(neighbourRules, middle),
    fdb: new Table(fdbRules, middle),
    routes: new Table(routeRules, middle),
  })
  const rowsOf = (host: number) => {
    const destination = prefix(`10.0.${host}.0/24`)
    const entry: FdbEntry = { mac: mac(`02:00:00:00:00:0${host}`), remote: ip(`192.168.0.${host}`) }
    const route: RouteEntry = { destination, gateway: destination.base, metric: host, protocol: '70', onlink: true }
    return { neighbour: neighbour(host), fdb: entry, route }
  }
  const order = (all: ReturnType<typeof tables>): readonly string[] =>
    atOnce(planRows([{ linkIndex: LINK, tables: [all.neighbours, all.fdb, all.routes], prune: true }], 0)).map(
      ({ op }) => op.op,
    )

  it('writes peer by peer, the route last, and erases after all writing, the route first', () => {
    const all = tables()
    for (const host of [1, 2]) {
      const rows = rowsOf(host)
      all.routes.want(`peer-${host}`, rows.route)
      all.fdb.want(`peer-${host}`, rows.fdb)
      all.neighbours.want(`peer-${host}`, rows.neighbour)
    }
    const leftover = rowsOf(9)
    atOnce(all.neighbours.replacingActual([leftover.neighbour], 0))
    atOnce(all.fdb.replacingActual([leftover.fdb], 0))
    atOnce(all.routes.replacingActual([leftover.route], 0))
    const peer = ['neighbour.replace', 'fdb.replace', 'route.replace']
    expect(order(all)).toEqual([...peer, ...peer, 'route.delete', 'fdb.delete', 'neighbour.delete'])
  })

  it("replaces a peer's MAC without taking the old entry away first", () => {
    const all = tables()
    const before = rowsOf(1)
    const after = { ...rowsOf(1), neighbour: neighbour(1, 2), fdb: rowsOf(2).fdb }
    all.neighbours.want('peer', after.neighbour)
    all.fdb.want('peer', after.fdb)
    all.routes.want('peer', after.route)
    atOnce(all.neighbours.replacingActual([before.neighbour], 0))
    atOnce(all.fdb.replacingActual([before.fdb], 0))
    atOnce(all.routes.replacingActual([before.route], 0))
    expect(order(all)).toEqual(['neighbour.replace', 'fdb.replace', 'fdb.delete'])
  })
})
