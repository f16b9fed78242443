import { publishedMac } from '../../../src/backend/vxlan/backend-data.ts'
import type { Challenges } from '../../../src/lease/challenges.ts'
import type { Lease } from '../../../src/lease/lease.ts'
import type { LeaseRecord, LeaseStore } from '../../../src/lease/store.ts'
import { ip, type Family, type Ip } from '../../../src/net/ip.ts'
import type { Prefix } from '../../../src/net/prefix.ts'
import type { Random } from '../../../src/time/clock.ts'
import { DelayedStore } from './delayed-store.ts'
import { Process } from './process.ts'
import type { Stage } from './stage.ts'

/** What all nodes share. */
export interface NodeWorld {
  readonly stage: Stage
  readonly random: Random
  readonly nextDelayMs: () => number
  /** A node has written a lease. */
  readonly onWritten: (node: WorldNode, record: LeaseRecord) => void
  /** A node has removed a lease, or found it gone. */
  readonly onRemoved: (node: WorldNode, key: string) => void
  /** Somebody holds something else than before, or is frozen or thawed. */
  readonly onChange: () => void
  /** What is said, by whom. */
  readonly say: (node: string, line: string) => void
}

/** A lease as a node believes to hold it. */
export interface Belief {
  readonly key: string
  readonly subnets: readonly Prefix[]
  /** By family, in the order of the subnets. */
  readonly macs: readonly string[]
  /** Whom the lease names; undefined: nobody, as upstream's. */
  readonly nodeId: string | undefined
}

export const beliefIn = (lease: Lease): Belief => ({
  key: lease.key,
  subnets: lease.families.map(({ subnet }) => subnet),
  macs: lease.families.map(({ family }) => publishedMac(family, lease) ?? ''),
  nodeId: lease.node?.id,
})

/** A machine that takes part in the overlay whenever its process runs. */
export abstract class WorldNode {
  readonly name: string
  protected readonly world: NodeWorld
  /** Which address of the underlay it has. */
  protected number: number
  #process: Process | undefined
  #belief: Belief | undefined
  #believesSinceMs = 0
  #losesAnswers = 0
  /** Its process was frozen for a while. */
  hasSlept = false
  /** What the process ended with that was not asked to. */
  failure: Error | undefined

  constructor(name: string, number: number, world: NodeWorld) {
    this.name = name
    this.number = number
    this.world = world
  }

  abstract readonly isOurs: boolean

  /** Runs until its process is asked to stop. */
  protected abstract live(process: Process, store: LeaseStore & Challenges): Promise<void>

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  get isFrozen(): boolean {
    return this.#process?.isFrozen === true
  }

  /** How long it has run without a break, in milliseconds. */
  get runsForMs(): number {
    return this.#process?.runsForMs ?? 0
  }

  /** What it believes to hold, as long as it runs. */
  get belief(): Belief | undefined {
    return this.#belief
  }

  /** How long it has believed so, running without a break, in milliseconds. */
  get believesForMs(): number {
    return Math.min(this.runsForMs, this.world.stage.clock.monotonicMs() - this.#believesSinceMs)
  }

  get address(): number {
    return this.number
  }

  get publicIps(): ReadonlyMap<Family, Ip> {
    return new Map([
      [4, ip(`192.168.0.${this.number}`)],
      [6, ip(`fd99::${this.number}`)],
    ])
  }

  start(): void {
    if (this.#process !== undefined) return
    const { stage, nextDelayMs } = this.world
    const process = new Process(stage.clock)
    const store = new DelayedStore(stage.open(process.clock), {
      process,
      clock: stage.clock,
      nextDelayMs,
      losesAnswer: () => this.#losesAnswers > 0 && this.#losesAnswers-- > 0,
      onWritten: (record) => {
        this.world.onWritten(this, record)
      },
      onRemoved: (key) => {
        this.world.onRemoved(this, key)
      },
    })
    this.#process = process
    this.hasSlept = false
    this.live(process, store)
      .catch((error: unknown) => {
        if (!process.signal.aborted) this.failure = error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => {
        store.close()
      })
  }

  /** SIGTERM: its lease stays. */
  stop(): void {
    this.#process?.stop()
    this.#end()
  }

  kill(): void {
    this.#process?.kill()
    this.#end()
  }

  freeze(): void {
    this.#process?.freeze()
    this.hasSlept = true
    this.world.onChange()
  }

  thaw(): void {
    this.#process?.thaw()
    this.world.onChange()
  }

  /** The next call takes effect, and is not answered. */
  loseAnswer(): void {
    this.#losesAnswers += 1
  }

  #end(): void {
    this.#process = undefined
    this.#losesAnswers = 0
    this.believe(undefined)
  }

  protected believe(belief: Belief | undefined): void {
    if (this.#belief === belief) return
    this.#believesSinceMs = this.world.stage.clock.monotonicMs()
    this.#belief = belief
    this.world.onChange()
  }

  protected say(line: string): void {
    this.world.say(this.name, line)
  }
}
