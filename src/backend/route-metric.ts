import { subnetIndex, type Prefix } from '../net/prefix.ts'

/** Metrics are 32 bits (RTA_PRIORITY); an IPv6 network can hold more subnets than that, and there uniqueness buys nothing. */
const METRIC_RANGE = 1n << 31n

/**
 * Metric of the route to a peer's subnet: its number within the network, counted from 1. Stable over restarts, and for IPv4 unique,
 * because the kernel's fib_info hash covers the metric but not the gateway: equal metrics would all share one hash chain and make
 * adding n routes cost n².
 */
export const routeMetric = (network: Prefix, subnet: Prefix): number =>
  Number(subnetIndex(network, subnet) % METRIC_RANGE) + 1
