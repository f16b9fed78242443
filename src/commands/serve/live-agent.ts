import type { AgentPorts } from '../../agent/runtime/ports.ts'
import type { EventsView, LiveAgent, StoreView } from '../../agent/status/live-agent.ts'
import type { DaemonOptions } from '../../config/options.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import type { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'

/** Put in by packaging/build.mjs; there is none when the sources run as they are. */
declare const BUILD_COMMIT: string | undefined

/** Of a store of leases, what is known of it without asking. */
export interface StoreFacts extends Pick<StoreView, 'kind' | 'outage' | 'endpoints'> {
  readonly certificates: { readonly known: NonNullable<StoreView['certificates']> } | undefined
}

/** Of etcd. */
export const etcdFacts = (store: Pick<EtcdLeaseStore, 'endpoints' | 'certificates'>): StoreFacts => ({
  kind: 'etcd',
  outage: 'etcd',
  get endpoints() {
    return store.endpoints
  },
  certificates: store.certificates,
})

export interface LiveInput {
  readonly options: DaemonOptions
  readonly ports: AgentPorts
  /** As its status has it. */
  readonly store: StoreFacts
  readonly kernel: Pick<RtnetlinkKernel, 'stats'>
  readonly version: string
  readonly events: EventsView
  /** On the monotonic clock. */
  readonly startedMs: number
}

/** What those see of this agent who answer for it. */
export const liveAgent = ({ options, ports, store, kernel, version, events, startedMs }: LiveInput): LiveAgent => ({
  program: {
    version,
    commit: typeof BUILD_COMMIT === 'string' ? BUILD_COMMIT : 'unknown',
    pid: process.pid,
  },
  node: ports.node,
  instance: ports.instance,
  clock: ports.clock,
  wallMs: Date.now,
  startedMs,
  flags: options.given ?? {},
  status: ports.status,
  counts: ports.counts,
  store: {
    kind: store.kind,
    outage: store.outage,
    configuration: ports.subnets.configuration.name,
    get endpoints() {
      return store.endpoints
    },
    get certificates() {
      return store.certificates?.known
    },
  },
  reaches: ports.reaches,
  events,
  kernelCounts: () => {
    const { byOp, errors, overruns, writes } = kernel.stats()
    return { requests: Object.values(byOp).reduce((sum, count) => sum + count, 0), errors, overruns, writes }
  },
})
