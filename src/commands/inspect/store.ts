import type { Layer } from '../../cli/layers.ts'
import { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { hearGrpc } from '../../etcd/grpc-log.ts'
import { systemClock } from '../../host/system-clock.ts'
import { StoreError, type LeaseRecord } from '../../lease/store.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'

/** What etcd says of the leases, or why it says nothing. */
export type StoreLook =
  | { readonly is: 'read'; readonly records: readonly LeaseRecord[]; readonly endpoints: string }
  | { readonly is: 'away'; readonly problem: string; readonly endpoints: string }

/** An etcd that lives answers sooner, also for 10 000 leases. */
const WITHIN_MS = 4_000

/** Lists all leases, with the settings of the daemon of this host. @throws {ConfigError} for settings that cannot be */
export async function listStore(own: Layer, signal: AbortSignal): Promise<StoreLook> {
  const { options } = daemonSettings(own)
  const endpoints = options.etcd.endpoints.join(', ')
  hearGrpc({ error: () => undefined, debug: () => undefined }, systemClock)
  const store = new EtcdLeaseStore(options.etcd, { clock: systemClock, random: Math.random })
  try {
    const { records } = await store.list(AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]))
    return { is: 'read', records, endpoints }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const isLate = error.code === 'ABORTED_BY_CALLER' && !signal.aborted
    return { is: 'away', problem: isLate ? `no answer within ${WITHIN_MS / 1_000} s` : error.message, endpoints }
  } finally {
    store.close()
  }
}
