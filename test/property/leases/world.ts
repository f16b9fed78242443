import type { LeaseRecord } from '../../../src/lease/store.ts'
import { mac } from '../../../src/net/mac.ts'
import { Machine } from './machine.ts'
import type { NodeWorld, WorldNode } from './node.ts'
import { OwnNode } from './own-node.ts'
import { isOfOneImage, isTwin, overlapsOf, type Overlap } from './overlaps.ts'
import { seeded } from './chance.ts'
import { configText, type Cut } from './configuration.ts'
import type { Stage } from './stage.ts'
import { UpstreamNode } from './upstream-node.ts'

/** What a sequence begins with. */
export interface Beginning {
  readonly cut: Cut
  /** Which of the machines are ours; the others are upstream's. */
  readonly ours: readonly boolean[]
  /** Of each message in turn, over and over, in milliseconds. */
  readonly delaysMs: readonly number[]
  /** For everything that is chosen at random. */
  readonly seed: number
}

const STEP_MS = 20

/** How long one whose key is gone may believe to hold it: as long as a call that has no answer, and a pause after it, in milliseconds. */
const LOST_MS = 8_000

/** As long as two copies of one machine with one address may both believe to hold its lease, in milliseconds. */
const TWINS_MS = 40_000

export interface Author {
  readonly node: WorldNode
  /** Whose addresses it might take when it wrote. */
  readonly heirOf: readonly WorldNode[]
}

/** What carries its node id may be a node's own, and what one with its address has held that holds it no more, or is frozen, falls to it. */
const isHeir = (node: WorldNode, other: WorldNode): boolean =>
  isOfOneImage(node, other) || (other.address === node.address && (other.belief === undefined || other.isFrozen))

/** Machines with one etcd, and everything that may befall them. */
export class LeaseWorld {
  readonly nodes: WorldNode[] = []
  readonly stage: Stage
  /** What went wrong on the way. */
  readonly offences: string[] = []
  readonly log: string[] = []
  /** Who wrote a lease, by the revision. */
  readonly authors = new Map<bigint, Author>()
  /** Leases that nodes of ours have written so far. */
  writes = 0
  cut: Cut
  readonly #shared: NodeWorld
  #messages = 0
  #hasChanged = false
  /** By key, who wrote it last, as far as the history was read. */
  readonly #standing = new Map<string, WorldNode | undefined>()
  #read = 0
  /** Pairs that overlap, and until when that can be borne. */
  #overlaps = new Map<string, number>()

  constructor(stage: Stage, { cut, ours, delaysMs, seed }: Beginning) {
    this.stage = stage
    this.cut = cut
    this.#shared = {
      stage,
      random: seeded(seed),
      nextDelayMs: () => delaysMs[this.#messages++ % delaysMs.length] ?? 0,
      onWritten: (node, record) => {
        this.#written(node, record)
      },
      onRemoved: (node, key) => {
        const last = stage.history.at(-1)
        if (last?.kind === 'deleted' && last.key === key) this.#touched(node, 'removed', key)
      },
      onChange: () => {
        this.#hasChanged = true
      },
      say: (node, line) => {
        this.say(`${node}: ${line}`)
      },
    }
    for (const isOurs of ours) this.#add(isOurs)
  }

  get own(): readonly OwnNode[] {
    return this.nodes.filter((node) => node instanceof OwnNode)
  }

  /** Whether everybody who runs has what it wants. */
  get isSettled(): boolean {
    return this.nodes.every(({ isRunning, belief }) => !isRunning || belief !== undefined)
  }

  say(line: string): void {
    this.log.push(`${this.stage.clock.monotonicMs()} ${line}`)
  }

  async configure(cut: Cut): Promise<void> {
    this.cut = cut
    await this.stage.putConfig(configText(cut))
  }

  /** Another machine from the same disk image, with an address of its own unless it is given that of its model. */
  copy(model: OwnNode, hasOwnAddress: boolean): void {
    const number = hasOwnAddress ? this.nodes.length + 1 : model.address
    this.#addOwn(`${model.name}'${this.nodes.length + 1}`, number, model.identity)
  }

  async pass(ms: number): Promise<void> {
    await this.stage.pass(ms, () => {
      this.#look()
    })
  }

  /**
   * Until it is so, or that time has passed: as this process is given it, which plays all nodes, and not as it goes by where others have the
   * processors.
   */
  async passUntil(isSo: () => boolean, mostMs: number): Promise<void> {
    for (let passedMs = 0; !isSo() && passedMs < mostMs; passedMs += STEP_MS) await this.pass(STEP_MS)
  }

  close(): void {
    for (const node of this.nodes) node.stop()
  }

  #add(isOurs: boolean): void {
    const number = this.nodes.length + 1
    const hostname = `${isOurs ? 'ours' : 'upstream'}-${number}`
    if (isOurs) this.#addOwn(hostname, number, { id: `id-${number}`, hostname })
    else this.nodes.push(new UpstreamNode(hostname, number, this.#shared))
  }

  #addOwn(...[name, number, identity]: [string, number, OwnNode['identity']]): void {
    const hardware = mac(`02:00:00:00:00:${(this.nodes.length + 1).toString(16).padStart(2, '0')}`)
    this.nodes.push(new OwnNode(name, number, this.#shared, new Machine(identity, hardware)))
  }

  #written(node: WorldNode, { key, createRevision, modRevision }: LeaseRecord): void {
    if (node.isOurs) this.writes += 1
    this.authors.set(modRevision, { node, heirOf: this.nodes.filter((other) => isHeir(node, other)) })
    if (createRevision === modRevision) this.say(`${node.name} created ${key} at ${modRevision}`)
    else this.#touched(node, 'wrote', key)
  }

  /** Nobody of ours writes over, or takes away, what another that runs believes to hold. Twins, and who has just begun to run, cannot know better at first. */
  #touched(node: WorldNode, what: 'wrote' | 'removed', key: string): void {
    this.say(`${node.name} ${what} ${key}`)
    const isVictim = (other: WorldNode): boolean =>
      other !== node && other.belief?.key === key && other.believesForMs > this.stage.slackMs && !isTwin(node, other)
    const knows = node.isOurs && node.runsForMs > this.stage.slackMs
    const victim = knows ? this.nodes.find(isVictim) : undefined
    if (victim !== undefined) this.offences.push(`${node.name} ${what} ${key} of ${victim.name}`)
  }

  /** Two that have run for a while, and still both believe to hold an address. */
  #look(): void {
    const nowMs = this.stage.clock.monotonicMs()
    this.#readHistory()
    if (this.#hasChanged) {
      this.#hasChanged = false
      const before = this.#overlaps
      const overlaps = overlapsOf(this.own, (node) => this.#standing.get(node.belief?.key ?? '') === node)
      this.#overlaps = new Map(
        overlaps.map(({ text, kind }) => [text, before.get(text) ?? nowMs + this.#bearableMs(kind)]),
      )
    }
    for (const [pair, untilMs] of this.#overlaps)
      if (nowMs > untilMs) {
        this.offences.push(`both believe to hold for too long, until ${untilMs}: ${pair}`)
        this.#overlaps.set(pair, Infinity)
      }
  }

  #readHistory(): void {
    for (const delta of this.stage.history.slice(this.#read)) {
      this.#hasChanged = true
      if (delta.kind === 'deleted') this.#standing.delete(delta.key)
      else this.#standing.set(delta.record.key, this.authors.get(delta.record.modRevision)?.node)
    }
    this.#read = this.stage.history.length
  }

  #bearableMs(kind: Overlap['kind']): number {
    if (kind === 'twins') return TWINS_MS
    return kind === 'both stand' ? this.stage.slackMs : this.stage.slackMs + LOST_MS
  }
}
