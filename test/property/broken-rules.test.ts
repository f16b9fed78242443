import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Making } from '../fake/overlay-world.ts'
import type { Clock } from '../../src/time/clock.ts'
import type { PeerEntries } from '../../src/reconcile/entries.ts'
import type { Kernel, KernelChange, KernelOp, KernelTables, OpResult } from '../../src/kernel/kernel.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { calmEvents, checkCalm, checkSequence, events } from './reconciler-events.ts'

/** A reconciler that keeps all rules but one. */
type Breaking = new (kernel: Kernel, families: readonly [4], clock: Clock, random: () => number) => Reconciler

class PrunesBeforeTheFirstList extends Reconciler {
  override attach(linkIndex: number): void {
    this.allowPruning()
    super.attach(linkIndex)
  }
}

class IgnoresOverruns extends Reconciler {
  override observe(change: KernelChange): boolean {
    return change.kind !== 'overrun' && super.observe(change)
  }
}

class IgnoresTheLink extends Reconciler {
  override observe(change: KernelChange): boolean {
    return change.kind !== 'link' && super.observe(change)
  }
}

class IgnoresDrift extends Reconciler {
  override observe(change: KernelChange): boolean {
    const isRow = change.kind === 'neighbour' || change.kind === 'fdb' || change.kind === 'route'
    return !isRow && super.observe(change)
  }
}

/** Trusts the tables as it believes them to be: they are never read again. */
class ReadsNothingAfterAttaching extends Reconciler {
  override invalidate(): void {
    // that is what is wrong
  }
}

/** A row that has passed to another peer goes with the one that had it before. */
class ForgetsWhoOwnsARow extends Reconciler {
  readonly #known = new Map<string, PeerEntries>()

  override setPeer(peer: string, entries: PeerEntries | undefined): void {
    const before = this.#known.get(peer)?.onDevice.fdb ?? []
    if (entries === undefined) this.#known.delete(peer)
    else this.#known.set(peer, entries)
    super.setPeer(peer, entries)
    const kept = new Set(entries?.onDevice.fdb.map(({ mac }) => mac))
    const gone = new Set(before.map(({ mac }) => mac).filter((mac) => !kept.has(mac)))
    for (const [other, theirs] of this.#known)
      if (theirs.onDevice.fdb.some(({ mac }) => gone.has(mac)))
        super.setPeer(other, { ...theirs, onDevice: { ...theirs.onDevice, fdb: [] } })
  }
}

const reconciler = (broken: Breaking): Partial<Making> => ({
  reconciler: (kernel, clock) => new broken(kernel, [4], clock, () => 0.5),
})

/** The kernel as a reconciler sees it that sends something other than it should, or hears something other. */
function kernel(broken: {
  readonly apply?: (kernel: Kernel, ops: readonly KernelOp[], signal: AbortSignal) => Promise<readonly OpResult[]>
  readonly changes?: (changes: AsyncIterable<KernelChange>) => AsyncIterable<KernelChange>
  readonly tables?: (tables: KernelTables) => KernelTables
}): Partial<Making> {
  const wrap = (real: Kernel): Kernel => ({
    mayWrite: (signal) => real.mayWrite(signal),
    links: (signal) => real.links(signal),
    link: (name, signal) => real.link(name, signal),
    addresses: (signal) => real.addresses(signal),
    lookup: (destination, signal) => real.lookup(destination, signal),
    answers: (questions, signal) => real.answers(questions, signal),
    rules: (family, signal) => real.rules(family, signal),
    selectiveRoutes: (family, signal) => real.selectiveRoutes(family, signal),
    routes: (...asked) => real.routes(...asked),
    snapshot: (...asked) => real.snapshot(...asked),
    rows: async (linkIndex, families, signal) => {
      const tables = await real.snapshot(linkIndex, families, signal)
      return broken.tables?.(tables) ?? tables
    },
    apply: (ops, signal) => broken.apply?.(real, ops, signal) ?? real.apply(ops, signal),
    openTun: (pattern, signal) => real.openTun(pattern, signal),
    catchUp: () => real.catchUp(),
    changes: (...asked) => broken.changes?.(real.changes(...asked)) ?? real.changes(...asked),
    close: () => {
      real.close()
    },
  })
  return { kernel: wrap }
}

const DONE: OpResult = { ok: true }

/** Carries out those operations only, and says that all were. */
const only =
  (isSent: (op: KernelOp) => boolean) =>
  async (real: Kernel, ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]> => {
    const sent = ops.filter(isSent)
    const results = await real.apply(sent, signal)
    return ops.map((op) => results[sent.indexOf(op)] ?? DONE)
  }

const VARIANTS: readonly (readonly [string, Partial<Making>])[] = [
  ['prunes before the first list', reconciler(PrunesBeforeTheFirstList)],
  ['goes on trusting its tables after an overrun', reconciler(IgnoresOverruns)],
  ['does not follow the tables', reconciler(IgnoresDrift)],
  ['never reads the tables again', reconciler(ReadsNothingAfterAttaching)],
  ['erases a row that has passed to another peer', reconciler(ForgetsWhoOwnsARow)],
  [
    'erases before it writes',
    kernel({
      apply: async (real, ops, signal) => [...(await real.apply([...ops].reverse(), signal))].reverse(),
    }),
  ],
  ['keeps the forwarding entry of a former MAC', kernel({ apply: only(({ op }) => op !== 'fdb.delete') })],
  [
    'takes every route on the device for its own',
    kernel({
      tables: (tables) => ({ ...tables, routes: tables.routes.map((route) => ({ ...route, protocol: '70' })) }),
      apply: (real, ops, signal) =>
        real.apply(
          ops.map((op) => (op.op === 'route.delete' ? { ...op, protocol: 'unspec' } : op)),
          signal,
        ),
    }),
  ],
  [
    'takes a refusal for an answer',
    kernel({
      apply: async (real, ops, signal) => (await real.apply(ops, signal)).map(() => DONE),
    }),
  ],
]

/** Sequences until a fault is found; each variant here is found within a fraction of them. */
const MOST_RUNS = 3_000

test.each(VARIANTS)('is caught when it %s', async (_, making) => {
  const result = await fc.check(
    fc.asyncProperty(fc.boolean(), fc.array(events, { maxLength: 40, size: 'max' }), (echo, sequence) =>
      checkSequence(echo, sequence, making),
    ),
    { numRuns: MOST_RUNS, endOnFailure: true, seed: 7 },
  )
  expect(result.failed).toBe(true)
})

/** Hands on what the kernel reports, but later than the kernel's answer to what caused it. */
async function* belated(changes: AsyncIterable<KernelChange>): AsyncGenerator<KernelChange, void, undefined> {
  for await (const change of changes) {
    for (let turn = 0; turn < 60; turn++) await Promise.resolve()
    yield change
  }
}

test.each<[string, Partial<Making>]>([
  ['others for what a device took with it', reconciler(IgnoresTheLink)],
  ['others for echoes of its own writes', kernel({ changes: belated })],
])('is caught when it blames %s', async (_, making) => {
  const result = await fc.check(
    fc.asyncProperty(fc.array(calmEvents, { maxLength: 40, size: 'max' }), (sequence) =>
      checkCalm(true, sequence, making),
    ),
    { numRuns: MOST_RUNS, endOnFailure: true, seed: 7 },
  )
  expect(result.failed).toBe(true)
})
