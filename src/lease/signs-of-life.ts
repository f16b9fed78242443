/** All nodes of one etcd together ask it so often for a sign of life, in a second: a twelfth of a processor, more or less. */
const ASKED_PER_SECOND = 500
/** Up to 2 500 nodes; in milliseconds. */
const LEAST_MS = 5_000
/** However many: firewalls and balancers forget a connection after a minute at the earliest. In milliseconds. */
const MOST_MS = 30_000

/** How long nothing may be heard of etcd before it is asked for a sign of life, in milliseconds. @param leases that are in etcd: so many ask */
export const quietMs = (leases: number): number =>
  Math.min(Math.max((leases * 1_000) / ASKED_PER_SECOND, LEAST_MS), MOST_MS)
