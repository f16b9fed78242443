import type { Challenges } from '../lease/challenges.ts'
import { CloneError } from '../lease/errors.ts'
import { expectNoClone } from '../lease/proof.ts'
import { StoreError, type LeaseRecord, type LeaseStore } from '../lease/store.ts'
import { backoffMs } from '../time/backoff.ts'
import type { Clock, Random } from '../time/clock.ts'
import { isClaimed, judgeLease, type Claimed, type HostTitle } from './own-leases.ts'

/** Where leases are given back. */
export interface GiveBackPorts {
  readonly store: Pick<LeaseStore, 'list' | 'readConfig' | 'release'> & Pick<Challenges, 'ask' | 'takeBack'>
  /** Of etcd, for messages. */
  readonly prefix: string
  readonly clock: Clock
  readonly random: Random
  /** Random: tells our questions from those of a machine with our node id. */
  readonly instance: string
}

export interface GiveBackReport {
  /** Leases that were given back, or would be. */
  readonly released: readonly string[]
  /** Leases that have to do with this host and stay, with the reason. */
  readonly kept: readonly string[]
  /** What could not be given back, with the reason. */
  readonly failures: readonly string[]
}

/** What fails for the moment, and what changes under our hands, is tried so long, in milliseconds. */
const TRY_FOR_MS = 10_000
const RETRY = { firstMs: 200, mostMs: 2_000, jitter: 0.2 } as const

/**
 * Gives all leases of this host back, those of earlier lives too, each only as it was seen and judged; with `dryRun` it only reads.
 * @throws the reason of `signal` when it aborts
 */
export async function giveBack(
  ports: GiveBackPorts,
  host: HostTitle,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<GiveBackReport> {
  const attempt = new Attempt(ports, host, signal)
  const { clock } = ports
  const untilMs = clock.monotonicMs() + TRY_FOR_MS
  for (let time = 1; ; time++) {
    try {
      const rest = await (dryRun ? attempt.look() : attempt.release())
      if (rest.length === 0) return attempt.report([])
      if (clock.monotonicMs() >= untilMs) return attempt.report(rest.map((key) => `lease ${key}: ${CHANGING}`))
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof StoreError)) throw error
      if (!error.retryable || clock.monotonicMs() >= untilMs) return attempt.report([attempt.explain(error)])
    }
    await clock.sleep(backoffMs(RETRY, time, ports.random), signal)
    signal.throwIfAborted()
  }
}

const CHANGING = 'somebody keeps changing it; is a flanneld of this node running elsewhere?'

/** One look after the other, and what came of them so far. */
class Attempt {
  readonly #ports: GiveBackPorts
  readonly #host: HostTitle
  readonly #signal: AbortSignal
  /** By key: what it was called, once it was to go. */
  readonly #going = new Map<string, string>()
  readonly #kept = new Map<string, string>()
  readonly #failures = new Map<string, string>()
  #released: readonly string[] = []

  constructor(ports: GiveBackPorts, host: HostTitle, signal: AbortSignal) {
    this.#ports = ports
    this.#host = host
    this.#signal = signal
  }

  report(failures: readonly string[]): GiveBackReport {
    return {
      released: this.#released,
      kept: [...this.#kept.values()],
      failures: [...this.#failures.values(), ...failures],
    }
  }

  /** What would be given back. @throws {StoreError} */
  async look(): Promise<readonly string[]> {
    this.#released = (await this.#candidates()).map(({ record, verdict }) =>
      verdict.kind === 'doubtful' ? `${nameOf(record)}, unless another machine answers for it` : nameOf(record),
    )
    return []
  }

  /**
   * Gives back what is ours now. What is gone from a later look has been given back, whatever the answer was.
   * @returns keys that have changed since they were listed
   * @throws {StoreError}
   */
  async release(): Promise<readonly string[]> {
    const rest: string[] = []
    for (const judged of await this.#candidates()) {
      const { record } = judged
      if (!(await this.#isProven(judged))) continue
      this.#going.set(record.key, nameOf(record))
      if (await this.#ports.store.release(record, this.#signal)) this.#settle(record.key)
      else rest.push(record.key)
    }
    if (rest.length === 0) await this.#takeBackChallenges()
    return rest
  }

  /** What is ours, or may be. */
  async #candidates(): Promise<readonly Claimed[]> {
    const { store, prefix } = this.#ports
    const { records } = await store.list(this.#signal)
    if (records.length === 0) await this.#expectNetwork()
    for (const key of this.#going.keys()) if (!records.some((record) => record.key === key)) this.#settle(key)
    this.#kept.clear()
    const judged = records.map((record) => judgeLease(record, this.#host, prefix))
    for (const { record, verdict } of judged)
      if (verdict.kind === 'kept') this.#kept.set(record.key, `${nameOf(record)}: ${verdict.why}`)
    return judged.filter(isClaimed)
  }

  #settle(key: string): void {
    const name = this.#going.get(key)
    if (name !== undefined) this.#released = [...this.#released, name]
    this.#going.delete(key)
  }

  /** Below a wrong prefix there is nothing either. */
  async #expectNetwork(): Promise<void> {
    const { store, prefix } = this.#ports
    if ((await store.readConfig(this.#signal)) === undefined)
      this.#failures.set(
        '',
        `leases: neither leases nor a configuration stand below ${prefix} in this etcd: is --etcd-prefix that of the daemon?`,
      )
    else this.#failures.delete('')
  }

  /** @throws {StoreError} */
  async #isProven({ record, verdict }: Claimed): Promise<boolean> {
    if (verdict.kind === 'ours') return true
    const { store, instance } = this.#ports
    try {
      const silence = await expectNoClone(store, verdict.lease, { node: this.#host.node, instance }, this.#signal)
      if (silence === 'silent' || verdict.hasOurAddress) return true
      this.#failures.set(record.key, `${nameOf(record)}: ${FORBIDDEN}`)
    } catch (error) {
      if (!(error instanceof CloneError)) throw error
      this.#kept.set(record.key, `${nameOf(record)}: ${error.message}`)
    }
    return false
  }

  /** They would end by themselves in a minute; who may not see them has asked nothing either. */
  async #takeBackChallenges(): Promise<void> {
    await this.#ports.store.takeBack(this.#host.node.id, this.#signal).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error
    })
  }

  /** What stays because of a failure, and what to do. */
  explain(error: StoreError): string {
    const { subnets } = this.#host
    const [going] = this.#going.values()
    const named = subnets.length === 0 ? '' : ` of ${subnets.map(({ text }) => text).join(', ')}`
    const cure =
      error.code === 'PERMISSION_DENIED'
        ? `the role in etcd needs readwrite permission on ${this.#ports.prefix}/subnets/`
        : 'it ends by itself within a day of the last renewal; or run flanneld cleanup --release again once etcd answers'
    return `${going ?? `lease${named}`}: it was not given back: ${error.message} (${cure})`
  }
}

const FORBIDDEN =
  'it has our node id, but whether another machine with that id holds it we may not ask: the role in etcd needs readwrite ' +
  'permission on challenges/ too'

const nameOf = ({ key }: LeaseRecord): string => `lease ${key}`
