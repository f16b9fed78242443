type Family = 4 | 6

/** What can fail or hold, by the names that docs/health.md lists: a test that waits for any other does not compile. */
export type ConditionName =
  | 'underlay'
  | `underlay of IPv${Family}`
  | `IPv${Family} underlay`
  | `IPv${Family} underlay address`
  | `IPv${Family} underlay link`
  | 'certificates of etcd'
  | 'expiry of certificates'
  | 'etcd'
  | 'Kubernetes API'
  | 'condition of our Node'
  | 'overwrites of our addresses'
  | 'rights in etcd'
  | 'network configuration'
  | 'lease'
  | 'list of leases'
  | 'peer filter'
  | `device ${string}`
  | `settings of ${string}`
  | `addresses of ${string}`
  | 'forwarding'
  | `forwarding of IPv${Family}`
  | `reading tables of IPv${Family}`
  | `tables of IPv${Family}`
  | `routes to peers of IPv${Family}`
  | `asking for routes of IPv${Family}`
  | `peers of IPv${Family}`
  | `answers of peers over IPv${Family}`
  | `losses to peers over IPv${Family}`
  | `packet size to peers over IPv${Family}`
  | `probes over IPv${Family}`
  | 'net.ipv4.ip_forward'
  | 'net.ipv6.conf.all.forwarding'
  | `net.ipv4.conf.${string}.forwarding`
  | 'networks of this host'
  | 'firewall'
  | 'drops of others'
  | 'masquerading of others'
  | 'variants of iptables'
  | 'table of connections'
  | `neighbour table of IPv${Family}`
  | `room for neighbours of IPv${Family}`
  | 'clock'
  | 'free subnets'
  | 'container bridge'
  | 'checksums'
  | 'subnet file'
  | 'blackhole route'
  | 'former configuration'
  | 'unwanted peer filter'
  | 'stale leases'
  | 'answers to challenges'
  | 'way to etcd'
  | 'health endpoint'
  | 'status socket'

/** Those that fail until the overlay of a family has been complete for the first time since there is a lease. */
export const FORWARDING: readonly ConditionName[] = ['forwarding', 'forwarding of IPv4', 'forwarding of IPv6']
