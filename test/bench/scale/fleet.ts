import { setTimeout as delay } from 'node:timers/promises'
import { EtcdMetrics } from '../../lab/etcd-metrics.ts'
import { waitFor, type Lab, type LabHost } from '../../lab/index.ts'
import { LeaseHolder } from './holder.ts'
import { forecast, type Forecast } from './model.ts'

/** What etcd did while something happened, and what was expected of it. */
export interface Phase {
  readonly what: string
  /** How often it happened. */
  readonly times: number
  readonly expected: Forecast
  readonly measured: Forecast
  /** By method. */
  readonly requests: Readonly<Record<string, number>>
  /** Processor time of etcd, in seconds. */
  readonly etcdSeconds: number
  readonly p99Seconds: number | undefined
  /** Memory that etcd has afterwards. */
  readonly residentBytes: number
  /** Of it, what was in use when its collector ran last: by default it runs when the heap is twice as large (go: runtime, GOGC). */
  readonly usedBytes: number
}

/** Requests under way at once, as many as nodes that start together on a busy morning. */
const AT_ONCE = 20
/** Each asks so often for a sign of life, one after the other. */
const LOOKS = 5
/** Of leases that are written again, one after the other. */
const REWRITES = 50
const AT_REST_MS = 16_000
const SETTLED_MS = 60_000
/** Through a proxy: as long as nothing came. */
const QUIET_MS = 1_500
/** Share of the expected changes after which those that are left are nothing but chance. */
const ALMOST = 0.97

/** Many that hold leases and one agent, at one etcd. */
export class Fleet {
  readonly #lab: Lab
  readonly #host: LabHost
  readonly #isProxied: boolean
  readonly #holders: readonly LeaseHolder[]
  readonly #phases: Phase[] = []

  /** @param front URL of a proxy through which the holders reach etcd; it merges their watches */
  constructor(lab: Lab, holders: number, front?: string) {
    this.#lab = lab
    this.#host = lab.host(0)
    this.#isProxied = front !== undefined
    this.#holders = Array.from({ length: holders }, (_, number) => new LeaseHolder(front ?? this.#endpoint, number))
  }

  get #endpoint(): string {
    return this.#lab.etcd.member.endpoint
  }

  /** @throws {Error} when something does not come about */
  async run(): Promise<readonly Phase[]> {
    const { length: nodes } = this.#holders
    await this.#phase('join', nodes, forecast.joins(nodes, 0, AT_ONCE), () => this.#all((holder) => holder.join()))
    await this.#phase('ask for a sign of life', nodes * LOOKS, forecast.looks(nodes * LOOKS), () =>
      this.#all(async (holder) => {
        for (let time = 0; time < LOOKS; time++) await holder.look()
      }),
    )
    await this.#phase('renew', nodes, forecast.renewals(nodes), () => this.#all((holder) => holder.renew()))
    await this.#phase('an agent joins', 1, forecast.joins(1, nodes), async () => {
      this.#host.agent.start()
      await this.#host.ready(60_000)
    })
    await delay(AT_REST_MS / 4)
    await this.#phase('an agent at rest', 1, forecast.looks(AT_REST_MS / 5_000), () => delay(AT_REST_MS))
    await this.#phase('a lease is written again', REWRITES, forecast.changes(REWRITES, nodes + 1), async () => {
      for (const holder of this.#holders.slice(0, REWRITES)) await holder.rewrite()
    })
    await this.#host.agent.stop()
    await this.#phase('start again', nodes, forecast.restarts(nodes), () => this.#all((holder) => holder.restart()))
    return this.#phases
  }

  close(): void {
    for (const holder of this.#holders) holder.close()
  }

  async #phase(what: string, times: number, expected: Forecast, act: () => Promise<unknown>): Promise<void> {
    const before = await EtcdMetrics.read(this.#endpoint)
    await act()
    const after = this.#isProxied ? await this.#quiet() : await this.#settled(before, expected)
    const requests = after.callsSince(before)
    const measured = {
      requests: Object.values(requests).reduce((sum, count) => sum + count, 0),
      events: eventsSince(before, after),
      sentBytes: after.since(before, 'etcd_network_client_grpc_sent_bytes_total'),
    }
    this.#phases.push({
      ...{ what, times, expected, measured, requests },
      etcdSeconds: after.since(before, 'process_cpu_seconds_total'),
      p99Seconds: after.quantileSince(before, 'grpc_server_handling_seconds', 0.99, { grpc_type: 'unary' }),
      residentBytes: after.sum('process_resident_memory_bytes'),
      usedBytes: after.sum('go_memstats_next_gc_bytes') / 2 + after.sum('go_memstats_stack_inuse_bytes'),
    })
  }

  /** Readings once all that was to be told has been told: changes are still on their way when a write is answered. */
  async #settled(before: EtcdMetrics, { events }: Forecast): Promise<EtcdMetrics> {
    const look = async (): Promise<EtcdMetrics | undefined> => {
      const now = await EtcdMetrics.read(this.#endpoint)
      return eventsSince(before, now) >= events * ALMOST && now.sum('etcd_debugging_mvcc_pending_events_total') === 0
        ? now
        : undefined
    }
    return waitFor(`${events} events`, look, { deadlineMs: SETTLED_MS, everyMs: 200 })
  }

  /** Readings once nothing more comes of it; how much comes through a proxy, it alone knows. */
  async #quiet(): Promise<EtcdMetrics> {
    let told = NaN
    const look = (): boolean => {
      const before = told
      told = this.#holders.reduce((sum, { events }) => sum + events, 0)
      return told === before
    }
    await waitFor('no more to come', look, { deadlineMs: SETTLED_MS, everyMs: QUIET_MS })
    return EtcdMetrics.read(this.#endpoint)
  }

  async #all(act: (holder: LeaseHolder) => Promise<unknown>): Promise<void> {
    const left = this.#holders.values()
    const work = async (): Promise<void> => {
      for (const holder of left) await act(holder)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
}

const eventsSince = (before: EtcdMetrics, after: EtcdMetrics): number =>
  after.since(before, 'etcd_debugging_mvcc_events_total')
