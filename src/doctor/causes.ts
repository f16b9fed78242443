/**
 * All causes that are known, the one that others follow from first. The order is that of the findings; each has a row in docs/doctor.md.
 */
export const CAUSES = [
  // This host, whatever the peers.
  'underlay-down',
  'underlay-without-carrier',
  'vni-taken',
  'udp-port-taken',
  'udp-port-dropped-here',
  'rp-filter-drops',
  'foreign-route-wins',
  'foreign-rule-wins',
  'public-ip-hidden',
  'public-ip-behind-nat',
  'address-conflict-here',
  // Single peers.
  'duplicate-public-ip',
  'duplicate-machine-id',
  'address-conflict-there',
  'vni-differs',
  'udp-port-differs',
  'peer-off',
  'peer-unreachable-on-underlay',
  'udp-port-dropped-there',
  'lease-rejected',
  'path-mtu-smaller',
  'masqueraded-by-others',
  'checksum-offload',
] as const

/** Where a cause stands among others; what is not known comes last. */
export function rankOf(cause: string): number {
  const at = CAUSES.findIndex((known) => known === cause)
  return at === -1 ? CAUSES.length : at
}
