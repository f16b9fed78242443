/*
 * admin says what people ask of the store: whose which lease is, what a configuration means and what becomes of it, what may be reserved and
 * given back. Pure: it is handed what stands there. The commands leases, config, reserve, release and plan call it.
 */
import { compareConfig } from '../config/compare.ts'
import { ConfigError } from '../config/error.ts'
import type { FieldChange } from '../config/field.ts'
import { parseNetworkConfig, subnetFits, type NetworkConfig } from '../config/network.ts'
import { parseLeaseKey } from '../lease/codec.ts'
import { ownerOf } from '../lease/owner.ts'
import type { LeaseRecord } from '../lease/store.ts'

/** A lease that a configuration leaves no place for. */
export interface OutsideLease {
  readonly key: string
  readonly owner: string
  readonly why: string
}

/** What becomes of agents and leases when one configuration takes the place of another. */
export interface Consequences {
  /** Whether anything means something else than before. */
  readonly isSame: boolean
  /** Why what stands there cannot be compared: there is none, or it cannot be read. */
  readonly instead: string | undefined
  /** Agents that run follow these at once. */
  readonly live: readonly FieldChange[]
  /** These wait until an agent is started again. */
  readonly atRestart: readonly FieldChange[]
  /** Whether hosts that have been started again and those that have not cannot reach each other. */
  readonly splits: boolean
  /** Leases that it cuts off, beyond those that were cut off before. */
  readonly outside: readonly OutsideLease[]
}

/** What two agents must agree upon to understand each other's packets. */
const SHARED: ReadonlySet<string> = new Set([
  'Backend.Type',
  'Backend.VNI',
  'Backend.Port',
  'Backend.GBP',
  'Network',
  'IPv6Network',
])

/**
 * @param before the text that stands in the store; undefined: none
 * @param after a text that {@link parseNetworkConfig} takes
 * @throws {ConfigError} for `after`
 */
export function consequences(before: string | undefined, after: string, records: readonly LeaseRecord[]): Consequences {
  const next = parseNetworkConfig(after)
  const current = readable(before)
  const outside = leasesOutside(records, next)
  if (typeof current === 'string')
    return { isSame: false, instead: current, live: [], atRestart: [], splits: false, outside }
  const { followed, refused } = compareConfig(current, next)
  const known = new Set(leasesOutside(records, current).map(({ key }) => key))
  return {
    isSame: followed.length + refused.length === 0,
    instead: undefined,
    live: followed,
    atRestart: refused,
    splits: refused.some(({ path }) => SHARED.has(path)),
    outside: outside.filter(({ key }) => !known.has(key)),
  }
}

function readable(text: string | undefined): NetworkConfig | string {
  if (text === undefined) return 'there is none yet'
  try {
    return parseNetworkConfig(text)
  } catch (error) {
    if (error instanceof ConfigError) return `what stands there cannot be read: ${error.message}`
    throw error
  }
}

/** Leases that do not fit a configuration: their hosts must move to another subnet when their agents are started again. */
export const leasesOutside = (
  records: readonly LeaseRecord[],
  config: Pick<NetworkConfig, 'overlays'>,
): readonly OutsideLease[] =>
  records.flatMap((record) => {
    const why = whyOutside(record.key, config)
    return why === undefined ? [] : [{ key: record.key, owner: ownerOf(record), why }]
  })

/** Undefined: it fits, or is no lease. */
export function whyOutside(key: string, { overlays }: Pick<NetworkConfig, 'overlays'>): string | undefined {
  const subnets = parseLeaseKey(key)
  if (subnets === undefined) return undefined
  for (const subnet of subnets) {
    const overlay = overlays.find(({ family }) => family === subnet.family)
    if (overlay === undefined) return `the network has no IPv${subnet.family}`
    if (subnet.length !== overlay.subnetLength) return `${subnet.text} is no subnet of /${overlay.subnetLength}`
    if (!subnetFits(overlay, subnet))
      return `${subnet.text} is not from ${overlay.subnetMin.text} to ${overlay.subnetMax.text} in ${overlay.network.text}`
  }
  const missing = overlays.find(({ family }) => subnets.every((subnet) => subnet.family !== family))
  return missing && `it has no subnet of ${missing.network.text}`
}
