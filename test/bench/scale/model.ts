import { pagesOf } from './holder.ts'

/** What etcd is asked, and what it says. */
export interface Forecast {
  readonly requests: number
  /** Changes told to watchers, each to each. */
  readonly events: number
  /** Of messages, without what HTTP/2 and TCP add. */
  readonly sentBytes: number
}

/** A lease with its key as etcd tells it, in bytes: what `leaseValue` and a name make of a node. */
const LEASE_BYTES = 264
/** Around it in a change. */
const EVENT_BYTES = 26
/** An answer that says of the store where it stands, and little more. */
const ANSWER_BYTES = 60

/** The configuration, a lease, a transaction, four watches with a look each, two keys that are looked at before they are watched. */
const JOIN_REQUESTS = 1 + 2 + 4 + 4 + 2
/** The same without a lease to be written, and without the watch that confirms it; and a renewal. */
const RESTART_REQUESTS = 1 + 1 + 3 + 3 + 2

const sum = (from: number, count: number, of: (nodes: number) => number): number => {
  let total = 0
  for (let nodes = from; nodes < from + count; nodes++) total += of(nodes)
  return total
}

/** What etcd has to do, computed from what an agent asks of it ([performance](../../../docs/performance.md)). */
export const forecast = {
  /**
   * So many nodes join those that are there, some of them at once. The watch that confirms a lease tells of that lease, and of those of the
   * others who are under way: half of them, as some of those come later.
   */
  joins: (count: number, there = 0, atOnce = 1): Forecast => {
    const events = sum(there, count, (nodes) => nodes + 1 + (atOnce - 1) / 2)
    const requests = sum(there, count, (nodes) => JOIN_REQUESTS + pagesOf(nodes))
    const listed = sum(there, count, (nodes) => nodes * LEASE_BYTES)
    return { requests, events, sentBytes: listed + events * (LEASE_BYTES + EVENT_BYTES) + requests * ANSWER_BYTES }
  },
  /** So many of the nodes start again, whose leases stand. */
  restarts: (nodes: number): Forecast => {
    const requests = nodes * (RESTART_REQUESTS + pagesOf(nodes))
    return { requests, events: 0, sentBytes: nodes * nodes * LEASE_BYTES + requests * ANSWER_BYTES }
  },
  /** So many leases are written, and every node hears of each. */
  changes: (count: number, nodes: number): Forecast => ({
    requests: count,
    events: count * nodes,
    sentBytes: count * nodes * (LEASE_BYTES + EVENT_BYTES) + count * ANSWER_BYTES,
  }),
  looks: (count: number): Forecast => ({ requests: count, events: 0, sentBytes: count * ANSWER_BYTES }),
  renewals: (count: number): Forecast => ({ requests: count, events: 0, sentBytes: count * ANSWER_BYTES }),
} as const
