import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { EtcdMetrics } from '../lab/etcd-metrics.ts'
import { Lab } from '../lab/index.ts'
import type { LabHost } from '../lab/host.ts'
import { AgentProcess } from './agent-process.ts'
import { NoCompiler } from './c-program.ts'
import { EtcdClient } from './etcd-client.ts'
import { figureOf, missing, type Bound, type Figure, type Missing } from './figure.ts'
import { burstOf, startMonitor } from './monitor.ts'
import { benchPeers, CONFIG, type BenchPeer } from './peers.ts'
import { processorMs } from './processor.ts'
import { executableKind, type Kind } from './programs.ts'
import type { Context, Row } from './row.ts'
import { requestFigures, type Asked, type AskedBySize } from './start-requests.ts'
import { expectExact, removeDevice } from './tables.ts'

const NAME = 'start'
/** Seconds until all peers are programmed and the subnet file stands, and seconds of processor time until then, by number of peers. */
const MOST_START: Readonly<Record<number, number>> = { 1: 0.15, 1_000: 0.35, 10_000: 0.8, 60_000: 2.5 }
const MOST_PROCESSOR: Readonly<Record<number, number>> = { 1: 0.12, 1_000: 0.4, 10_000: 0.9, 60_000: 3 }
const MOST_RESTART: Readonly<Record<number, number>> = { 1: 0.15, 1_000: 0.3, 10_000: 0.7, 60_000: 2 }

/** One start, in seconds. */
interface Start {
  readonly wallS: number
  readonly processorS: number
}

interface Round {
  readonly start: Start
  readonly restart: Start
  /** Requests to change something that the agent sent to the kernel in the restart, as it counts them. */
  readonly restartWrites: number
  /** Changes of links, addresses and tables that the kernel told of during the restart; undefined: nobody listened. */
  readonly restartChanges: number | undefined
  /** Until the executable that does nothing has ended, in seconds. */
  readonly emptyS: number
  /** What etcd was asked for in the start. */
  readonly asked: Asked
}

/** How long the executable that does nothing takes to end, started as agents are. */
async function emptyRun(host: LabHost, { empty }: Kind): Promise<number> {
  const [first, ...rest] = empty
  const [command, ...args] = host.place.line(first, rest)
  const startedMs = performance.now()
  await once(spawn(command, args, { stdio: 'ignore' }), 'exit')
  return (performance.now() - startedMs) / 1_000
}

/** Everything that is measured of one size, on a host each for every run. */
class StartBench {
  readonly #context: Context
  readonly #lab: Lab
  readonly #client: EtcdClient
  readonly #kind: Kind
  readonly #monitor: string | undefined

  constructor(context: Context, lab: Lab, client: EtcdClient, kind: Kind) {
    this.#context = context
    this.#lab = lab
    this.#client = client
    this.#kind = kind
    this.#monitor = monitorProgram(context)
  }

  /** The first one warms up, and is not counted. */
  async rounds(peers: readonly BenchPeer[]): Promise<readonly Round[]> {
    await this.#client.putPeers(peers)
    const rounds: Round[] = []
    for (const host of this.#lab.hosts) {
      this.#context.say(`start with ${peers.length} peers: run ${rounds.length} of ${this.#lab.hosts.length - 1}`)
      rounds.push(await this.#round(host, peers))
    }
    return rounds.slice(1)
  }

  async #round(host: LabHost, peers: readonly BenchPeer[]): Promise<Round> {
    const emptyS = await emptyRun(host, this.#kind)
    const { endpoint } = this.#lab.etcd.member
    const before = await EtcdMetrics.read(endpoint)
    const first = this.#execute(host)
    const start = await this.#measure(first, peers, 'after a start')
    const asked = (await EtcdMetrics.read(endpoint)).callsSince(before)
    await first.stop()
    const monitor = this.#monitor === undefined ? undefined : await startMonitor(host.place, this.#monitor, true)
    let changes = 0
    monitor?.hear((line) => (changes += burstOf(line).changes + burstOf(line).overflows))
    const second = this.#execute(host)
    const restart = await this.#measure(second, peers, 'after a restart')
    const restartWrites = await second.kernelWrites()
    await monitor?.close()
    await second.stop()
    await this.#client.deleteLease(second.leaseName())
    await removeDevice(host.place)
    return { start, restart, emptyS, asked, restartWrites, restartChanges: monitor && changes }
  }

  #execute(host: LabHost): AgentProcess {
    return new AgentProcess({ lab: this.#lab, host, folder: this.#context.folder }, this.#kind.agent)
  }

  /** Up to the subnet file; at that moment all entries have to be there, and nothing else. */
  async #measure(agent: AgentProcess, peers: readonly BenchPeer[], when: string): Promise<Start> {
    const wallS = (await agent.ready()) / 1_000
    agent.freeze()
    const processorS = processorMs(agent.pid) / 1_000
    await expectExact(agent.host.place, peers, when)
    agent.thaw()
    return { wallS, processorS }
  }
}

function monitorProgram(context: Context): string | undefined {
  try {
    return context.program('monitor')
  } catch (error) {
    if (error instanceof NoCompiler) return undefined
    throw error
  }
}

const bound = (most: number | undefined, of: Bound['of'] = 'value'): { readonly bound?: Bound } =>
  most === undefined ? {} : { bound: { of, most } }

function figuresOf(peers: number, rounds: readonly Round[]): readonly (Figure | Missing)[] {
  const of = (pick: (round: Round) => number): readonly number[] => rounds.map(pick)
  const empty = { name: 'an empty executable', values: of((round) => round.emptyS) }
  const told = { row: NAME, peers, unit: 's' }
  const changes = rounds.flatMap(({ restartChanges }) => restartChanges ?? [])
  const what = 'changes of the kernel in a restart'
  return [
    figureOf({
      ...told,
      what: 'start until all are programmed and subnet.env stands',
      values: of(({ start }) => start.wallS),
      reference: empty,
      ...bound(MOST_START[peers]),
    }),
    figureOf({
      ...told,
      what: 'processor time of that start',
      values: of(({ start }) => start.processorS),
      ...bound(MOST_PROCESSOR[peers]),
    }),
    figureOf({
      ...told,
      what: 'restart with nothing changed, until subnet.env stands',
      values: of(({ restart }) => restart.wallS),
      reference: empty,
      ...bound(MOST_RESTART[peers]),
    }),
    figureOf({
      ...told,
      what: 'processor time of that restart',
      values: of(({ restart }) => restart.processorS),
    }),
    figureOf({
      ...{ row: NAME, what: 'writes to the kernel in a restart', peers, unit: '' },
      ...{ values: of(({ restartWrites }) => restartWrites), bound: { of: 'value', most: 0 } },
    }),
    changes.length < rounds.length
      ? missing(NAME, what, 'there is no C compiler', peers)
      : figureOf({ row: NAME, peers, unit: '', what, values: changes, bound: { of: 'value', most: 0 } }),
  ]
}

async function measureSize(context: Context, kind: Kind, peers: number): Promise<readonly Round[]> {
  const lab = await Lab.create({ hosts: context.options.runs + 1, health: false })
  const client = new EtcdClient(lab.etcd.member.endpoint)
  try {
    await client.putConfig(CONFIG)
    return await new StartBench(context, lab, client, kind).rounds(benchPeers(peers))
  } finally {
    client.close()
    await lab.close()
  }
}

export const starting: Row = {
  name: NAME,
  what: 'starts and restarts of the single executable',
  async run(context) {
    const kind = executableKind(context.folder)
    const [figures, requests]: [(Figure | Missing)[], AskedBySize[]] = [[], []]
    for (const peers of context.options.sizes) {
      const rounds = await measureSize(context, kind, peers)
      figures.push(...figuresOf(peers, rounds))
      requests.push({ peers, asked: rounds.map(({ asked }) => asked) })
    }
    return [...figures, ...requestFigures(requests)]
  },
}
