import type { EtcdAccess } from '../../config/options.ts'
import { NoIdentityError, readNodeId } from '../../host/identity.ts'
import type { Asking } from '../asking/asking.ts'

/** Which store a command speaks to: people most often err in that. */
export interface Place {
  readonly prefix: string
  /** `/coreos.com/network in etcd http://10.0.0.1:2379`. */
  readonly words: string
  /** Where that is said. */
  readonly from: string
}

export const placeOf = ({ prefix, endpoints }: EtcdAccess, from: string): Place => ({
  prefix,
  words: `${prefix} in etcd ${endpoints.join(' ')}`,
  from,
})

export const nothingThere = ({ words, from }: Place): string =>
  `neither a configuration nor leases stand below ${words}: is it the right one (taken from: ${from})? --etcd-endpoints and --etcd-prefix name another`

export const sayTo =
  (asked: Asking) =>
  (text: string): void => {
    asked.complain(text)
  }

/** Who this host is; undefined where it does not say. */
export async function ownNodeId(given: string | undefined): Promise<string | undefined> {
  try {
    return given ?? (await readNodeId())
  } catch (error) {
    if (error instanceof NoIdentityError) return undefined
    throw error
  }
}
