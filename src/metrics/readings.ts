import type { RejectionCode } from '../lease/rejection.ts'
import type { AgentCounts, CountedTable } from '../counts/agent-counts.ts'
import type { HistogramReading } from '../counts/histogram.ts'
import type { PeerStatus, StatusDocument } from '../status/document.ts'

/** What the probes have come to since the start. */
export interface ProbeReadings {
  readonly questions: number
  readonly answers: number
  /** Questions that were not answered in time. */
  readonly lost: number
  /** Round trips through the overlay, in seconds. */
  readonly roundTrips: HistogramReading
}

/** A row that is not as it should be. */
export interface PendingCount {
  readonly family: 4 | 6
  readonly table: CountedTable
}

/** How the subnets of one address family are handed out. */
export interface SubnetsOfFamily {
  readonly family: 4 | 6
  /** How many the network configuration lets nodes have. */
  readonly all: number
  /** Of them, how many are in leases as far as this agent knows, its own included. */
  readonly leased: number
}

/** How the process is. Null: this host does not tell. */
export interface ProcessReadings {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly virtualBytes: number | null
  readonly openFds: number | null
  readonly maxFds: number | null
  readonly startSeconds: number
  readonly nodejs: string
}

/** Everything that metrics are made of, as it is at one moment. */
export interface Readings {
  readonly status: StatusDocument
  readonly counts: AgentCounts
  /** Undefined: peers are not asked. */
  readonly probes: ProbeReadings | undefined
  /** Rows that are not as they should be. */
  readonly pending: Iterable<PendingCount>
  /** Why leases are rejected, one for each, in words. */
  readonly rejections: Iterable<RejectionCode>
  readonly subnets: readonly SubnetsOfFamily[]
  readonly process: ProcessReadings
}

/** For series of each peer. */
export interface PeerReadings {
  /** All of them, each time that it is called. */
  readonly peers: () => Iterable<PeerStatus>
}
