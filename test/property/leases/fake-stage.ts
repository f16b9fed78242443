import type { Challenges } from '../../../src/lease/challenges.ts'
import type { LeaseDelta, LeaseRecord, LeaseStore } from '../../../src/lease/store.ts'
import type { Clock } from '../../../src/time/clock.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { FakeEtcd } from '../../fake/fake-etcd.ts'
import { FakeLeaseStore } from '../../fake/fake-lease-store.ts'
import type { Stage } from './stage.ts'

/** As upstream grants it. */
const TTL_SECONDS = 86_400
/** More steps than this, and one per millisecond, without time passing are a busy loop. */
const BUSY_STEPS = 10_000

/** An etcd in memory, in virtual time. */
export class FakeStage implements Stage {
  readonly clock = new FakeClock(0, 1)
  readonly slackMs = 1_000
  readonly quiet = { mostMs: 240_000, stepMs: 80_000 }
  readonly history: LeaseDelta[] = []
  readonly #etcd = new FakeEtcd()

  constructor() {
    this.#etcd.listen(({ deltas }) => {
      this.history.push(...deltas)
    })
  }

  open(clock: Clock): LeaseStore & Challenges {
    return new FakeLeaseStore(this.#etcd, clock)
  }

  /** From one sleeper to the next, with the time of etcd going along. */
  async pass(ms: number, look: () => void): Promise<void> {
    const { clock } = this
    const endMs = clock.monotonicMs() + ms
    for (let steps = 0; ; steps++) {
      const leftMs = endMs - clock.monotonicMs()
      const stepMs = Math.max(0, Math.min(clock.nextDueInMs ?? Infinity, leftMs))
      this.#etcd.advance(stepMs)
      await clock.advance(stepMs)
      look()
      if (leftMs <= stepMs) return
      if (steps > BUSY_STEPS + ms) throw new Error('somebody sleeps and wakes without end')
    }
  }

  records(): Promise<readonly LeaseRecord[]> {
    return Promise.resolve(this.#etcd.records)
  }

  putConfig(text: string): Promise<void> {
    this.#etcd.putConfig(text)
    return Promise.resolve()
  }

  putLease(key: string, value: string): Promise<LeaseRecord> {
    const record = this.#etcd.put(key, value, this.#etcd.grant(TTL_SECONDS))
    return record === undefined ? Promise.reject(new Error('not granted')) : Promise.resolve(record)
  }

  deleteLease(key: string): Promise<void> {
    this.#etcd.delete(key)
    return Promise.resolve()
  }

  revoke(etcdLeaseId: string): Promise<void> {
    this.#etcd.revoke(etcdLeaseId)
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
