import { parseNetworkConfig } from '../config/network.ts'
import type { LeaseStore } from '../lease/store.ts'
import { reservation, type ReservationWish } from './reservation.ts'

/** What came of a reservation. */
export type Reserved =
  | { readonly is: 'reserved'; readonly key: string; readonly value: string; readonly revision: bigint }
  /** Nothing was written. */
  | { readonly is: 'refused'; readonly objections: readonly string[] }
  /** There is no configuration: it may be the wrong store. */
  | { readonly is: 'not configured' }

/** Others may write leases meanwhile: so often it is looked at again. */
const ATTEMPTS = 10

/**
 * Reserves subnets, unless anything is in the way, or has come into the way by the time that it is written.
 * @throws {StoreError}; {ConfigError} for a configuration that cannot be read
 */
export async function reserve(
  store: Pick<LeaseStore, 'readConfig' | 'list' | 'create'>,
  wish: ReservationWish,
  signal: AbortSignal,
): Promise<Reserved> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const config = await store.readConfig(signal)
    if (config === undefined) return { is: 'not configured' }
    const { records, revision: seen } = await store.list(signal)
    const wanted = reservation(wish, parseNetworkConfig(config.value), records)
    if ('objections' in wanted) return { is: 'refused', ...wanted }
    const { key, value } = wanted
    const unless = { after: seen, within: 'everywhere' } as const
    const result = await store.create(key, value, { kind: 'reservation' }, signal, unless)
    if (result.ok) return { is: 'reserved', key, value, revision: result.record.modRevision }
  }
  return { is: 'refused', objections: ['others keep writing leases: try again'] }
}
