/** Reasons for which leases are rejected, by what they say; the first that fits. */
const KINDS: readonly (readonly [kind: string, says: RegExp])[] = [
  ['claimed_by_other', /which claimed it before$|whose lease still stands$/],
  ['own_mac', /^its VtepMAC .* is our own/],
  ['other_vni', /^its VNI is/],
  ['other_network', /is outside Network|^the network has no IPv|^it has no IPv/],
  ['own_subnet', /overlaps our own/],
  ['own_public_ip', /^PublicIP \S+ is our own/],
  [
    'impossible_public_ip',
    /is not an address another host can have|network or broadcast address|within our own subnet/,
  ],
  ['public_ip_in_network', /^PublicIP \S+ lies inside Network|covers its own PublicIP/],
  ['covers_underlay', /which the underlay needs$/],
  ['covers_host_network', /of this host$/],
  ['malformed', /^the key is not a subnet|^the value has more than|expected .*, found/s],
]

const OTHER = 'other'

/** All kinds that there are: what others write into their leases makes no more of them. */
export const REJECTION_KINDS: readonly string[] = [...KINDS.map(([kind]) => kind), OTHER]

/** What kind of reason it is. */
export const rejectionKind = (reason: string): string => KINDS.find(([, says]) => says.test(reason))?.[0] ?? OTHER
