import type { Family } from '../net/ip.ts'
import { Histogram } from './histogram.ts'

/** From a pass that has nothing to do to one that programs ten thousand peers, in seconds. */
const PASS_BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.25, 1, 2.5, 10] as const
/** From a member on this host to the deadline of a call, in seconds. */
const STORE_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const
/** By how much a timer was late, in seconds. */
const LAG_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] as const

export const COUNTED_TABLES = ['neighbour', 'fdb', 'route'] as const
export type CountedTable = (typeof COUNTED_TABLES)[number]

/** What is counted of the tables of one address family. */
export class FamilyCounts {
  /** Rows that others had changed, as they were noticed. */
  readonly restored: Record<CountedTable, number> = { neighbour: 0, fdb: 0, route: 0 }
  /** Rows that the kernel has refused, every attempt. */
  refused = 0
  /** How long passes took, in seconds. */
  readonly passes = new Histogram(PASS_BOUNDS)
  /** Undefined: there was none. */
  lastPassMs: number | undefined

  passed(ms: number): void {
    this.lastPassMs = ms
    this.passes.observe(ms / 1_000)
  }
}

/** What is counted of etcd. */
export class StoreCounts {
  /** How long requests took that were answered, in seconds. */
  readonly requests = new Histogram(STORE_BOUNDS)
  /** Attempts at requests that failed, by the code of the error. */
  readonly failures = new Map<string, number>()
  /** How often the watch of the leases stood again after it was lost. */
  reconnects = 0
  /** When it began to answer, to refuse or to be away, as it does now, on the monotonic clock; undefined: as since the start. */
  changedMs: number | undefined

  answered(ms: number): void {
    this.requests.observe(ms / 1_000)
  }

  failed(code: string): void {
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1)
  }
}

/**
 * What an agent counts, from its start to its end, for whoever asks: plain numbers, written where something happens and read by nobody
 * who decides anything. They only grow; sessions begin anew, these do not.
 */
export class AgentCounts {
  readonly #families = new Map<Family, FamilyCounts>()
  /** Looks at the firewall that found our rules changed from outside. */
  firewallRepairs = 0
  /** Packets that the peer filter has dropped: of hosts that are no peers, and those that this host forges. */
  readonly filterDrops = { strangers: 0, forged: 0 }
  /** How often the kernel's tables of neighbours were full, by family; one of which it does not tell has no entry. */
  readonly neighbourOverflows = new Map<Family, number>()
  readonly store = new StoreCounts()
  /** By how much the process was late for its own timer, in seconds: the event loop was busy, or the machine was. */
  readonly lag = new Histogram(LAG_BOUNDS)
  /** The last of them, in seconds. */
  lastLagSeconds = 0

  of(family: Family): FamilyCounts {
    const counts = this.#families.get(family) ?? new FamilyCounts()
    this.#families.set(family, counts)
    return counts
  }

  /** Families of which something was counted. */
  get families(): ReadonlyMap<Family, FamilyCounts> {
    return this.#families
  }

  late(seconds: number): void {
    this.lastLagSeconds = seconds
    this.lag.observe(seconds)
  }
}
