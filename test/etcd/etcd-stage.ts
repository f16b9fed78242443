import { setMaxListeners } from 'node:events'
import { systemClock } from '../../src/host/system-clock.ts'
import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import type { Challenges } from '../../src/lease/challenges.ts'
import type { LeaseDelta, LeaseRecord, LeaseStore } from '../../src/lease/store.ts'
import type { Clock } from '../../src/time/clock.ts'
import type { EtcdCluster } from '../lab/etcd-process.ts'
import type { Quiet, Stage } from '../property/leases/stage.ts'
import { leaseHex, openStore } from './etcd-harness.ts'

/** As upstream grants it. */
const LIFETIME = { kind: 'grant', ttlSeconds: 86_400 } as const
/** What a busy machine needs for what takes no time, in milliseconds of real time. */
const SLACK_MS = 2_000
/** How long whoever waits for anything may take, in milliseconds of the nodes' time. */
const REST_MS = 240_000
/** In milliseconds of real time. */
const STEP_MS = 500
/** How often to look, in milliseconds of real time. */
const LOOK_MS = 20

export interface EtcdStageOptions {
  readonly cluster: EtcdCluster
  /** Of its own among those that share the etcd. */
  readonly prefix: string
  /** Where the nodes find it. */
  readonly endpoint: string
  /** How many times faster than real time the nodes live; etcd's own time is real. */
  readonly speed: number
}

/** A real etcd, in time that runs faster than ours. */
export class EtcdStage implements Stage {
  readonly clock: Clock
  readonly slackMs: number
  readonly quiet: Quiet
  readonly history: LeaseDelta[] = []
  readonly #options: EtcdStageOptions
  readonly #stop = new AbortController()
  /** Somebody's who is no node. */
  readonly #store: EtcdLeaseStore
  readonly #recording: Promise<void>
  /** By key, its revision. */
  readonly #standing = new Map<string, bigint>()

  constructor(options: EtcdStageOptions) {
    const { cluster, prefix, speed } = options
    setMaxListeners(0, this.#stop.signal)
    this.#options = options
    this.slackMs = SLACK_MS * speed
    this.quiet = { mostMs: REST_MS, stepMs: STEP_MS * speed }
    this.clock = {
      monotonicMs: () => systemClock.monotonicMs() * speed,
      sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    }
    this.#store = openStore({ endpoints: cluster.endpoints, prefix })
    this.#recording = this.#record()
  }

  open(clock: Clock): LeaseStore & Challenges {
    const { prefix, endpoint } = this.#options
    return openStore({ endpoints: [endpoint], prefix }, { clock })
  }

  async pass(ms: number, look: () => void): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms
    for (let leftMs = ms; leftMs > 0; leftMs = endMs - this.clock.monotonicMs()) {
      await this.clock.sleep(Math.min(leftMs, LOOK_MS * this.#options.speed), this.#stop.signal)
      look()
    }
  }

  /** What the history has come to as well. */
  async records(): Promise<readonly LeaseRecord[]> {
    for (;;) {
      const { records } = await this.#store.list(this.#stop.signal)
      if (sameRecords(records, this.#standing)) return records
      await systemClock.sleep(LOOK_MS, this.#stop.signal)
    }
  }

  async putConfig(text: string): Promise<void> {
    await this.#options.cluster.etcdctl(['put', `${this.#options.prefix}/config`, text])
  }

  async putLease(key: string, value: string): Promise<LeaseRecord> {
    const { signal } = this.#stop
    for (;;) {
      const seen = (await this.records()).find((record) => record.key === key)
      const result =
        seen === undefined
          ? await this.#store.create(key, value, LIFETIME, signal)
          : await this.#store.replace(seen, value, signal, LIFETIME)
      if (result.ok) return result.record
    }
  }

  async deleteLease(key: string): Promise<void> {
    await this.#options.cluster.etcdctl(['del', `${this.#options.prefix}/subnets/${key}`])
  }

  /** Where it has not ended meanwhile. */
  async revoke(etcdLeaseId: string): Promise<void> {
    await this.#options.cluster.etcdctl(['lease', 'revoke', leaseHex(etcdLeaseId)]).catch(() => undefined)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#recording
    this.#store.close()
    await this.#options.cluster.etcdctl(['del', '--prefix', `${this.#options.prefix}/`])
  }

  async #record(): Promise<void> {
    const { signal } = this.#stop
    const list = await this.#store.list(signal)
    for await (const event of this.#store.watch(list, signal))
      if (event.kind === 'deltas') for (const delta of event.deltas) this.#take(delta)
      else throw new Error(`the history is gone: ${event.kind}`)
  }

  #take(delta: LeaseDelta): void {
    this.history.push(delta)
    if (delta.kind === 'put') this.#standing.set(delta.record.key, delta.record.modRevision)
    else this.#standing.delete(delta.key)
  }
}

const sameRecords = (records: readonly LeaseRecord[], standing: ReadonlyMap<string, bigint>): boolean =>
  records.length === standing.size && records.every(({ key, modRevision }) => standing.get(key) === modRevision)
