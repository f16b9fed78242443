import type { Wakeup } from '../../time/wakeup.ts'
import { COUNTED_TABLES } from '../../counts/agent-counts.ts'
import type { Family } from '../../net/ip.ts'
import type { PassReport, Reconciler } from '../../reconcile/reconciler.ts'
import type { RowFailure } from '../../reconcile/row.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { SetUpReport } from './set-up.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'
import { unreachablePeers } from '../runtime/unreachable-peers.ts'

export interface ReconcileTaskInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'log' | 'conditions' | 'status' | 'counts'>
  readonly reconciler: Reconciler
  /** Who is told of peers: what the reconciler holds need not be one key for each. */
  readonly sink: { readonly peers: number }
  readonly readiness: Pick<SetUpReport, 'forwards'>
  readonly family: Family
  /** Where the rows stand that forwarding takes. */
  readonly on: 'device' | 'underlay' | 'nowhere'
  readonly somethingToDo: Wakeup
  /** Lets peers in before anything is sent to them, and out after. */
  readonly gate: PeerGate | undefined
}

/** What stands around every pass. */
export interface PeerGate {
  /** Resolves when it stands for the first time, or `signal` aborts: no device is made before. */
  stands(signal: AbortSignal): Promise<void>
  /** Resolves when peers that are about to be programmed have been let in, or cannot be. */
  admit(signal: AbortSignal): Promise<void>
  /** Entries of peers may have gone. */
  release(): void
}

/**
 * Behind the notifications, the tables are read in full this often, in milliseconds: it takes some 6 µs for each peer, and is to take one
 * part in ten thousand of a processor's time, as long as nothing stays wrong for longer than ten minutes.
 */
const PERIODIC_SNAPSHOT_MS = 60_000
const SNAPSHOT_EACH_MS = 60
const MOST_SNAPSHOT_MS = 600_000
const RETRY_MS = 1_000
/** A pass that takes longer has lost its way, in milliseconds: the largest tables are programmed in seconds. */
const PASS_BOUND_MS = 60_000
/** A bulk pass with many refusals must not flood the log. */
const MOST_FAILURES_NAMED = 10

/** Runs the reconciler whenever there may be something to do, and says what it did. */
export class ReconcileTask implements Task {
  readonly name: string
  readonly roundMs = ROUND_MS.kernel
  readonly #input: ReconcileTaskInput
  /** The device whose tables have been read in full. */
  #snapshotOf: number | undefined

  constructor(input: ReconcileTaskInput) {
    this.#input = input
    this.name = `IPv${input.family} tables`
  }

  async run(context: TaskContext): Promise<void> {
    const { signal, rest } = context
    const { ports, reconciler, somethingToDo } = this.#input
    let snapshotAtMs = ports.clock.monotonicMs()
    while (!isStopped(signal)) {
      if (ports.clock.monotonicMs() - snapshotAtMs >= this.#snapshotEveryMs) {
        reconciler.invalidate()
        snapshotAtMs = ports.clock.monotonicMs() // whether it can be read or not, or there is no device to read
      }
      const report = await this.#pass(context)
      if (isStopped(signal)) break
      if (report?.tookSnapshot === true) snapshotAtMs = ports.clock.monotonicMs()
      const retryMs = report === undefined ? RETRY_MS : reconciler.nextPassInMs()
      const untilSnapshotMs = Math.max(0, snapshotAtMs + this.#snapshotEveryMs - ports.clock.monotonicMs())
      const waitMs = Math.min(untilSnapshotMs, retryMs ?? Infinity)
      await rest(waitMs, somethingToDo)
    }
  }

  get #snapshotEveryMs(): number {
    const { peers } = this.#input.sink
    return Math.min(Math.max(PERIODIC_SNAPSHOT_MS, peers * SNAPSHOT_EACH_MS), MOST_SNAPSHOT_MS)
  }

  /** @returns undefined when the kernel could not be read */
  async #pass({ signal, watchdog }: TaskContext): Promise<PassReport | undefined> {
    const { ports, reconciler, gate, readiness, family } = this.#input
    try {
      await gate?.admit(signal)
      const beganMs = ports.clock.monotonicMs()
      const report = await watchdog.during(this.name, PASS_BOUND_MS, reconciler.pass(signal))
      this.#count(report, ports.clock.monotonicMs() - beganMs)
      gate?.release()
      ports.conditions.holds(readingOf(family))
      this.#say(report)
      if (report.tookSnapshot) this.#snapshotOf = report.linkIndex
      const synced = this.#forwards()
      const { pending } = reconciler
      const { peers } = this.#input.sink
      const unreachable = unreachablePeers(reconciler.refusedRows(), peers)
      ports.status.tables(family, { peers, pending, synced, unreachable })
      if (synced) readiness.forwards(family, report)
      return report
    } catch (error) {
      if (signal.aborted || !isCurable(error)) throw error
      ports.conditions.fails(readingOf(family), error, 'none', {
        says: `cannot read the kernel's tables: ${error.message}`,
        saysHolds: "the kernel's tables can be read again",
      })
      return undefined
    }
  }

  /** Whether the overlay forwards. Single peers that the kernel refuses do not keep the others waiting. */
  #forwards(): boolean {
    const { reconciler, on } = this.#input
    if (on !== 'device') return on === 'nowhere' || reconciler.isUnderlayRead
    const { linkIndex, wanted, pending } = reconciler
    const nothingIsRight = wanted > 0 && pending >= wanted
    return linkIndex !== undefined && linkIndex === this.#snapshotOf && !nothingIsRight
  }

  #count({ undoneIn, failures }: PassReport, tookMs: number): void {
    const counts = this.#input.ports.counts.of(this.#input.family)
    counts.passed(tookMs)
    counts.refused += failures.length
    for (const table of COUNTED_TABLES) counts.restored[table] += undoneIn[table]
  }

  #say(report: PassReport): void {
    const { log } = this.#input.ports
    const { undone, undoneExample, flapping, failures, written, erased } = report
    const of = { family: this.#input.family }
    if (undone > 0)
      log.warn(
        'entries changed from outside; restoring them',
        { entries: undone, one: undoneExample },
        { kind: 'entries-restored', ...of },
      )
    if (flapping !== undefined)
      log.warn(
        'an entry keeps being changed from outside; restoring it ever more slowly. Another agent or script?',
        { entry: flapping },
        { kind: 'entry-fought-over', ...of },
      )
    for (const failure of failures.filter(isWorthSaying).slice(0, MOST_FAILURES_NAMED)) this.#sayFailure(failure)
    if (failures.length > MOST_FAILURES_NAMED)
      log.warn('further entries were refused', { entries: failures.length }, { kind: 'entries-refused', ...of })
    if (written + erased > 0) log.debug('entries programmed', { written, erased })
  }

  #sayFailure({ row, peer, error, times }: RowFailure): void {
    this.#input.ports.log.warn(
      `the kernel refuses ${row}: ${error.message}`,
      { peer, code: error.code, times },
      { kind: 'entry-refused', family: this.#input.family, row, reason: error.message },
    )
  }
}

const readingOf = (family: Family): string => `reading tables of IPv${family}`

/** Often enough to be seen, ever more rarely: the 1st, 2nd, 4th, 8th … refusal in a row. */
const isWorthSaying = ({ times }: RowFailure): boolean => Number.isInteger(Math.log2(times))
