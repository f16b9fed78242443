import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { parseIp, type Ip } from '../../net/ip.ts'
import type { Endpoints } from '../runtime/subnet-manager.ts'
import { Subscribers } from '../runtime/subscribers.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

/** Addresses of a host name; may fail in any way. */
export type ResolveHost = (name: string) => Promise<readonly Ip[]>

/** Names seldom move, in milliseconds. */
const REFRESH_MS = 300_000
/** After a failure, in milliseconds. */
const RETRY_MS = 30_000
/** The first answer is not waited for longer than this, in milliseconds: where names fail, the store is out of reach anyway. */
const FIRST_WAIT_MS = 2_000

/**
 * Where a store is: the addresses in its URLs, and those its host names stand for. Of a name that cannot be resolved, what it stood for
 * last is kept.
 */
export class StoreAddresses implements Endpoints, Task {
  readonly name: string
  readonly roundMs = ROUND_MS.etcd
  readonly #literal: readonly Ip[]
  readonly #names: readonly string[]
  readonly #resolve: ResolveHost
  readonly #clock: Clock
  readonly #resolved = new Map<string, readonly Ip[]>()
  readonly #subscribers = new Subscribers()

  /** @param store its name, such as `etcd` */
  constructor(store: string, endpoints: readonly string[], resolve: ResolveHost, clock: Clock) {
    this.name = `addresses of ${store}`
    const hosts = [...new Set(endpoints.map(hostOf))]
    this.#literal = hosts.flatMap((host) => parseIp(host) ?? [])
    this.#names = hosts.filter((host) => parseIp(host) === undefined)
    this.#resolve = resolve
    this.#clock = clock
  }

  get all(): readonly Ip[] {
    return [...this.#literal, ...[...this.#resolved.values()].flat()]
  }

  subscribe(listener: () => void): () => void {
    return this.#subscribers.subscribe(listener)
  }

  /** Looks all names up once, for a while at most. */
  async first(signal: AbortSignal): Promise<void> {
    const enough = new AbortController()
    const stop = AbortSignal.any([signal, enough.signal])
    await Promise.race([this.#refresh(stop), this.#clock.sleep(FIRST_WAIT_MS, stop)])
    enough.abort()
  }

  /** Keeps looking the names up. */
  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      const isComplete = await this.#refresh(signal)
      await rest(isComplete ? REFRESH_MS : RETRY_MS)
    }
  }

  /** @returns whether every name could be resolved */
  async #refresh(signal: AbortSignal): Promise<boolean> {
    const before = textOf(this.all)
    const found = await Promise.all(this.#names.map((name) => abortable(this.#resolve(name), signal)))
    found.forEach((addresses, at) => {
      const name = this.#names[at]
      if (name !== undefined && addresses.length > 0) this.#resolved.set(name, addresses)
    })
    if (textOf(this.all) !== before && !signal.aborted) this.#subscribers.notify()
    return found.every((addresses) => addresses.length > 0)
  }
}

/** None when it fails or nobody waits any longer. */
function abortable(answer: Promise<readonly Ip[]>, signal: AbortSignal): Promise<readonly Ip[]> {
  return new Promise((resolve) => {
    const giveUp = (): void => {
      resolve([])
    }
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
    answer.then(resolve, giveUp).finally(() => {
      signal.removeEventListener('abort', giveUp)
    })
  })
}

const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')

const textOf = (addresses: readonly Ip[]): string => addresses.map(({ text }) => text).join(' ')
