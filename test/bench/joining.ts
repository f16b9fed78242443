import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '../lab/index.ts'
import { BareWriter } from './bare-writer.ts'
import { NoCompiler } from './c-program.ts'
import { figureOf, missing, type Figure, type Missing } from './figure.ts'
import type { LineProgram } from './line-program.ts'
import { hearAdditions, startMonitor } from './monitor.ts'
import { benchPeer, benchPeers, entriesOf, type BenchPeer } from './peers.ts'
import type { Context, Row } from './row.ts'
import { Scene } from './scene.ts'
import { Sightings } from './sightings.ts'
import { quantile } from './statistics.ts'
import { expectExact, isExact } from './tables.ts'

const NAME = 'join'
/** From the commit to the last entry, in milliseconds. */
const MOST = { 0.5: 0.6, 0.99: 3 } as const
const SHARES = [0.5, 0.99] as const
/** So many peers join in a run, and then change. */
const EACH = { full: 200, quick: 20 } as const
/** So many subnets are left free before theirs: the agent has one of those that come first. */
const LEFT_FREE = 10_000
/** Between two, in milliseconds: they come one by one, and not while the one before is worked on. */
const PAUSE_MS = 3

/** How long one took, in milliseconds. */
interface Took {
  /** From the first sign that etcd has committed it, its answer or its watch, until the last entry was in the kernel. */
  readonly fromCommit: number
  /** The same from when the write was sent. */
  readonly fromWrite: number
  /** From when the write was sent until etcd told a bare client that watches the same keys. */
  readonly watch: number
}

const milliseconds = (fromNs: bigint, toNs: bigint): number => Number(toNs - fromNs) / 1e6
const latest = (times: readonly bigint[]): bigint => times.reduce((last, time) => (time > last ? time : last), 0n)

/** Writes one peer after another, and hears what the kernel says of it. */
class JoinBench {
  readonly #writer: BareWriter
  readonly #monitor: LineProgram

  constructor(writer: BareWriter, monitor: LineProgram) {
    this.#writer = writer
    this.#monitor = monitor
  }

  async run(peers: readonly BenchPeer[], isNew: boolean): Promise<readonly Took[]> {
    const seen = new Sightings()
    hearAdditions(this.#monitor, (what, atNs) => {
      seen.saw(what, atNs)
    })
    const all: Took[] = []
    for (const peer of peers) {
      await delay(PAUSE_MS)
      const { sentNs, committedNs, toldNs } = await this.#writer.put(peer)
      const entriesNs = latest(await Promise.all(entriesOf(peer, isNew).map((entry) => seen.when(entry))))
      all.push({
        fromCommit: milliseconds(committedNs, entriesNs),
        fromWrite: milliseconds(sentNs, entriesNs),
        watch: milliseconds(sentNs, toldNs),
      })
    }
    return all
  }

  async close(): Promise<void> {
    await Promise.all([this.#writer.close(), this.#monitor.close()])
  }
}

async function startBench(context: Context, { lab, host }: Scene): Promise<JoinBench> {
  const writer = await BareWriter.start(lab, context.program('put'))
  return new JoinBench(writer, await startMonitor(host.place, context.program('monitor')))
}

/** In each run peers join, change and go; the first one warms up. */
async function runsOf(context: Context, scene: Scene, peers: number): Promise<readonly (readonly Took[])[]> {
  const { runs, isQuick } = context.options
  const bench = await startBench(context, scene)
  const numbers = Array.from({ length: isQuick ? EACH.quick : EACH.full }, (_, at) => peers + LEFT_FREE + 1 + at)
  const generation = (of: number): readonly BenchPeer[] => numbers.map((number) => benchPeer(number, of))
  try {
    const all: (readonly Took[])[] = []
    for (let run = 0; run <= runs; run++) {
      context.say(`join ${peers} peers: run ${run} of ${runs}`)
      const [joins, changes] = [generation(2 * run), generation(2 * run + 1)]
      const took = [...(await bench.run(joins, true)), ...(await bench.run(changes, false))]
      await expectExact(scene.host.place, [...benchPeers(peers), ...changes], 'after joins and changes')
      if (run > 0) all.push(took)
      for (const peer of changes) await scene.client.deletePeer(peer)
      await waitFor('them to go', () => isExact(scene.host.place, benchPeers(peers)))
    }
    return all
  } finally {
    await bench.close()
  }
}

const figuresOf = (peers: number, runs: readonly (readonly Took[])[], share: 0.5 | 0.99): readonly Figure[] => {
  const of = (pick: (took: Took) => number): readonly number[] => runs.map((run) => quantile(run.map(pick), share))
  const told = { row: NAME, peers, unit: 'ms' }
  return [
    figureOf({
      ...{ ...told, what: `etcd's commit to the kernel's entry, p${share * 100}` },
      values: of(({ fromCommit }) => fromCommit),
      bound: { of: 'value', most: MOST[share] },
    }),
    figureOf({
      ...{ ...told, what: `write to the kernel's entry, p${share * 100}` },
      values: of(({ fromWrite }) => fromWrite),
      reference: { name: "etcd's watch to a bare client", values: of(({ watch }) => watch) },
    }),
  ]
}

export const joining: Row = {
  name: NAME,
  what: 'one peer that joins, or changes its MAC',
  async run(context) {
    const sizes = context.options.isQuick ? [100] : [100, 10_000]
    const figures: (Figure | Missing)[] = []
    try {
      for (const peers of sizes) {
        const runs = await Scene.with(context, peers, (scene) => runsOf(context, scene, peers))
        for (const share of SHARES) figures.push(...figuresOf(peers, runs, share))
      }
    } catch (error) {
      if (!(error instanceof NoCompiler)) throw error
      figures.push(missing(NAME, "etcd's commit to the kernel's entry", error.message))
    }
    return figures
  },
}
