import { setTimeout as delay } from 'node:timers/promises'
import type { Lab, LabHost } from '../lab/index.ts'
import { FakePeers } from './fake-peers.ts'
import { AGENT_FLAGS, DEVICE, type Machine, type World } from './fault.ts'
import { differences, readUnchanging, type Unchanging } from './expectation.ts'
import { Injector } from './injector.ts'
import { growthOf, Samples, type Growth } from './samples.ts'
import { Watchman } from './watchman.ts'

const CONFIG = {
  Network: '10.0.0.0/8',
  SubnetLen: 20,
  SubnetMin: '10.10.0.0',
  SubnetMax: '10.99.0.0',
  Backend: { Type: 'vxlan', VNI: Number(DEVICE.split('.')[1]), Port: 8472 },
} as const

const FAULT_EVERY_MS = 1_000
const SAMPLE_EVERY_MS = 5_000
const QUIET_EVERY_MS = 30_000
const CONVERGES_WITHIN_MS = 30_000
const LOOK_EVERY_MS = 200
const MEASURED_MACHINES = 2
const PINGS_PER_PAIR = 2

export interface SoakInput {
  readonly seed: number
  readonly durationMs: number
  /** Takes a line about each quiet moment. */
  readonly say: (line: string) => void
}

export interface SoakResult {
  /** Why it is not good; empty when it is. */
  readonly failures: readonly string[]
  readonly faults: ReadonlyMap<string, number>
  readonly history: readonly string[]
  /** Milliseconds from the end of the last fault until every machine was right, of each quiet moment. */
  readonly convergedMs: readonly number[]
  readonly pings: { readonly sent: number; readonly received: number }
  readonly growth: readonly Growth[]
}

/** One run: faults every second, and moments of quiet in which everything must come right. */
export class Soak {
  readonly #input: SoakInput
  readonly #world: World
  readonly #injector: Injector
  readonly #samples = new Samples()
  readonly #watchman = new Watchman()
  readonly #unchanging: ReadonlyMap<Machine, Unchanging>
  readonly #endsAtMs: number
  readonly #convergedMs: number[] = []
  readonly #failures: string[] = []
  #pings = { sent: 0, received: 0 }

  private constructor(input: SoakInput, world: World, unchanging: ReadonlyMap<Machine, Unchanging>, endsAtMs: number) {
    this.#input = input
    this.#world = world
    this.#injector = new Injector(world, input.seed)
    this.#unchanging = unchanging
    this.#endsAtMs = endsAtMs
  }

  /** Brings agents, containers and peers up. */
  static async prepare(lab: Lab, input: SoakInput): Promise<Soak> {
    const putConfig = (): Promise<void> => lab.putConfig(CONFIG)
    await putConfig()
    for (const { agent } of lab.hosts) agent.start(AGENT_FLAGS)
    await Promise.all(lab.hosts.map((host) => host.ready()))
    const peers = new FakePeers(lab)
    await peers.populate()
    await Promise.all(lab.hosts.map((host) => host.addContainer()))
    const machines = await Promise.all(lab.hosts.map(machineFrom))
    const endsAtMs = performance.now() + input.durationMs
    const world = { lab, peers, machines, putConfig }
    const unchanging = await Promise.all(
      machines.map(async (machine) => [machine, await readUnchanging(machine)] as const),
    )
    return new Soak(input, world, new Map(unchanging), endsAtMs)
  }

  async run(): Promise<SoakResult> {
    await this.#quietMoment()
    while (!this.#isOver) {
      await this.#unrest(Math.min(this.#endsAtMs, performance.now() + QUIET_EVERY_MS))
      await this.#quietMoment()
    }
    await this.#seeGraceEnd()
    const measured = this.#world.machines.filter(({ isMeasured }) => isMeasured)
    const growth = measured.map(({ host }) => growthOf(host.name, this.#samples.all))
    const tooMuch = growth.filter(({ isJudged, isTooMuch }) => isJudged && isTooMuch)
    this.#failures.push(...tooMuch.map(({ host }) => `the agent of ${host} grew too much`))
    return {
      failures: [...new Set(this.#failures)],
      faults: this.#injector.counts,
      history: this.#injector.history,
      convergedMs: this.#convergedMs,
      pings: this.#pings,
      growth,
    }
  }

  /** At the end nobody may hold any more what a wipe has taken. */
  async #seeGraceEnd(): Promise<void> {
    const leftMs = this.#world.peers.graceLeftMs()
    if (leftMs === 0 || this.#failures.length > 0) return
    await delay(leftMs)
    await this.#quietMoment()
  }

  get #isOver(): boolean {
    return this.#failures.length > 0 || performance.now() >= this.#endsAtMs
  }

  /** Faults and samples, until then or the first failure. */
  async #unrest(untilMs: number): Promise<void> {
    let sampledAtMs = 0
    while (performance.now() < untilMs && this.#failures.length === 0) {
      this.#injector.strike()
      if (performance.now() - sampledAtMs >= SAMPLE_EVERY_MS) {
        sampledAtMs = performance.now()
        await this.#samples.take(this.#world.machines)
      }
      await delay(FAULT_EVERY_MS)
      this.#noteEndings()
    }
  }

  #noteEndings(): void {
    this.#failures.push(...this.#watchman.endings(this.#world.machines))
    const { failure } = this.#injector
    if (failure) this.#failures.push(`${failure.message}: ${String(failure.cause)}`)
  }

  /** No more faults: everything must come right, and every ping arrive. */
  async #quietMoment(): Promise<void> {
    await this.#injector.quiet()
    this.#noteEndings()
    if (this.#failures.length > 0) return
    const left = await this.#converge()
    this.#failures.push(...left, ...(await this.#watchman.stacks(this.#world.machines)))
    this.#noteEndings()
    if (this.#failures.length === 0) await this.#pingAll()
    await this.#samples.take(this.#world.machines)
  }

  /** @returns what is still wrong at the deadline */
  async #converge(): Promise<readonly string[]> {
    const startedAtMs = performance.now()
    for (;;) {
      const left = await differences(this.#world, this.#unchanging)
      const tookMs = performance.now() - startedAtMs
      if (left.length === 0) {
        this.#convergedMs.push(Math.round(tookMs))
        const leases = (await this.#world.lab.leases()).length
        this.#input.say(`${leases} leases, every table exact after ${Math.round(tookMs)} ms`)
        return []
      }
      if (tookMs > CONVERGES_WITHIN_MS) return left
      await delay(LOOK_EVERY_MS)
    }
  }

  async #pingAll(): Promise<void> {
    const containers = this.#world.lab.hosts.flatMap((host) => host.containers)
    for (const from of containers) {
      const others = containers.filter((to) => to !== from)
      const results = await Promise.all(others.map((to) => from.ping(to.address, { count: PINGS_PER_PAIR })))
      for (const [at, { sent, received }] of results.entries()) {
        this.#pings = { sent: this.#pings.sent + sent, received: this.#pings.received + received }
        if (received < sent)
          this.#failures.push(`ping ${from.address} → ${others[at]?.address ?? ''}: ${received}/${sent}`)
      }
    }
  }
}

async function machineFrom(host: LabHost, index: number): Promise<Machine> {
  const { subnet } = await host.ready()
  return {
    host,
    isMeasured: index < MEASURED_MACHINES,
    leaseName: subnet.text.replace('/', '-'),
    address: host.address,
    underlayMtu: 1500,
    isDown: false,
  }
}
