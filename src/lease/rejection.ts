/** Why a lease is not honoured, as programs tell it: `code` in the status, `reason` of the metric (docs/metrics.md). They stay. */
export const REJECTION_CODES = [
  'claimed_by_other',
  'own_mac',
  'other_vni',
  'other_network',
  'own_subnet',
  'own_public_ip',
  'impossible_public_ip',
  'public_ip_in_network',
  'covers_underlay',
  'covers_host_network',
  'malformed',
] as const

export type RejectionCode = (typeof REJECTION_CODES)[number]

/** A key or value under `PREFIX/subnets/` that cannot be honoured. The rest goes on without it. */
export interface Rejected {
  /** Why, in words for the log. */
  readonly rejected: string
  readonly code: RejectionCode
}

export const rejectedFor = (code: RejectionCode, rejected: string): Rejected => ({ rejected, code })
