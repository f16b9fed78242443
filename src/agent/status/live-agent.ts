import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { NodeIdentity } from '../../lease/lease.ts'
import type { PeerReaches } from '../../probe/peer-reaches.ts'
import type { StatusEvent, StoreKind } from '../../status/document.ts'
import type { Clock } from '../../time/clock.ts'
import type { AgentStatus } from '../runtime/status.ts'

/** Whether packets arrive at peers: what the probes know. */
export type ReachView = Pick<PeerReaches, 'isOn' | 'why' | 'reach' | 'counts' | 'askNow'> &
  Partial<Pick<PeerReaches, 'totals'>>

/** What has happened. */
export interface EventsView {
  /** All that are remembered, or those behind `id`, the newest last. */
  after(id?: number): readonly StatusEvent[]
  readonly lastId: number
  /** Resolves when there is one behind `id`, after so many milliseconds, or when `signal` aborts. */
  next(id: number, withinMs: number, signal: AbortSignal): Promise<void>
}

/** An agent that runs, as whoever answers for it sees it. Everything is looked up when it is asked for. */
export interface LiveAgent {
  readonly program: { readonly version: string; readonly commit: string; readonly pid: number }
  readonly node: NodeIdentity
  readonly instance: string
  readonly clock: Clock
  /** Wall-clock time, in milliseconds. */
  readonly wallMs: () => number
  /** When it started, on the monotonic clock. */
  readonly startedMs: number
  /** Flags that are not at their default; no secrets. */
  readonly flags: Readonly<Record<string, string>>
  readonly status: Pick<AgentStatus, 'session' | 'failing' | 'state' | 'tablesOf'>
  readonly counts: AgentCounts
  readonly store: StoreView
  readonly reaches: ReachView
  readonly events: EventsView
  readonly kernelCounts: () => KernelCounts
}

/** Whoever is asked for leases, as calls have shown that were made anyway. */
export interface StoreView {
  readonly kind: StoreKind
  /** The condition that fails while nobody answers; others, such as a configuration that is none, were answered. */
  readonly outage: string
  /** Where the network configuration is, such as `/coreos.com/network/config`. */
  readonly configuration: string
  /** Its addresses; times are of the monotonic clock, in milliseconds. */
  readonly endpoints: readonly {
    readonly url: string
    readonly isUp: boolean | undefined
    readonly latencyMs: number | undefined
    readonly lastError: { readonly message: string; readonly atMs: number } | undefined
  }[]
  /** The files of certificates that it is met with; undefined: none. `toMs` is wall-clock time. */
  readonly certificates:
    | {
        readonly problem: string | undefined
        readonly validities: readonly { readonly what: string; readonly toMs: number }[]
      }
    | undefined
}

/** What has been asked of the kernel since the start. */
export interface KernelCounts {
  readonly requests: number
  readonly errors: number
  readonly overruns: number
  readonly writes: number
}
