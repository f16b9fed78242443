import { decodeChallenge, encodeChallenge } from '../../src/etcd/challenge-codec.ts'
import type { Challenge, Challenger } from '../../src/lease/challenges.ts'
import { StoreError } from '../../src/lease/store.ts'
import type { Clock } from '../../src/time/clock.ts'
import type { FakeEtcd } from './fake-etcd.ts'

/** One challenge of our own. */
interface Asked {
  readonly name: string
  readonly etcdLeaseId: string
}

const TTL_SECONDS = 60
let asked = 0

/** Challenges over a {@link FakeEtcd}, through a connection that somebody else opens and cuts. */
export class FakeChallenges {
  readonly #etcd: FakeEtcd
  readonly #clock: Clock
  readonly #checkConnection: (op: string) => void
  readonly #connectionListeners = new Set<() => void>()

  /** @param checkConnection throws the StoreError of a store that is out of reach or closed */
  constructor(etcd: FakeEtcd, clock: Clock, checkConnection: (op: string) => void) {
    this.#etcd = etcd
    this.#clock = clock
    this.#checkConnection = checkConnection
  }

  connectionChanged(): void {
    for (const listener of [...this.#connectionListeners]) listener()
  }

  put(key: string, from: Challenger): Asked {
    const etcdLeaseId = this.#etcd.grant(TTL_SECONDS)
    const name = `${key}/${++asked}`
    this.#etcd.putChallenge(name, encodeChallenge({ from, by: undefined }), etcdLeaseId)
    return { name, etcdLeaseId }
  }

  takeBack(nodeId: string): void {
    for (const [name, { value, etcdLeaseId }] of this.#etcd.challenges) {
      if (decodeChallenge(value).from?.id !== nodeId) continue
      this.#etcd.deleteChallenge(name)
      this.#etcd.revokeBare(etcdLeaseId)
    }
  }

  async awaitAnswer(
    { name, etcdLeaseId }: Asked,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Challenger | undefined> {
    const untilMs = this.#clock.monotonicMs() + waitMs
    try {
      for (;;) {
        const leftMs = untilMs - this.#clock.monotonicMs()
        const by = this.#answerTo(name, signal)
        if (by !== undefined || leftMs <= 0) return by
        await this.#change(leftMs, signal)
      }
    } finally {
      this.#etcd.revoke(etcdLeaseId)
    }
  }

  async *listen(key: string, signal: AbortSignal): AsyncGenerator<Challenge, void, undefined> {
    const told = new Set<string>()
    const left = new AbortController()
    const ending = AbortSignal.any([signal, left.signal])
    try {
      while (!signal.aborted) {
        const changed = this.#change(undefined, ending)
        for (const { id, value, modRevision } of this.#reachable(key)) {
          const { from, by } = decodeChallenge(value)
          const name = `${this.#etcd.clusterId} ${modRevision}`
          if (by !== undefined || told.has(name)) continue
          told.add(name)
          yield { key, id, from }
        }
        await changed
      }
    } finally {
      left.abort()
    }
  }

  answer({ key, id }: Challenge, by: Challenger): boolean {
    const name = `${key}/${id}`
    const seen = this.#etcd.challenges.get(name)
    if (seen === undefined) return false
    const value = decodeChallenge(seen.value)
    if (value.by !== undefined) return false
    this.#etcd.putChallenge(name, encodeChallenge({ ...value, by }), seen.etcdLeaseId)
    return true
  }

  #answerTo(name: string, signal: AbortSignal): Challenger | undefined {
    if (signal.aborted) throw new StoreError({ op: 'ask', code: 'ABORTED_BY_CALLER', retryable: false, message: 'ask' })
    this.#checkConnection('ask')
    const found = this.#etcd.challenges.get(name)
    if (found === undefined)
      throw new StoreError({ op: 'ask', code: 'ABORTED', retryable: true, message: 'taken away' })
    return decodeChallenge(found.value).by
  }

  /** Those to one lease; none while the store is out of reach. */
  #reachable(key: string): readonly { id: string; value: string; modRevision: bigint }[] {
    try {
      this.#checkConnection('challenges')
    } catch {
      return []
    }
    return [...this.#etcd.challenges].flatMap(([name, { value, modRevision }]) =>
      name.startsWith(`${key}/`) ? [{ id: name.slice(key.length + 1), value, modRevision }] : [],
    )
  }

  /** Until a challenge or the connection has changed, the time is up or the caller aborts. */
  async #change(mostMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const changed = new AbortController()
    const wake = (): void => {
      changed.abort()
    }
    const unlisten = this.#etcd.onChallenges(wake)
    this.#connectionListeners.add(wake)
    signal.addEventListener('abort', wake)
    if (mostMs === undefined) await aborted(changed.signal)
    else await this.#clock.sleep(mostMs, changed.signal)
    signal.removeEventListener('abort', wake)
    this.#connectionListeners.delete(wake)
    unlisten()
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve()
        },
        { once: true },
      )
  })
}
