import type { AgentPorts } from '../../agent/runtime/ports.ts'
import { ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import { isStopped } from '../../agent/runtime/task.ts'
import { ConfigError } from '../../config/error.ts'
import type { Lease } from '../../lease/lease.ts'
import { StoreError } from '../../lease/store.ts'
import type { LeaseTerms } from '../../lease/terms.ts'
import type { Family, Ip } from '../../net/ip.ts'
import { Damping } from '../../time/damping.ts'
import { FailingCall } from '../../time/failing-call.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { NodePatch, NodeRecord, NodeStore, OneNode } from '../nodes/node-store.ts'
import { NameContest } from './name-contest.ts'
import { annotationsOf, differing, leaseOf, subnetsOf } from './node-claims.ts'
import { overwritesOf, overwriteTexts, ownClaim, refusedOverwrites } from './own-claim.ts'

export interface OwnNodeInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'random' | 'log' | 'conditions'>
  readonly store: Pick<NodeStore, 'patch' | 'read'>
  readonly terms: LeaseTerms
  /** What we hold. */
  readonly lease: Lease
  /** As it was when that was acquired. */
  readonly node: OneNode
  /** Of this host; undefined: not known. */
  readonly bootId: string | undefined
  /** Called whenever it was seen, and when it says all that it is to say. */
  readonly onSeen: () => void
}

const CONDITION = 'lease'
const OVERWRITES = 'overwrites of our addresses'
const ROW = 'annotations'
/** Without anything to do, a look this often, in milliseconds; only a ring matters. */
const IDLE_MS = 3_600_000

/**
 * Our own Node for as long as we hold its subnets: what it says of us is put right, ever more slowly while somebody keeps changing it. A Node
 * that is deleted is waited for: this node sends on, though peers know of it no more; one that was made anew with other subnets is another one.
 */
export class OwnNode implements Task {
  readonly name = CONDITION
  readonly roundMs = ROUND_MS.etcd
  readonly #input: OwnNodeInput
  readonly #changed = new Wakeup()
  readonly #damping: Damping
  readonly #failing: FailingCall
  readonly #contest: NameContest
  #terms: LeaseTerms
  /** Undefined: there is none. */
  #node: NodeRecord | undefined
  /** It has said all that it is to say, when it was seen last. */
  #wasRight = true
  #lost: string | undefined
  /** What it said last of addresses to publish in the place of ours, as it stands there. */
  #overwriteTexts: string
  #overwrites: ReadonlyMap<Family, Ip>

  constructor(input: OwnNodeInput) {
    this.#input = input
    this.#terms = input.terms
    this.#node = input.node
    this.#overwriteTexts = overwriteTexts(input.node)
    this.#overwrites = overwritesOf(input.node)
    this.#damping = new Damping(input.ports.random)
    this.#failing = new FailingCall(input.ports.random)
    this.#contest = new NameContest({ ...input.ports, bootId: input.bootId })
    this.#contest.read(input.node)
    this.#judgeOverwrites(input.node)
  }

  get nodeName(): string {
    return this.#input.node.name
  }

  /** What is published in the place of our own addresses. */
  get overwrites(): ReadonlyMap<Family, Ip> {
    return this.#overwrites
  }

  get isThere(): boolean {
    return this.#node !== undefined
  }

  /** `uid` of the Node that said where we are when it was seen last; undefined: none did. */
  get publishedBy(): string | undefined {
    return this.#wasRight ? this.#node?.uid : undefined
  }

  /** Why its subnets are ours no more; undefined: they are. */
  get lost(): string | undefined {
    return this.#lost
  }

  publish(terms: LeaseTerms): void {
    this.#terms = terms
    this.#wasRight = false
    this.#changed.ring()
  }

  /** As it was seen to become; undefined: it is gone. What is older than what is known of it, as than what we have written, changes nothing. */
  observe(node: NodeRecord | undefined): void {
    const known = this.#node
    if (node === undefined || known?.uid !== node.uid || !isOlder(node, known)) this.observeList(node)
  }

  /** As it was listed: that counts, also where the API server was restored from a backup, and counts from there again. */
  observeList(node: NodeRecord | undefined): void {
    const known = this.#node
    this.#node = node
    if (node !== undefined) this.#hearOperator(node)
    if (node === undefined || known === undefined || known.uid !== node.uid) this.#wasRight = false
    else if (this.#wasRight) this.#look(node)
    this.#changed.ring()
    this.#input.onSeen()
  }

  /** Overwrites of our addresses are the operator's: what is to be said is another thing then, and nobody has changed what we have said. */
  #hearOperator(node: NodeRecord): void {
    const now = overwriteTexts(node)
    if (now === this.#overwriteTexts) return
    this.#overwriteTexts = now
    this.#overwrites = overwritesOf(node)
    this.#wasRight = false
    const { log } = this.#input.ports
    log.info('overwrites of our public addresses were changed; following them', { node: node.name, overwrites: now })
    this.#judgeOverwrites(node)
  }

  #judgeOverwrites(node: NodeRecord): void {
    const { conditions } = this.#input.ports
    const refused = refusedOverwrites(node)
    if (refused === undefined) conditions.holds(OVERWRITES)
    else conditions.fails(OVERWRITES, refused, 'degraded')
  }

  /** Somebody may have changed what we have said. */
  #look(node: NodeRecord): void {
    const { clock, log } = this.#input.ports
    const wanted = this.#wantedIfAny(node)
    const changed = Object.keys(differing(wanted ?? {}, node.annotations))
    this.#wasRight = wanted !== undefined && changed.length === 0
    if (wanted === undefined || this.#wasRight) return
    const isFlapping = this.#damping.undone(ROW, clock.monotonicMs())
    if (this.#contest.changed(node, wanted)) {
      const { ours, theirs, verdict } = this.#contest.words(wanted)
      this.#fails(
        `two agents run under the name of Node ${node.name}: its annotations say by turns ${ours}, which is us, and ${theirs}; ${verdict}. ` +
          'Cure: NODE_NAME of each agent is to be the Node of its own host (fieldRef: spec.nodeName); correct it where that is not so',
      )
    } else if (isFlapping)
      this.#fails(
        `annotations of Node ${node.name} (${changed.join(', ')}) are changed again and again: somebody else writes them; restoring them more slowly`,
      )
    else
      log.warn('annotations of our Node were changed; restoring them', {
        node: node.name,
        annotations: changed.join(' '),
      })
  }

  /** Undefined: it has no subnets, as in a backup of the time before it was given them. */
  #wantedIfAny(node: NodeRecord): NonNullable<NodePatch['annotations']> | undefined {
    try {
      return this.#wantedOn(node)
    } catch (error) {
      if (error instanceof ConfigError) return undefined
      throw error
    }
  }

  /** @throws {ConfigError} where the Node cannot be claimed as it is */
  #wantedOn(node: NodeRecord): NonNullable<NodePatch['annotations']> {
    return annotationsOf(ownClaim(node, { ...this.#terms, isAddressOpen: undefined }).claim)
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      const pauseMs = await this.#tend(signal)
      if (this.#lost !== undefined) return
      await rest(pauseMs, this.#changed)
    }
  }

  /** @returns when to look again, in milliseconds */
  async #tend(signal: AbortSignal): Promise<number> {
    const node = this.#node
    if (node === undefined) {
      this.#fails(`Node ${this.nodeName} does not exist any more: it is waited for`)
      return IDLE_MS
    }
    if (node.podCidrs.length > 0) this.#lost = this.#whyLost(node)
    if (this.#lost !== undefined) return 0
    try {
      return await this.#putRight(node, signal)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      this.#fails(error.message, error)
      return IDLE_MS
    }
  }

  #whyLost(node: NodeRecord): string | undefined {
    const given = subnetsOf(node).map(({ text }) => text)
    const held = this.#input.lease.families.map(({ subnet }) => subnet.text)
    if (held.every((subnet) => given.includes(subnet))) return undefined
    return `Node ${node.name} was made anew with podCIDR ${given.join(', ')}, and had ${held.join(', ')}`
  }

  async #putRight(node: NodeRecord, signal: AbortSignal): Promise<number> {
    const { clock, conditions, log } = this.#input.ports
    const annotations = differing(this.#wantedOn(node), node.annotations)
    if (Object.keys(annotations).length === 0) {
      if (!this.#wasRight) this.#input.onSeen()
      this.#wasRight = true
      const calmInMs = this.#contest.calmInMs()
      if (calmInMs === 0) conditions.holds(CONDITION)
      return calmInMs || IDLE_MS
    }
    const notBeforeMs = Math.max(this.#damping.notBeforeMs(ROW), this.#failing.notBeforeMs, this.#contest.notBeforeMs)
    const waitMs = notBeforeMs - clock.monotonicMs()
    if (waitMs > 0) return waitMs
    try {
      if (await this.#isTheirs(signal)) return 0
      const written = await this.#input.store.patch(node.name, { annotations }, signal)
      this.#failing.succeeded()
      this.#damping.written(ROW)
      this.#wrote(node, written)
      if (written !== undefined)
        log.info('lease updated', { subnet: this.#input.lease.key }, { kind: 'lease-changed', what: 'updated' })
      return 0
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (isStopped(signal)) return 0
      this.#failing.failed(clock.monotonicMs())
      this.#fails(error.message, error)
      return this.#failing.notBeforeMs - clock.monotonicMs()
    }
  }

  /** Whether our Node is another host's still, whose agent is to publish it. @throws {StoreError} */
  async #isTheirs(signal: AbortSignal): Promise<boolean> {
    if (!this.#contest.isTheirs) return false
    const read = await this.#input.store.read(this.nodeName, signal)
    return this.#contest.givesWay(read)
  }

  /** Whoever keeps what we write from standing there is answered as whoever changes it. What was seen meanwhile is looked at next. */
  #wrote(before: NodeRecord, written: OneNode | undefined): void {
    if (written !== undefined) this.#contest.read(written)
    if (this.#node !== before) return
    this.#node = written
    this.#wasRight = written !== undefined
    if (written === undefined) return
    this.#hearOperator(written)
    if (this.#wasRight) this.#look(written)
    this.#input.onSeen()
  }

  #fails(reason: string, error?: Error): void {
    const isPublished = this.#node !== undefined && leaseOf(this.#node) !== undefined
    this.#input.ports.conditions.fails(CONDITION, reason, 'degraded', {
      says: isPublished
        ? `lease: ${reason}; forwarding goes on`
        : `lease: ${reason}; peers send nothing here meanwhile`,
      saysHolds: 'our Node says what it should again',
      ...(error === undefined ? {} : { error }),
    })
  }

  /** The API server answers again: what failed is tried at once. */
  hurry(): void {
    this.#failing.hurry()
    this.#changed.ring()
  }
}

/** By numbers that can be compared (KEP-5504). */
function isOlder(one: NodeRecord, other: NodeRecord): boolean {
  const [a, b] = [one.resourceVersion, other.resourceVersion]
  return /^\d{1,30}$/.test(a) && /^\d{1,30}$/.test(b) && BigInt(a) < BigInt(b)
}
