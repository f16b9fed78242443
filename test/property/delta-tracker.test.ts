import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { Cells } from '../../src/reconcile/tracker/cells.ts'
import { DeltaTracker } from '../../src/reconcile/tracker/delta-tracker.ts'
import {
  FdbCells,
  NeighbourCells,
  RouteCells,
  type FdbKey,
  type NeighbourKey,
  type RouteKey,
} from '../../src/reconcile/tracker/row-cells.ts'
import type { FdbEntry, NeighbourEntry, RouteEntry } from '../../src/reconcile/tracker/rows.ts'
import { fuzzRuns } from './fuzz-runs.ts'

interface Expected<V> {
  desired: V | undefined
  owner: string | undefined
  actual: V | undefined
}

/** The same, with everything compared at every step. */
class Naive<V> {
  readonly rows = new Map<string, Expected<V>>()
  /** In the order in which they came to differ. */
  order: readonly string[] = []
  readonly #textOf: (row: V) => string

  constructor(textOf: (row: V) => string) {
    this.#textOf = textOf
  }

  change(key: string, change: Partial<Expected<V>>): void {
    this.rows.set(key, { desired: undefined, owner: undefined, actual: undefined, ...this.rows.get(key), ...change })
    const differ = [...this.rows].filter(([, row]) => this.#differs(row)).map(([other]) => other)
    this.order = [
      ...this.order.filter((other) => differ.includes(other)),
      ...differ.filter((other) => !this.order.includes(other)),
    ]
  }

  #differs({ desired, actual }: Expected<V>): boolean {
    return (desired && this.#textOf(desired)) !== (actual && this.#textOf(actual))
  }

  isSettled(key: string): boolean {
    return this.rows.get(key)?.desired !== undefined && !this.order.includes(key)
  }
}

/** What is done, to which of a few keys, with which of two values. */
const STEPS = fc.array(
  fc.record({
    does: fc.constantFrom('want', 'unwant', 'there', 'gone', 'dump', 'hold', 'let go'),
    key: fc.nat(4),
    variant: fc.nat(1),
    among: fc.array(fc.record({ key: fc.nat(4), variant: fc.nat(1) }), { maxLength: 6 }),
  }),
  { maxLength: 60, size: 'max' },
)
type Step = typeof STEPS extends fc.Arbitrary<readonly (infer S)[]> ? S : never

/** A table of a tracker's rows: how one is made of numbers, and told. */
interface Kind<V extends K, K> {
  readonly cells: () => Cells<K, V>
  readonly row: (key: number, variant: number) => V
  readonly keyOf: (key: K) => string
  readonly textOf: (row: V) => string
}

class Play<V extends K, K> {
  readonly #kind: Kind<V, K>
  readonly #tracker: DeltaTracker<K, V>
  readonly #naive: Naive<V>

  constructor(kind: Kind<V, K>) {
    this.#kind = kind
    this.#tracker = new DeltaTracker(kind.cells())
    this.#naive = new Naive(kind.textOf)
  }

  do({ does, key, variant, among }: Step): void {
    const row = this.#kind.row(key, variant)
    const text = this.#kind.keyOf(row)
    if (does === 'want') {
      this.#tracker.setDesired(row, row, `owner ${variant}`)
      this.#naive.change(text, { desired: row, owner: `owner ${variant}` })
    } else if (does === 'unwant') {
      this.#tracker.deleteDesired(row)
      this.#naive.change(text, { desired: undefined, owner: undefined })
    } else if (does === 'there') {
      this.#tracker.setActual(row, row)
      this.#naive.change(text, { actual: row })
    } else if (does === 'gone') {
      this.#tracker.deleteActual(row)
      this.#naive.change(text, { actual: undefined })
    } else if (does === 'dump') this.#dump(among.map((each) => this.#kind.row(each.key, each.variant)))
    else if (does === 'hold') this.#tracker.hold()
    else this.#tracker.letGo()
    this.#compare()
  }

  #dump(dump: readonly V[]): void {
    const { keyOf } = this.#kind
    const settled = [...this.#naive.rows.keys()].filter((key) => this.#naive.isSettled(key))
    const broken = this.#tracker.replaceActual(dump.map((row) => [row, row] as const)).map(keyOf)
    const shown = new Map<string, V>()
    for (const row of dump) if (!shown.has(keyOf(row))) shown.set(keyOf(row), row)
    for (const [key, row] of shown) this.#naive.change(key, { actual: row })
    for (const key of this.#naive.rows.keys()) if (!shown.has(key)) this.#naive.change(key, { actual: undefined })
    expect(broken.toSorted()).toEqual(settled.filter((key) => !this.#naive.isSettled(key)).toSorted())
  }

  #compare(): void {
    const told = (row: V | undefined): string => (row === undefined ? 'nothing' : this.#kind.textOf(row))
    const { rows, order } = this.#naive
    const differing = [...this.#tracker.pending()]
    expect(new Set(differing.map(({ key }) => this.#kind.keyOf(key)))).toEqual(new Set(order))
    expect(this.#tracker.pendingSize).toBe(order.length)
    expect(this.#tracker.desiredSize).toBe([...rows.values()].filter(({ desired }) => desired !== undefined).length)
    for (let at = 0; at <= 4; at++) {
      const row = this.#kind.row(at, 0)
      const { desired, owner, actual } = rows.get(this.#kind.keyOf(row)) ?? {
        desired: undefined,
        owner: undefined,
        actual: undefined,
      }
      expect(told(this.#tracker.desired(row))).toBe(told(desired))
      expect(told(this.#tracker.actual(row))).toBe(told(actual))
      expect(this.#tracker.owner(row)).toBe(owner)
      expect(this.#tracker.isDesired(row)).toBe(desired !== undefined)
      expect(this.#tracker.isActual(row)).toBe(actual !== undefined)
    }
    expect([...this.#tracker.actuals()].map(told).toSorted()).toEqual(
      [...rows.values()].flatMap(({ actual }) => (actual === undefined ? [] : [told(actual)])).toSorted(),
    )
  }
}

const NEIGHBOURS: Kind<NeighbourEntry, NeighbourKey> = {
  cells: () => new NeighbourCells(),
  row: (key, variant) => ({
    ip: ip(key < 3 ? `10.0.${key}.0` : `fd00::${key}`),
    mac: mac(`02:00:00:00:00:0${variant}`),
  }),
  keyOf: (row) => row.ip.text,
  textOf: (row) => `${row.ip.text} ${row.mac}`,
}

const FDB: Kind<FdbEntry, FdbKey> = {
  cells: () => new FdbCells(),
  row: (key, variant) => ({
    mac: mac(`02:00:00:00:00:0${key}`),
    remote: ip(key === variant ? 'fd00::7' : '192.168.0.1'),
    ...(key === 3 && variant === 1 && { astray: true }),
  }),
  keyOf: (row) => row.mac,
  textOf: ({ mac: address, remote, astray }) => `${address} ${remote.text} ${astray === undefined ? '' : 'astray'}`,
}

const ROUTES: Kind<RouteEntry, RouteKey> = {
  cells: () => new RouteCells(),
  row: (key, variant) => ({
    destination: prefix(key === 4 ? 'fd00::/64' : `10.${key >> 1}.0.0/16`),
    gateway: key === 2 ? undefined : ip('10.0.0.1'),
    metric: key === 3 ? 0xffff_ffff : key,
    protocol: key === 1 ? 'boot' : '70',
    onlink: variant === 0,
    ...(key > 2 && variant === 1 && { alterations: ['src'] as const }),
  }),
  keyOf: ({ destination, gateway, metric, protocol }) =>
    `${destination.text} ${gateway?.text ?? '-'} ${metric} ${protocol}`,
  textOf: (row) => `${ROUTES.keyOf(row)} ${row.onlink} ${row.alterations?.join(' ') ?? '-'}`,
}

const play = <V extends K, K>(kind: Kind<V, K>): void => {
  fc.assert(
    fc.property(STEPS, (steps) => {
      const game = new Play(kind)
      for (const step of steps) game.do(step)
    }),
    { numRuns: fuzzRuns(300) },
  )
}

describe('rows in columns, whatever is wanted, seen and dumped, are what they would be as objects', () => {
  it('neighbours', () => {
    play(NEIGHBOURS)
  })

  it('fdb entries', () => {
    play(FDB)
  })

  it('routes', () => {
    play(ROUTES)
  })
})
