import { setTimeout as delay } from 'node:timers/promises'
import { BareWriter } from './bare-writer.ts'
import { NoCompiler } from './c-program.ts'
import { figureOf, missing, type Figure } from './figure.ts'
import { hearAdditions, startMonitor } from './monitor.ts'
import { benchPeer, entriesOf } from './peers.ts'
import { processorMs, residentBytes } from './processor.ts'
import type { Context, Row } from './row.ts'
import { Scene } from './scene.ts'
import { Sightings } from './sightings.ts'
import { expectExact } from './tables.ts'

const NAME = 'churn'
const PER_SECOND = 1_000
/** How often some are written, in milliseconds. */
const TICK_MS = 10
/** In all, in seconds; each run is a part of it. */
const SECONDS = { full: 60, quick: 3 } as const
const MOST_LAG_MS = 100
const MOST_PERCENT = 40
/** By so many percent of what was resident after the first run. */
const MOST_GROWTH = 5
/** Of what was asked for: a writer that does not keep up tests nothing. */
const LEAST_RATE = 0.95

interface Run {
  /** The longest from the commit of a change to the last of its entries. */
  readonly lagMs: number
  readonly percent: number
  readonly residentBytes: number
  readonly perSecond: number
}

/** Changes of MACs at a steady rate, one peer after another and round again. */
class ChurnBench {
  readonly #scene: Scene
  readonly #writer: BareWriter
  readonly #peers: number
  readonly #seen = new Sightings()
  /** Generation of each peer, by number less one. */
  readonly #generations: Uint32Array
  #next = 0

  constructor(scene: Scene, writer: BareWriter, peers: number) {
    this.#scene = scene
    this.#writer = writer
    this.#peers = peers
    this.#generations = new Uint32Array(peers)
  }

  saw(what: string, atNs: bigint): void {
    this.#seen.saw(what, atNs)
  }

  /** Everybody as they are by now. */
  get peers() {
    return Array.from(this.#generations, (generation, at) => benchPeer(at + 1, generation))
  }

  async run(milliseconds: number): Promise<Run> {
    const { pid } = this.#scene.agent
    const [startedMs, before] = [performance.now(), processorMs(pid)]
    const lags: Promise<number>[] = []
    while (performance.now() - startedMs < milliseconds) {
      const due = Math.floor(((performance.now() - startedMs) * PER_SECOND) / 1_000)
      while (lags.length < due) lags.push(this.#change())
      await delay(TICK_MS)
    }
    await lags.at(-1)
    const tookMs = performance.now() - startedMs
    const percent = ((processorMs(pid) - before) / tookMs) * 100
    const perSecond = (lags.length / tookMs) * 1_000
    return { lagMs: Math.max(...(await Promise.all(lags))), percent, residentBytes: residentBytes(pid), perSecond }
  }

  async #change(): Promise<number> {
    const at = this.#next++ % this.#peers
    const generation = (this.#generations[at] ?? 0) + 1
    this.#generations[at] = generation
    const peer = benchPeer(at + 1, generation)
    const { committedNs } = await this.#writer.put(peer)
    const times = await Promise.all(entriesOf(peer, false).map((entry) => this.#seen.when(entry, 20_000)))
    return Math.max(...times.map((time) => Number(time - committedNs) / 1e6))
  }
}

async function runsOf(context: Context, scene: Scene, peers: number): Promise<readonly Run[]> {
  const { runs, isQuick } = context.options
  const eachMs = ((isQuick ? SECONDS.quick : SECONDS.full) * 1_000) / (runs + 1)
  const monitor = await startMonitor(scene.host.place, context.program('monitor'))
  const writer = await BareWriter.start(scene.lab, context.program('put'))
  const bench = new ChurnBench(scene, writer, peers)
  hearAdditions(monitor, (what, atNs) => {
    bench.saw(what, atNs)
  })
  try {
    const all: Run[] = []
    for (let run = 0; run <= runs; run++) {
      context.say(`churn at ${peers} peers: run ${run} of ${runs}`)
      all.push(await bench.run(eachMs))
    }
    await expectExact(scene.host.place, bench.peers, 'after the churn')
    return all
  } finally {
    await Promise.all([writer.close(), monitor.close()])
  }
}

/** The first run warms up; what is resident is compared with its end. */
function figuresOf(peers: number, [first, ...runs]: readonly Run[]): readonly Figure[] {
  const told = { row: NAME, peers }
  const growth = ((runs.at(-1)?.residentBytes ?? NaN) / (first?.residentBytes ?? NaN) - 1) * 100
  const slow = runs.find(({ perSecond }) => perSecond < LEAST_RATE * PER_SECOND)
  return [
    figureOf({
      ...{
        ...told,
        what: "longest from etcd's commit to the kernel's entry",
        unit: 'ms',
        values: runs.map(({ lagMs }) => lagMs),
      },
      bound: { of: 'value', most: MOST_LAG_MS },
      ...(slow && { note: `only ${slow.perSecond.toFixed(0)} changes a second were written` }),
    }),
    figureOf({
      ...{ ...told, what: 'processor time', unit: '% of one', values: runs.map(({ percent }) => percent) },
      bound: { of: 'value', most: MOST_PERCENT },
    }),
    figureOf({
      ...{ ...told, what: 'growth of resident memory', unit: '%', values: [growth] },
      bound: { of: 'value', most: MOST_GROWTH },
    }),
  ]
}

export const churning: Row = {
  name: NAME,
  what: `${PER_SECOND} changes of leases in a second`,
  async run(context) {
    const peers = context.options.isQuick ? 1_000 : 10_000
    try {
      return figuresOf(peers, await Scene.with(context, peers, (scene) => runsOf(context, scene, peers)))
    } catch (error) {
      if (!(error instanceof NoCompiler)) throw error
      return [missing(NAME, "longest from etcd's commit to the kernel's entry", error.message, peers)]
    }
  },
}
