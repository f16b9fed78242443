import type { EtcdAccess } from '../config/options.ts'
import type { StoreError } from '../lease/store.ts'
import type { Caller } from './client/call.ts'
import { toStoreError } from './client/errors.ts'

/** So many keys are looked through at most for one that is meant to be a configuration. */
const MOST_KEYS = 5_000
/** More of them tell nothing more. */
const MOST_FOUND = 5

/** The directories that an agent writes to, with the operation of the port that does. */
const WRITTEN = [
  { op: 'create', directory: 'subnets' },
  { op: 'ask', directory: 'challenges' },
] as const

/**
 * Looks into an etcd without changing anything, for whoever asks why an agent fares badly with it.
 */
export class EtcdExamination {
  readonly #caller: Caller
  readonly #prefix: string

  constructor(caller: Caller, { prefix }: Pick<EtcdAccess, 'prefix'>) {
    this.#caller = caller
    this.#prefix = prefix.replace(/\/+$/, '')
  }

  /**
   * Why nothing could be written; empty: it could. Asks for a transaction that would put a key on a condition that never holds: etcd looks at
   * permissions and room before conditions (etcd: server/etcdserver/apply_auth.go, apply.go), and writes nothing.
   */
  async denials(signal: AbortSignal): Promise<readonly StoreError[]> {
    const found: StoreError[] = []
    for (const { op, directory } of WRITTEN) {
      const key = Buffer.from(`${this.#prefix}/${directory}/doctor`)
      const never = { key, result: 'Less', target: 'Version', version: 0 } as const
      const success = [{ request_put: { key, value: Buffer.from('-') } }]
      try {
        await this.#caller.call(op, signal, ({ kv }, options) =>
          kv.txn({ compare: [never], success, failure: [] }, options),
        )
      } catch (error) {
        found.push(toStoreError({ op }, error))
      }
    }
    return found
  }

  /** Keys of other prefixes that are called as a configuration is. Empty where the user may not look. */
  async configurations(signal: AbortSignal): Promise<readonly string[]> {
    const everything = Buffer.of(0) // from the first key to the last (etcd: RangeRequest.range_end)
    const request = { key: everything, range_end: everything, keys_only: true, limit: MOST_KEYS }
    try {
      const { kvs } = await this.#caller.call('list', signal, ({ kv }, options) => kv.range(request, options))
      return kvs
        .map(({ key }) => key.toString())
        .filter((key) => key.endsWith('/config') && key !== `${this.#prefix}/config`)
        .slice(0, MOST_FOUND)
    } catch {
      return []
    }
  }
}
