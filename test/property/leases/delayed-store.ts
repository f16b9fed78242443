import { setMaxListeners } from 'node:events'
import { EventQueue } from '../../../src/etcd/keys/event-queue.ts'
import type { Challenge, Challenger, Challenges } from '../../../src/lease/challenges.ts'
import type { EtcdLeaseId, Revision } from '../../../src/lease/lease.ts'
import {
  StoreError,
  type CasResult,
  type ConfigRecord,
  type KeepAliveResult,
  type KeyLifetime,
  type LeaseList,
  type LeaseRecord,
  type LeaseStore,
  type LeaseWatchEvent,
  type StoreErrorCode,
  type StoreIdentity,
  type WatchStatus,
} from '../../../src/lease/store.ts'
import type { Clock } from '../../../src/time/clock.ts'
import type { Process } from './process.ts'

/** What lies between a process and its store. */
export interface Line {
  readonly process: Process
  /** The world's. */
  readonly clock: Clock
  /** How long the next message takes, in milliseconds. */
  readonly nextDelayMs: () => number
  /** Whether the answer to a call that has taken effect is lost. */
  readonly losesAnswer: () => boolean
  /** Told of every lease that the process has written, at once. */
  readonly onWritten: (record: LeaseRecord) => void
  /** Told of every lease that it has removed, or found gone, at once. */
  readonly onRemoved: (key: string) => void
}

/** As long as a real call is waited for, in milliseconds. */
const CALL_TIMEOUT_MS = 5_000

const never = new AbortController().signal
setMaxListeners(0, never)

/**
 * A store at the other end of a line: what is sent arrives later, and whatever the answer was may have changed before it is heard. What
 * was sent takes effect even if the sender has been frozen or killed, or has lost patience; a frozen one hears the answer when it runs
 * again.
 */
export class DelayedStore implements LeaseStore, Challenges {
  readonly #inner: LeaseStore & Challenges
  readonly #line: Line

  constructor(inner: LeaseStore & Challenges, line: Line) {
    this.#inner = inner
    this.#line = line
  }

  readConfig(signal: AbortSignal): Promise<ConfigRecord | undefined> {
    return this.#call('readConfig', signal, () => this.#inner.readConfig(never))
  }

  watchConfig(signal: AbortSignal): AsyncIterable<ConfigRecord | undefined> {
    return this.#stream(signal, (until) => this.#inner.watchConfig(until))
  }

  list(signal: AbortSignal): Promise<LeaseList> {
    return this.#call('list', signal, () => this.#inner.list(never))
  }

  watch(from: StoreIdentity, signal: AbortSignal, status?: WatchStatus): AsyncIterable<LeaseWatchEvent> {
    return this.#stream(signal, (until) => this.#inner.watch(from, until, status))
  }

  create(...[key, value, lifetime, signal, ...conditions]: Parameters<LeaseStore['create']>): Promise<CasResult> {
    return this.#write('create', lifetime, signal, () => this.#inner.create(key, value, lifetime, never, ...conditions))
  }

  replace(seen: LeaseRecord, value: string, signal: AbortSignal, lifetime?: KeyLifetime): Promise<CasResult> {
    return this.#write('replace', lifetime, signal, () => this.#inner.replace(seen, value, never, lifetime))
  }

  remove(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    return this.#remove('remove', seen, signal)
  }

  release(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    return this.#remove('release', seen, signal)
  }

  saidAt(key: string, revision: Revision, signal: AbortSignal): Promise<LeaseRecord | undefined | 'compacted'> {
    return this.#call('saidAt', signal, () => this.#inner.saidAt(key, revision, never))
  }

  keepAlive(etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<KeepAliveResult> {
    return this.#call('keepAlive', signal, () => this.#inner.keepAlive(etcdLeaseId, never))
  }

  ask(key: string, from: Challenger, waitMs: number, signal: AbortSignal): Promise<Challenger | undefined> {
    return this.#call('ask', signal, () => this.#inner.ask(key, from, waitMs, signal))
  }

  challenges(key: string, signal: AbortSignal): AsyncIterable<Challenge> {
    return this.#stream(signal, (until) => this.#inner.challenges(key, until))
  }

  answer(challenge: Challenge, by: Challenger, signal: AbortSignal): Promise<boolean> {
    return this.#call('answer', signal, () => this.#inner.answer(challenge, by, never))
  }

  takeBack(nodeId: string, signal: AbortSignal): Promise<void> {
    return this.#call('takeBack', signal, () => this.#inner.takeBack(nodeId, never))
  }

  refreshConnections(): void {
    this.#inner.refreshConnections()
  }

  close(): void {
    this.#inner.close()
  }

  /** A new etcd lease is granted with a call of its own before. */
  #write(
    op: string,
    lifetime: KeyLifetime | undefined,
    signal: AbortSignal,
    act: () => Promise<CasResult>,
  ): Promise<CasResult> {
    return this.#call(op, signal, async () => {
      if (lifetime?.kind === 'grant') await this.#wire(2)
      const result = await act()
      if (result.ok) this.#line.onWritten(result.record)
      return result
    })
  }

  #remove(op: 'remove' | 'release', seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    return this.#call(op, signal, async () => {
      const isGone = await this.#inner[op](seen, never)
      if (isGone) this.#line.onRemoved(seen.key)
      return isGone
    })
  }

  #call<T>(op: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    const { process, losesAnswer, clock } = this.#line
    const work = async (): Promise<T> => {
      await this.#wire(1)
      const loses = losesAnswer()
      try {
        const result = await act()
        if (loses) await clock.sleep(CALL_TIMEOUT_MS, never)
        if (loses) throw failure(op, 'DEADLINE_EXCEEDED')
        return result
      } finally {
        await this.#wire(1)
        await process.turn()
      }
    }
    return unlessAborted(signal, op, work)
  }

  /** Events in their order, each after its delay. */
  async *#stream<T>(
    signal: AbortSignal,
    open: (until: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const { process, clock, nextDelayMs } = this.#line
    const left = new AbortController()
    const until = AbortSignal.any([signal, left.signal])
    const queue = new EventQueue<{ readonly event: T; readonly dueMs: number }>()
    const receive = async (): Promise<void> => {
      await this.#wire(1)
      let dueMs = 0
      for await (const event of open(until)) {
        dueMs = Math.max(dueMs, clock.monotonicMs() + nextDelayMs())
        queue.push({ event, dueMs })
      }
      queue.end()
    }
    receive().catch((error: unknown) => {
      queue.fail(error instanceof Error ? error : new Error(String(error)))
    })
    try {
      for await (const { event, dueMs } of queue) {
        await clock.sleep(dueMs - clock.monotonicMs(), signal)
        await process.turn()
        if (signal.aborted) return
        yield event
      }
    } finally {
      left.abort()
    }
  }

  async #wire(times: number): Promise<void> {
    const { clock, nextDelayMs } = this.#line
    for (let time = 0; time < times; time++) await clock.sleep(nextDelayMs(), never)
  }
}

const failure = (op: string, code: StoreErrorCode): StoreError =>
  new StoreError({ op, code, retryable: code !== 'ABORTED_BY_CALLER', message: `${op}: ${code}` })

function unlessAborted<T>(signal: AbortSignal, op: string, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      reject(failure(op, 'ABORTED_BY_CALLER'))
    }
    if (signal.aborted) {
      giveUp()
      return
    }
    signal.addEventListener('abort', giveUp, { once: true })
    work()
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener('abort', giveUp)
      })
  })
}
