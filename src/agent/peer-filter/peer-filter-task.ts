import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Ip } from '../../net/ip.ts'
import type { Loop } from '../../time/loop.ts'
import { Mutex } from '../../time/mutex.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import { PeerAddresses } from './peer-addresses.ts'
import { PeerFilterError, type Drops, type GuardedOverlay, type PeerFilter } from '../../kernel/peer-filter.ts'
import { Damping } from '../../time/damping.ts'
import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { ConditionReports } from '../runtime/conditions.ts'
import { PeerFilterLog } from './peer-filter-log.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'
import {
  doubted,
  failed,
  failures,
  flapping,
  hasStood,
  looked,
  needsFullLook,
  NO_HOLD,
  NOT_YET,
  recovered,
  stood,
  whyHeld,
  type Filter,
  type Hold,
} from './filter-state.ts'

export interface PeerFilterTaskInput {
  readonly filter: PeerFilter
  readonly overlay: GuardedOverlay
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly conditions: ConditionReports
  readonly counts: Pick<AgentCounts, 'filterDrops'>
  /** Between looks at the rules, in milliseconds. */
  readonly resyncMs: number
  /** Addresses to which the kernel sends for peers, also for those that are to go: they stay let in. Undefined: not known yet. */
  readonly inUse: () => ReadonlySet<string> | undefined
}

/** Behind the looks at the rules, the addresses are read as well this often, in milliseconds: there may be tens of thousands. */
const FULL_LOOK_EVERY_MS = 60_000
/** What nft refused. */
const RETRY: BackoffSpec = { firstMs: 1_000, mostMs: 60_000, jitter: 0.2 }
/** Only an end matters. */
const IDLE_MS = 3_600_000
const PEER_FILTER = 'peer filter'
/** For {@link Damping}: there is one filter. */
const FILTER = 'filter'

/**
 * Keeps the peer filter in step with the peers. A peer is let in before anything is sent to it ({@link admit}), and kept out only
 * when nothing is sent to it any more ({@link release}).
 */
export class PeerFilterTask implements Task {
  readonly name = 'peer filter'
  readonly roundMs = ROUND_MS.programs
  readonly #input: PeerFilterTaskInput
  readonly #addresses = new PeerAddresses()
  readonly #damping: Damping
  readonly #reporter: PeerFilterLog
  readonly #bell = new Wakeup()
  /** Aborted when the filter stands for the first time. */
  readonly #installed = new AbortController()
  /** One call to the filter at a time. */
  readonly #mutex = new Mutex()
  #filter: Filter = NOT_YET
  #hold: Hold = NO_HOLD

  constructor(input: PeerFilterTaskInput) {
    this.#input = input
    this.#damping = new Damping(input.random)
    this.#reporter = new PeerFilterLog(input)
  }

  /** Sets, changes or (undefined) gives up the addresses that one peer sends from. */
  setPeer(peer: string, addresses: readonly Ip[] | undefined): void {
    this.#addresses.setPeer(peer, addresses)
  }

  /** Whether it stands, as far as is known, and nobody keeps changing it. */
  get state(): { readonly holds: boolean } {
    return { holds: this.#filter.is === 'standing' && this.#hold.is === 'none' }
  }

  /** Resolves when the filter stands for the first time, or `signal` aborts: nothing is let in before. */
  async stands(signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#installed.signal])
    while (!isStopped(either)) await this.#input.clock.sleep(IDLE_MS, either)
  }

  /** Lets new peers in. What cannot be done now is done later; never throws because of the filter. */
  async admit(signal: AbortSignal): Promise<void> {
    if (this.#filter.is !== 'standing' || this.#addresses.missing().length === 0) return
    await this.#attempt(() => this.#letIn(signal), signal)
  }

  /** Entries may have gone: lets those in no longer who have none. */
  release(): void {
    if (this.#addresses.surplus().length > 0) this.#bell.ring()
  }

  /** What was dropped since the filter was made. @throws {PeerFilterError} */
  async readDrops(signal: AbortSignal): Promise<Drops | undefined> {
    const { filter, overlay } = this.#input
    return (await filter.read(overlay, 'rules', signal))?.drops
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      await this.#attempt(() => this.#round(signal), signal)
      if (isStopped(signal)) break
      await rest(this.#restMs(), this.#bell)
    }
  }

  /** A fault is waited out; a bell does not cut that short. */
  #restMs(): number {
    const { clock, resyncMs } = this.#input
    return this.#hold.is === 'failing' ? Math.max(0, this.#hold.untilMs - clock.monotonicMs()) : resyncMs
  }

  async #attempt(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#input
    if (this.#hold.is === 'failing' && clock.monotonicMs() < this.#hold.untilMs) return
    try {
      await this.#mutex.take(work)
      if (failures(this.#hold) > 0) this.#recovered()
    } catch (error) {
      if (isStopped(signal)) return
      if (!(error instanceof PeerFilterError)) throw error
      this.#failed(error)
    }
  }

  #recovered(): void {
    this.#hold = recovered(this.#hold)
    this.#input.conditions.holds(PEER_FILTER)
    this.#reportWaiting()
  }

  #failed(error: PeerFilterError): void {
    const { clock, random, conditions } = this.#input
    this.#filter = doubted(this.#filter)
    this.#bell.ring() // or a failure to admit would have to wait for the next look
    const delayMs = backoffMs(RETRY, failures(this.#hold) + 1, random)
    this.#hold = failed(this.#hold, clock.monotonicMs() + delayMs)
    const meanwhile = hasStood(this.#filter)
      ? 'forwarding goes on, and the filter is as it was or missing'
      : 'nothing is forwarded before it stands'
    const says = `peer filter: ${error.message}; ${meanwhile}; trying again`
    conditions.fails(PEER_FILTER, error, 'unready', { says })
  }

  /** Looks at the filter, and puts right what differs. */
  async #round(signal: AbortSignal): Promise<void> {
    const { filter, overlay, clock } = this.#input
    const nowMs = clock.monotonicMs()
    if (nowMs < this.#damping.notBeforeMs(FILTER)) return
    const isFull = needsFullLook(this.#filter, nowMs, FULL_LOOK_EVERY_MS)
    const state = await filter.read(overlay, isFull ? 'all' : 'rules', signal)
    if (state?.isWhole !== true) return this.#restore(signal, state === undefined ? 'is gone' : 'was changed')
    this.#reporter.drops(state.drops)
    this.#reporter.reach(state.oneWay)
    if (state.peers !== undefined && this.#compare(state.peers, nowMs)) return
    await this.#letIn(signal)
    await this.#keepOut(signal)
    this.#stood('found as it should be')
  }

  /** @returns whether what differs has to wait */
  #compare(peers: readonly Ip[], nowMs: number): boolean {
    const lost = this.#addresses.found(peers)
    this.#filter = looked(this.#filter, nowMs)
    return (
      hasStood(this.#filter) && lost > 0 && this.#undone(`has lost ${lost} ${lost === 1 ? 'address' : 'addresses'}`)
    )
  }

  /** Makes it anew, with all peers at once, and with those that have gone but not yet from the kernel's tables. */
  async #restore(signal: AbortSignal, what: string): Promise<void> {
    const { filter, overlay } = this.#input
    if (hasStood(this.#filter) && this.#undone(what)) return
    const peers = [
      ...this.#addresses.wanted(),
      ...this.#parting()
        .filter(({ inUse }) => inUse)
        .map(({ ip }) => ip),
    ]
    await filter.install(overlay, peers, signal)
    this.#addresses.found(peers)
    this.#filter = looked(this.#filter, this.#input.clock.monotonicMs())
    this.#reporter.madeAnew()
    this.#stood('made')
  }

  /** Somebody else changed it. @returns whether that has to wait, since they keep doing so */
  #undone(what: string): boolean {
    const nowMs = this.#input.clock.monotonicMs()
    const wasHeldBack = this.#damping.notBeforeMs(FILTER) > 0
    const fights = !wasHeldBack && this.#damping.undone(FILTER, nowMs)
    if (!wasHeldBack) this.#reporter.undone(what, fights)
    if (fights) this.#waits(`it ${what} again and again, and is restored ever more slowly`)
    return fights
  }

  #waits(why: string | undefined): void {
    if (why === whyHeld(this.#hold)) return
    this.#hold = flapping(this.#hold, why)
    if (why === undefined) this.#input.conditions.holds(PEER_FILTER)
    else this.#reportWaiting()
  }

  /** What it waits for was said when it was found. */
  #reportWaiting(): void {
    const why = whyHeld(this.#hold)
    if (why !== undefined) this.#input.conditions.fails(PEER_FILTER, why, 'unready', { says: false })
  }

  #stood(how: string): void {
    this.#damping.written(FILTER)
    this.#waits(undefined)
    const isFirst = !hasStood(this.#filter)
    this.#filter = stood(this.#filter)
    if (!isFirst) return
    this.#installed.abort()
    this.#input.log.info(`peer filter ${how}`, { ...this.#input.overlay, peers: this.#addresses.size })
  }

  async #letIn(signal: AbortSignal): Promise<void> {
    const change = { added: this.#addresses.missing(), removed: [] }
    if (change.added.length === 0) return
    await this.#input.filter.change(change.added, [], signal)
    this.#addresses.changed(change)
  }

  async #keepOut(signal: AbortSignal): Promise<void> {
    const removed = this.#parting().flatMap(({ ip, inUse }) => (inUse ? [] : ip))
    const change = { added: [], removed }
    if (change.removed.length === 0) return
    await this.#input.filter.change([], change.removed, signal)
    this.#addresses.changed(change)
  }

  /** Those that are let in and should not be, and whether something may still be sent to them. */
  #parting(): readonly { readonly ip: Ip; readonly inUse: boolean }[] {
    const surplus = this.#addresses.surplus()
    const inUse = surplus.length === 0 ? undefined : this.#input.inUse()
    return surplus.map((ip) => ({ ip, inUse: inUse?.has(ip.text) ?? true }))
  }
}
