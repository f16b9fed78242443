import type { EntriesByFamily } from '../../backend/judge.ts'
import type { PeerRecord } from '../../lease/lease.ts'
import type { PeerChange, PeerTable } from '../../lease/peers/peer-table.ts'
import { KeptPeers } from '../../lease/peers/kept-peers.ts'
import { isMassLoss } from '../../lease/peers/mass-loss.ts'
import type { Loop } from '../../time/loop.ts'
import { Slices, type Steps } from '../../time/slices.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { PeerChanges, PeerDelta, PeerList, PeerListener, SubnetManager } from '../runtime/subnet-manager.ts'
import { isStopped, runTogether, type Task, type TaskContext } from '../runtime/task.ts'
import { ClaimAgesTask } from './claim-ages-task.ts'
import type { PeerSink } from './peer-sink.ts'
import { PeerLog } from './peer-log.ts'
import { RejectionLog } from './rejection-log.ts'

export interface PeersTaskInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'log'> & {
    readonly status: Pick<AgentPorts['status'], 'rejected'>
    readonly subnets: Pick<SubnetManager, 'saidAt'>
  }
  readonly peers: PeerTable<EntriesByFamily>
  /** One for each device. */
  readonly sinks: readonly PeerSink[]
  /** How long peers are kept whose leases a fault of the store has taken, in milliseconds. */
  readonly stalePeerGraceMs: number
  /** Whether the log says what is said at `debug`; absent: it may. */
  readonly isVerbose?: boolean
  /** Called when others are rejected than before; must not throw. */
  readonly onRejections?: () => void
}

/**
 * A peer whose lease was deleted is kept this long, in milliseconds: every agent of ours puts its own lease back at once, a round trip
 * through etcd later, and no packet need be lost meanwhile.
 */
const LINGER_MS = 500
/** Changes that the log is told of together: of tens of thousands, none is kept for it. */
const TOLD_AT_ONCE = 256
/** Without anything to release, a look this often, in milliseconds; only a ring matters. */
const IDLE_MS = 3_600_000

/**
 * Tells the devices of the peers that the subnet manager tells of. Nothing is pruned before the first complete list; and where most peers
 * are lost at once, that is the manager's fault rather than theirs, and they are kept for a while.
 */
export class PeersTask implements PeerListener, Task {
  readonly name = 'peers'
  readonly #input: PeersTaskInput
  readonly #log: PeerLog
  readonly #rejectionLog: RejectionLog
  readonly #claimAges: ClaimAgesTask
  readonly #slices: Slices
  /** Kept after a fault of the store. */
  readonly #stale = new KeptPeers()
  /** Kept for a moment after their leases were deleted. */
  readonly #lingering = new KeptPeers()
  /** Rung when something is to be done later that was not before. */
  readonly #laterChanged = new Wakeup()

  constructor(input: PeersTaskInput) {
    this.#input = input
    this.#slices = new Slices(input.ports.clock)
    this.#log = new PeerLog(input.ports, input.isVerbose)
    this.#rejectionLog = new RejectionLog(input.ports)
    const onAnswer = (): void => {
      void this.#slices.run(this.#passingOn())
    }
    this.#claimAges = new ClaimAgesTask({ ...input.ports, peers: input.peers, onAnswer })
  }

  /** Peers that are kept after a fault of the store: key → until when, on the monotonic clock. */
  get kept(): ReadonlyMap<string, number> {
    return this.#stale.until
  }

  /** Takes in the first list, which is complete. @returns settles once that is done; undefined: it is */
  begin(records: readonly PeerRecord[]): Promise<void> | undefined {
    return this.#slices.run(this.#beginning(records))
  }

  *#beginning(records: readonly PeerRecord[]): Steps {
    const { peers, sinks } = this.#input
    yield* peers.replacing(records)
    for (const sink of sinks) sink.allowPruning()
    yield* this.#passingOn()
  }

  onList(list: PeerList): Promise<void> | undefined {
    return this.#slices.run(this.#listing(list))
  }

  *#listing({ records, isOwnMissing, wasReset }: PeerList): Steps {
    const listed = new Set(records.map(({ key }) => key))
    for (const key of listed) this.#settle(key)
    this.#holdMissing(listed, wasReset, isOwnMissing)
    const kept = new Set([...this.#stale.keys(), ...this.#lingering.keys()])
    yield* this.#input.peers.replacing(records, kept, wasReset)
    yield* this.#passingOn()
  }

  onChanges(changes: PeerChanges): void {
    void this.#slices.run(this.#changing(changes))
  }

  *#changing({ deltas, isOwnGone }: PeerChanges): Steps {
    for (const delta of deltas) this.#apply(delta)
    const gone = deltas.flatMap((delta) => (delta.kind === 'deleted' ? [delta.key] : []))
    if (gone.length > 0) this.#part(gone, isOwnGone)
    yield* this.#passingOn()
  }

  /** What is around us has changed: judges every lease anew. */
  rejudge(): void {
    void this.#slices.run(this.#rejudging())
  }

  *#rejudging(): Steps {
    yield* this.#input.peers.rejudging()
    yield* this.#passingOn()
  }

  #apply(delta: PeerDelta): void {
    if (delta.kind === 'deleted') this.#settle(delta.key)
    else {
      this.#settle(delta.record.key)
      this.#input.peers.put(delta.record)
    }
  }

  /** The peer is back, or its fate is decided otherwise. */
  #settle(key: string): void {
    this.#stale.settle(key)
    this.#lingering.settle(key)
  }

  /**
   * Leases were deleted at once: their peers are kept for a moment; if they were most of all, it was no node that ended but
   * somebody who swept the store clean, and they are kept for longer. Whoever has a lease and claims what a kept one had gets it at once.
   */
  #part(gone: readonly string[], isOwnGone: boolean): void {
    const { peers, stalePeerGraceMs } = this.#input
    const inForce = gone.filter((key) => peers.isInForce(key))
    const isMass = stalePeerGraceMs > 0 && isMassLoss(inForce.length, peers.size, isOwnGone)
    if (isMass) this.#hold(inForce)
    else this.#linger(inForce)
    for (const key of gone) {
      if (peers.isInForce(key)) peers.retire(key)
      else peers.delete(key)
    }
  }

  #linger(keys: readonly string[]): void {
    this.#lingering.hold(keys, this.#input.ports.clock.monotonicMs() + LINGER_MS)
    this.#laterChanged.ring()
  }

  /** After a fault of the store, peers that are missing are kept for a while: their nodes will publish themselves again. */
  #holdMissing(listed: ReadonlySet<string>, wasReset: boolean, isOwnMissing: boolean): void {
    const { peers } = this.#input
    const isMissing = (key: string): boolean => !listed.has(key) && !this.#stale.has(key) && !this.#lingering.has(key)
    const missing = [...peers.knownKeys].filter((key) => isMissing(key) && peers.isInForce(key))
    if (missing.length === 0) return
    if (wasReset || isMassLoss(missing.length, peers.size, isOwnMissing)) this.#hold(missing)
  }

  #hold(keys: readonly string[]): void {
    const { ports, stalePeerGraceMs } = this.#input
    const fields = { peers: keys.length, seconds: stalePeerGraceMs / 1_000 }
    if (stalePeerGraceMs === 0)
      ports.log.error('the store has lost leases of peers; giving them up, as configured', fields, {
        kind: 'peers-lost',
      })
    else
      ports.log.error(
        'the store has lost leases of peers; their entries are kept for a while, until they publish themselves again',
        fields,
        { kind: 'peers-lost' },
      )
    this.#stale.hold(keys, ports.clock.monotonicMs() + stalePeerGraceMs)
    this.#laterChanged.ring()
  }

  async run(context: TaskContext): Promise<void> {
    const kept: Task = { name: 'peers that are kept', run: (loop) => this.#release(loop) }
    await runTogether([kept, this.#claimAges], context)
  }

  /** Gives up those whose time is over, and has the log say what it has counted. */
  async #release({ signal, rest }: Loop): Promise<void> {
    const { ports, peers } = this.#input
    while (!isStopped(signal)) {
      const nowMs = ports.clock.monotonicMs()
      const [stale, gone] = [this.#stale.takeExpired(nowMs), this.#lingering.takeExpired(nowMs)]
      if (stale.length > 0)
        ports.log.warn(
          'peers did not publish themselves again; giving them up',
          { peers: stale.length },
          { kind: 'peers-given-up' },
        )
      if (stale.length + gone.length > 0) await this.#slices.run(this.#givingUp([...stale, ...gone]))
      this.#log.count(peers.size)
      await rest(Math.min(this.#nextReleaseMs() - nowMs, this.#log.dueInMs ?? IDLE_MS), this.#laterChanged)
    }
  }

  *#givingUp(keys: readonly string[]): Steps {
    const { peers } = this.#input
    for (const key of keys) if (peers.isRetired(key)) peers.delete(key) // those that are back by now are not
    yield* this.#passingOn()
  }

  #nextReleaseMs(): number {
    const idleUntilMs = this.#input.ports.clock.monotonicMs() + IDLE_MS
    return Math.min(this.#stale.nextExpiryMs() ?? idleUntilMs, this.#lingering.nextExpiryMs() ?? idleUntilMs)
  }

  *#passingOn(): Steps {
    const { peers, sinks, ports } = this.#input
    let [told, areMore]: [PeerChange<EntriesByFamily>[], boolean] = [[], false]
    for (const change of peers.changes()) {
      for (const sink of sinks) sink.setPeer(change.key, change.entries)
      told.push(change)
      if (told.length === TOLD_AT_ONCE) {
        this.#log.say(told, true)
        told = []
        areMore = true
      }
      yield
    }
    this.#log.say(told, areMore)
    this.#log.count(peers.size)
    if (this.#log.dueInMs !== undefined) this.#laterChanged.ring()
    const rejections = peers.takeRejections()
    this.#rejectionLog.say(rejections)
    if (rejections.length > 0) this.#input.onRejections?.()
    ports.status.rejected(peers.rejected.size)
    this.#claimAges.look()
    for (const sink of sinks) sink.wake()
  }
}
