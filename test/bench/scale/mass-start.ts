import { readFile } from 'node:fs/promises'
import { openStore } from '../../etcd/etcd-harness.ts'
import { EtcdMetrics } from '../../lab/etcd-metrics.ts'
import { SUBNET_FILE, waitFor, type Lab, type LabHost } from '../../lab/index.ts'

/** What starting all agents at once came to. */
export interface MassStart {
  readonly agents: number
  /** From the first start until the last of them had its lease, in milliseconds. */
  readonly leasedMs: number
  /** Until the last subnet file was written, in milliseconds. */
  readonly readyMs: number
  /** Subnets in the subnet files, one of each agent that wrote one. */
  readonly subnets: readonly string[]
  /** Names of the leases in etcd. */
  readonly leases: readonly string[]
  /** What etcd was asked meanwhile, by method. */
  readonly requests: Readonly<Record<string, number>>
  /** Transactions that lost a race for a subnet: each has its etcd lease revoked. */
  readonly lostRaces: number
  /** Within which 99 of 100 unary requests were handled, in seconds, as etcd's histogram has it; undefined where etcd keeps none. */
  readonly p99Seconds: number | undefined
  /** Processor time of etcd, in seconds. */
  readonly etcdSeconds: number
  /** Of all agents until the last had its lease, in seconds: on machines of their own they would share none. */
  readonly agentsSeconds: number
  readonly sentBytes: number
}

/** etcd counts how long it takes only when told so. */
export const WITH_HISTOGRAMS = ['--metrics=extensive'] as const

/**
 * Hundreds of hosts share this kernel's one neighbour table, which has room for 1 024 by default: agents that ask each other need one for each
 * pair, and etcd would not be reached for want of one.
 */
const UNASKED = ['--peer-probes=false'] as const

const REVOKE = 'etcdserverpb.Lease/LeaseRevoke'

/**
 * Starts the agents of all hosts in one go, and waits until each has its lease and has written its subnet file. Looks as seldom as it
 * can: what looks takes the processor from what is looked at.
 */
export async function startAtOnce(lab: Lab, deadlineMs: number): Promise<MassStart> {
  const { endpoint } = lab.etcd.member
  const before = await EtcdMetrics.read(endpoint)
  const stop = new AbortController()
  const store = openStore({ endpoints: [endpoint] })
  try {
    const list = await store.list(stop.signal)
    const startedMs = performance.now()
    for (const { agent } of lab.hosts) agent.start(UNASKED)
    const leases = new Set<string>()
    let leasedMs = NaN
    for await (const event of store.watch(list, AbortSignal.any([stop.signal, AbortSignal.timeout(deadlineMs)]))) {
      if (event.kind !== 'deltas') throw new Error(`the watch ended: ${event.kind}`)
      for (const delta of event.deltas)
        if (delta.kind === 'put') leases.add(delta.record.key)
        else leases.delete(delta.key)
      leasedMs = performance.now() - startedMs
      if (leases.size === lab.hosts.length) break
    }
    if (leases.size !== lab.hosts.length) throw new Error(`${leases.size} of ${lab.hosts.length} leases`)
    const agentsMs = await Promise.all(lab.hosts.map(({ agent }) => agent.cpuMs()))
    const subnets = await Promise.all(lab.hosts.map((host) => subnetOf(host, deadlineMs)))
    const readyMs = performance.now() - startedMs
    const after = await EtcdMetrics.read(endpoint)
    const requests = after.callsSince(before)
    return {
      agents: lab.hosts.length,
      ...{ leasedMs, readyMs, subnets, requests },
      leases: (await store.list(stop.signal)).records.map(({ key }) => key),
      lostRaces: requests[REVOKE] ?? 0,
      p99Seconds: after.quantileSince(before, 'grpc_server_handling_seconds', 0.99, { grpc_type: 'unary' }),
      etcdSeconds: after.since(before, 'process_cpu_seconds_total'),
      agentsSeconds: agentsMs.reduce((sum, ms) => sum + ms / 1_000, 0),
      sentBytes: after.since(before, 'etcd_network_client_grpc_sent_bytes_total'),
    }
  } finally {
    stop.abort()
    store.close()
  }
}

/** FLANNEL_SUBNET of a host, read through its process: entering its namespaces takes ten milliseconds of a processor each time. */
async function subnetOf({ name, place }: LabHost, deadlineMs: number): Promise<string> {
  const path = `/proc/${place.pid}/root${SUBNET_FILE}`
  const read = async (): Promise<string | undefined> =>
    /^FLANNEL_SUBNET=(.+)$/m.exec(await readFile(path, 'utf8').catch(() => ''))?.[1]
  return waitFor(`the subnet file of ${name}`, read, { deadlineMs, everyMs: 200 })
}
