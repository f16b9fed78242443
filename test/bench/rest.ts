import { spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { exitOf } from '../lab/command.ts'
import { EtcdMetrics } from '../lab/etcd-metrics.ts'
import { Lab, waitFor, type LabHost } from '../lab/index.ts'
import { AgentProcess } from './agent-process.ts'
import { EtcdClient } from './etcd-client.ts'
import { figureOf, type Figure } from './figure.ts'
import { benchPeers, CONFIG } from './peers.ts'
import { anonymousBytes, countedAnonymousBytes, processorMs, residentBytes } from './processor.ts'
import { bundleKind, executableKind, type Kind } from './programs.ts'
import type { Context, Row } from './row.ts'
import { median } from './statistics.ts'
import { countRows } from './tables.ts'

const NAME = 'rest'
/** Megabytes above the empty program, by number of peers. */
const MOST_ABOVE_EMPTY: Readonly<Record<number, number>> = { 1: 8, 1_000: 9, 10_000: 16, 60_000: 60 }
/** Of the memory that is allowed at rest. */
const MOST_PEAK = 1.5
/** Percent of one processor. */
const MOST_IDLE_PERCENT = 0.1
/** When memory is looked at after the start, and for how long agents are watched doing nothing after the last one has started. */
const WATCH = { full: { memoryMs: 60_000, idleMs: 30_000 }, quick: { memoryMs: 3_000, idleMs: 2_000 } } as const
const SAMPLE_MS = 10
/** After that an empty program has done all that it ever does, in milliseconds. */
const EMPTY_MS = 300
/** What is put off until the start is over belongs to it, in milliseconds. */
const AFTER_READY_MS = 1_000
/** So few would be outnumbered by the agents that are measured: each of these has a directory of its own in etcd. */
const FEW = 100
const LARGEST_TOGETHER = 10_000
/** A keep-alive in every third of the lease's life, which is a day. */
const MOST_MESSAGES_A_DAY = 3
const SECONDS_A_DAY = 86_400

const megabytes = (bytes: number): number => bytes / 1e6

interface Resting {
  readonly kind: Kind
  readonly peers: number
  readonly agent: AgentProcess
  readonly peakMB: number
  /** A while after the start. */
  readonly memory: Promise<{ readonly anonymousMB: number; readonly residentMB: number }>
}

/** Anonymous memory of the empty program of this kind, in MB. */
async function emptyMB({ empty }: Kind, host: LabHost): Promise<number> {
  const [first, ...rest] = empty
  const [command, ...args] = host.place.line(first, [...rest, 'stay'])
  const child = spawn(command, args, { stdio: 'ignore' })
  const ended = exitOf(child)
  try {
    await delay(EMPTY_MS)
    return megabytes(countedAnonymousBytes(child.pid ?? 0))
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

/** The highest that it comes to until a moment after it is ready, in MB. */
async function peakOf(agent: AgentProcess): Promise<number> {
  let peak = 0
  const sampler = setInterval(() => {
    peak = Math.max(peak, anonymousBytes(agent.pid))
  }, SAMPLE_MS)
  try {
    await agent.ready()
    await delay(AFTER_READY_MS)
  } finally {
    clearInterval(sampler)
  }
  return megabytes(peak)
}

/** Many agents on one laboratory, each started when the one before is ready, and left alone. */
class RestBench {
  readonly #context: Context
  readonly #lab: Lab
  readonly #resting: Resting[] = []

  constructor(context: Context, lab: Lab) {
    this.#context = context
    this.#lab = lab
  }

  get #watch(): { readonly memoryMs: number; readonly idleMs: number } {
    return this.#context.options.isQuick ? WATCH.quick : WATCH.full
  }

  /** Of agents that are all there at the same time. */
  async measure(kinds: readonly Kind[], sizes: readonly number[]): Promise<readonly Figure[]> {
    const { runs } = this.#context.options
    for (const peers of sizes) {
      const places = kinds.flatMap((kind) => Array.from({ length: runs }, (_, run) => ({ kind, run })))
      if (peers >= FEW) await this.#fill(`/bench/${peers}`, peers)
      for (const { kind, run } of places) await this.#start(kind, peers, run)
    }
    const idle = await this.#watchIdle()
    const figures: Figure[] = []
    for (const kind of kinds) for (const peers of sizes) figures.push(...(await this.#figuresOf(kind, peers)))
    return [...figures, ...idle]
  }

  async close(): Promise<void> {
    await Promise.all(this.#resting.map(({ agent }) => agent.stop('SIGKILL')))
    await this.#lab.close()
  }

  async #fill(prefix: string, peers: number): Promise<void> {
    const client = new EtcdClient(this.#lab.etcd.member.endpoint, prefix)
    await client.putConfig(CONFIG)
    await client.putPeers(benchPeers(peers))
    client.close()
  }

  async #start(kind: Kind, peers: number, run: number): Promise<void> {
    this.#context.say(`rest with ${peers} peers: ${kind.name}, run ${run + 1}`)
    const host = this.#lab.host(this.#resting.length)
    const prefix = peers < FEW ? `/bench/${host.name}` : `/bench/${peers}`
    if (peers < FEW) await this.#fill(prefix, peers)
    const agent = new AgentProcess({ lab: this.#lab, host, folder: this.#context.folder, prefix }, kind.agent)
    const memory = delay(this.#watch.memoryMs).then(() => ({
      anonymousMB: megabytes(countedAnonymousBytes(agent.pid)),
      residentMB: megabytes(residentBytes(agent.pid)),
    }))
    memory.catch(() => undefined)
    this.#resting.push({ kind, peers, agent, memory, peakMB: await peakOf(agent) })
  }

  /** Once all have all entries: processor time of each that has many peers, and what they ask of etcd. */
  async #watchIdle(): Promise<readonly Figure[]> {
    await Promise.all(this.#resting.map((each) => this.#isComplete(each)))
    await Promise.all(this.#resting.map(({ memory }) => memory))
    const { idleMs } = this.#watch
    const { endpoint } = this.#lab.etcd.member
    const [before, asked] = [this.#resting.map(({ agent }) => processorMs(agent.pid)), await EtcdMetrics.read(endpoint)]
    await delay(idleMs)
    const percents = this.#resting.map(({ agent }, at) => ((processorMs(agent.pid) - (before[at] ?? 0)) / idleMs) * 100)
    const messages = (await EtcdMetrics.read(endpoint)).since(asked, 'grpc_server_msg_received_total')
    const perDay = (messages / this.#resting.length) * ((SECONDS_A_DAY * 1_000) / idleMs)
    const sizes = [...new Set(this.#resting.map(({ peers }) => peers))]
    return [
      ...sizes.map((peers) =>
        figureOf({
          ...{ row: NAME, what: 'processor time at rest', peers, unit: '% of one' },
          values: percents.filter((_, at) => this.#resting[at]?.peers === peers),
          ...(peers === 10_000 && { bound: { of: 'value', most: MOST_IDLE_PERCENT } }),
        }),
      ),
      figureOf({
        ...{
          row: NAME,
          what: `messages to etcd at rest, up to ${Math.max(...sizes)} peers`,
          unit: 'per node and day',
          values: [perDay],
        },
        bound: { of: 'value', most: MOST_MESSAGES_A_DAY },
      }),
    ]
  }

  /** Its peers are those in etcd only, and the other agents below the same directory. */
  async #isComplete({ agent, peers }: Resting): Promise<void> {
    const others = peers < FEW ? 0 : this.#resting.filter((other) => other.peers === peers).length - 1
    const isComplete = async (): Promise<boolean> => (await countRows(agent.host.place)) === 3 * (peers + others)
    await waitFor(`all entries on ${agent.host.name}`, isComplete, { deadlineMs: 30_000, everyMs: 200 })
  }

  async #figuresOf(kind: Kind, peers: number): Promise<readonly Figure[]> {
    const all = this.#resting.filter((each) => each.kind === kind && each.peers === peers)
    const memories = await Promise.all(all.map(({ memory }) => memory))
    const empty: number[] = []
    for (const { agent } of all) empty.push(await emptyMB(kind, agent.host))
    const reference = { name: 'an empty program of the kind', values: empty }
    const above = MOST_ABOVE_EMPTY[peers]
    const told = { row: NAME, peers, unit: 'MB' }
    return [
      figureOf({
        ...{ ...told, what: `anonymous memory of ${kind.name}`, values: memories.map((each) => each.anonymousMB) },
        ...{ reference, ...(above !== undefined && { bound: { of: 'difference', most: above } }) },
      }),
      figureOf({
        ...{ ...told, what: `its highest in the start of ${kind.name}`, values: all.map(({ peakMB }) => peakMB) },
        ...(above !== undefined && { bound: { of: 'value', most: MOST_PEAK * (median(empty) + above) } }),
      }),
      figureOf({ ...told, what: `resident memory of ${kind.name}`, values: memories.map((each) => each.residentMB) }),
    ]
  }
}

async function measureTogether(
  context: Context,
  kinds: readonly Kind[],
  sizes: readonly number[],
): Promise<readonly Figure[]> {
  const hosts = kinds.length * sizes.length * context.options.runs
  const bench = new RestBench(context, await Lab.create({ hosts, health: false }))
  try {
    return await bench.measure(kinds, sizes)
  } finally {
    await bench.close()
  }
}

/** Agents of large networks are alone with each other: whoever reads its neighbours has the kernel go through those of all hosts. */
function together(sizes: readonly number[]): readonly (readonly number[])[] {
  const small = sizes.filter((size) => size <= LARGEST_TOGETHER)
  const large = sizes.filter((size) => size > LARGEST_TOGETHER)
  return [...(small.length > 0 ? [small] : []), ...large.map((size) => [size])]
}

export const rest: Row = {
  name: NAME,
  what: 'agents that nothing happens to: memory, processor time, messages to etcd',
  async run(context) {
    const kinds = [executableKind(context.folder), bundleKind(context.folder)]
    const figures: Figure[] = []
    for (const sizes of together(context.options.sizes)) figures.push(...(await measureTogether(context, kinds, sizes)))
    return figures
  },
}
