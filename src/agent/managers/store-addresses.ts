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

/** What URLs of a moment come to. */
interface Known {
  readonly urls: readonly string[]
  readonly hosts: readonly string[]
  readonly all: readonly Ip[]
}

const NOTHING: Known = { urls: [], hosts: [], all: [] }

/**
 * Where a store is: the addresses in its URLs, and those its host names stand for. Of a name that cannot be resolved, what it stood for
 * last is kept.
 */
export class StoreAddresses implements Endpoints, Task {
  readonly name: string
  readonly roundMs = ROUND_MS.etcd
  readonly #urls: () => readonly string[]
  readonly #resolve: ResolveHost
  readonly #clock: Clock
  readonly #resolved = new Map<string, readonly Ip[]>()
  readonly #subscribers = new Subscribers()
  #known = NOTHING
  /** What subscribers know. */
  #told: string

  /**
   * @param store its name, such as `etcd`
   * @param urls as they are now: those that stand in a file may come late, and be others later
   */
  constructor(store: string, urls: () => readonly string[], resolve: ResolveHost, clock: Clock) {
    this.name = `addresses of ${store}`
    this.#urls = urls
    this.#resolve = resolve
    this.#clock = clock
    this.#told = textOf(this.all)
  }

  get all(): readonly Ip[] {
    return this.#now.all
  }

  /** Asked for once for each peer: nothing is made anew while the URLs are the same. */
  get #now(): Known {
    const [urls, { urls: before }] = [this.#urls(), this.#known]
    const isSame = urls.length === before.length && urls.every((url, at) => url === before[at])
    return isSame ? this.#known : (this.#known = this.#knownOf(urls))
  }

  #knownOf(urls: readonly string[]): Known {
    const hosts = [...new Set(urls.map(hostOf))]
    return { urls, hosts, all: hosts.flatMap((host) => parseIp(host) ?? this.#resolved.get(host) ?? []) }
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

  /** @returns whether every name could be resolved, and there is a URL at all */
  async #refresh(signal: AbortSignal): Promise<boolean> {
    const names = this.#now.hosts.filter((host) => parseIp(host) === undefined)
    const found = await Promise.all(names.map((name) => abortable(this.#resolve(name), signal)))
    names.forEach((name, at) => {
      const addresses = found[at] ?? []
      if (addresses.length > 0) this.#resolved.set(name, addresses)
    })
    this.#known = this.#knownOf(this.#urls())
    const now = textOf(this.all)
    if (now !== this.#told && !signal.aborted) {
      this.#told = now
      this.#subscribers.notify()
    }
    return this.#known.urls.length > 0 && found.every((addresses) => addresses.length > 0)
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
