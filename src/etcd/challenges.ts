import type { Challenge, Challenger, Challenges } from '../lease/challenges.ts'
import { NO_ETCD_LEASE } from '../lease/lease.ts'
import { decodeChallenge, encodeChallenge } from './challenge-codec.ts'
import { listenToChallenges } from './challenge-listener.ts'
import { storeError, toStoreError } from './client/errors.ts'
import type { KeyRecord } from './keys/key.ts'
import type { Keyspace } from './keys/keyspace.ts'
import { listKeys } from './keys/list.ts'
import { readRecord } from './keys/transaction.ts'
import type { WatchTools } from './keys/watch.ts'
import { KeyWriter } from './keys/write.ts'

/** Life time of a challenge that whoever made it can no longer take away. */
const CHALLENGE_TTL_SECONDS = 60

/** How often the answer is looked for while somebody waits for it. */
const POLL_MS = 200

/** How long taking a challenge away may hold up its end, be it that of the agent; what stays goes by itself. */
const WITHDRAW_TIMEOUT_MS = 300

/** Keys per request of a list; there are hardly ever any. */
const PAGE_SIZE = 1_000

/** Answers are tried again when the value changed between reading and writing; nobody has a reason to do that often. */
const ANSWER_ATTEMPTS = 3

/** The port over a real etcd: one key per challenge, which its answer replaces. */
export class EtcdChallenges implements Challenges {
  readonly #tools: WatchTools

  constructor(tools: WatchTools) {
    this.#tools = tools
  }

  async ask(key: string, from: Challenger, waitMs: number, signal: AbortSignal): Promise<Challenger | undefined> {
    const { caller, clock } = this.#tools
    const place = this.#place(key)
    const ttlSeconds = Math.max(CHALLENGE_TTL_SECONDS, Math.ceil(waitMs / 1_000) * 2)
    const value = encodeChallenge({ from, by: undefined })
    const writer = new KeyWriter(caller, place)
    const put = { op: 'ask', key: this.#newId(), value, seen: undefined } as const
    const result = await writer.put(put, { kind: 'grant', ttlSeconds }, signal)
    if (!result.ok) throw storeError({ op: 'ask' }, 'ABORTED', 'the challenge was overwritten')
    try {
      return await this.#awaitAnswer(place, put.key, clock.monotonicMs() + waitMs, signal)
    } finally {
      await writer.revoke(result.record.etcdLeaseId, AbortSignal.timeout(WITHDRAW_TIMEOUT_MS))
    }
  }

  challenges(key: string, signal: AbortSignal): AsyncIterable<Challenge> {
    return listenToChallenges({ ...this.#tools, keyspace: this.#place(key) }, key, signal)
  }

  async answer({ key, id }: Challenge, by: Challenger, signal: AbortSignal): Promise<boolean> {
    const place = this.#place(key)
    for (let attempt = 1; attempt <= ANSWER_ATTEMPTS; attempt++) {
      const seen = await readRecord(this.#tools.caller, place, { op: 'answer', key: id }, signal)
      if (seen === undefined) return false
      const outcome = await this.#answerSeen(place, seen, by, signal)
      if (outcome !== 'changed') return outcome === 'written'
    }
    return false
  }

  async takeBack(nodeId: string, signal: AbortSignal): Promise<void> {
    const { caller, keyspace } = this.#tools
    const writer = new KeyWriter(caller, keyspace.challenges)
    const { records } = await listKeys(caller, keyspace.challenges, PAGE_SIZE, signal)
    for (const record of records)
      if (decodeChallenge(record.value).from?.id === nodeId) await writer.release(record, signal)
  }

  /** @returns `changed` when the value is not what was seen any more */
  async #answerSeen(
    place: Keyspace,
    seen: KeyRecord,
    by: Challenger,
    signal: AbortSignal,
  ): Promise<'written' | 'over' | 'changed'> {
    const asked = decodeChallenge(seen.value)
    if (asked.by !== undefined) return 'over'
    const put = { op: 'answer', key: seen.key, value: encodeChallenge({ ...asked, by }), seen } as const
    const { etcdLeaseId } = seen
    const lifetime = etcdLeaseId === NO_ETCD_LEASE ? ({ kind: 'reservation' } as const) : attached(etcdLeaseId)
    try {
      const result = await new KeyWriter(this.#tools.caller, place).put(put, lifetime, signal)
      return result.ok ? 'written' : 'changed'
    } catch (error) {
      // the challenge has ended between reading and writing, and its etcd lease with it
      if (toStoreError({ op: 'answer' }, error).code === 'NOT_FOUND') return 'over'
      throw error
    }
  }

  async #awaitAnswer(
    place: Keyspace,
    id: string,
    untilMs: number,
    signal: AbortSignal,
  ): Promise<Challenger | undefined> {
    const { caller, clock } = this.#tools
    for (;;) {
      const leftMs = untilMs - clock.monotonicMs()
      const found = await readRecord(caller, place, { op: 'ask', key: id }, signal)
      if (found === undefined) throw storeError({ op: 'ask' }, 'ABORTED', 'the challenge was taken away')
      const { by } = decodeChallenge(found.value)
      if (by !== undefined || leftMs <= 0) return by
      await clock.sleep(Math.min(POLL_MS, leftMs), signal)
    }
  }

  #place(key: string): Keyspace {
    return this.#tools.keyspace.challengesTo(key)
  }

  #newId(): string {
    const { random } = this.#tools
    return Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join('')
  }
}

const attached = (etcdLeaseId: string): { kind: 'attach'; etcdLeaseId: string } => ({ kind: 'attach', etcdLeaseId })
