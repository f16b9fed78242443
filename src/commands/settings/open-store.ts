import { describeIgnored } from '../../config/endpoints.ts'
import type { EtcdAccess } from '../../config/options.ts'
import { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { hearGrpc } from '../../etcd/grpc-log.ts'
import { systemClock } from '../../host/system-clock.ts'
import { StoreError } from '../../lease/store.ts'
import { EXIT } from '../../cli/exit-codes.ts'

/** What a command prints and ends with. */
interface Said {
  readonly text: string
  readonly code: number
}

/**
 * Runs what a command does with etcd, and closes it after. What etcd or the way to it fails with is said in its own words.
 * @param complain a word for people
 * @param from where the settings come from, for whoever is asked about the wrong etcd
 * @throws {ConfigError} for settings that contradict each other
 */
export async function withStore(
  { etcd, from }: { readonly etcd: EtcdAccess; readonly from: string },
  complain: (text: string) => void,
  body: (store: EtcdLeaseStore) => Promise<Said>,
): Promise<Said> {
  for (const ignored of etcd.ignoredPaths ?? []) complain(describeIgnored(ignored))
  hearGrpc({ error: complain, debug: () => undefined }, systemClock)
  const store = new EtcdLeaseStore(etcd, { clock: systemClock, random: Math.random })
  try {
    return await body(store)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    complain(
      `${error.message}\netcd ${etcd.endpoints.join(' ')} is taken from: ${from} (--etcd-endpoints names another)`,
    )
    return { text: '', code: EXIT.failed }
  } finally {
    store.close()
  }
}
