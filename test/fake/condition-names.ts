type Families = 4 | 6

/** What can fail or hold, by the names that docs/health.md lists: a test that waits for another would wait for ever. */
export type ConditionName =
  | 'underlay'
  | `IPv${Families} underlay`
  | 'etcd'
  | 'network configuration'
  | 'lease'
  | 'list of leases'
  | 'peer filter'
  | `device ${string}`
  | 'forwarding'
  | `forwarding of IPv${Families}`
  | `tables of IPv${Families}`
  | `peers of IPv${Families}`
  | 'net.ipv4.ip_forward'
  | 'net.ipv6.conf.all.forwarding'
  | 'firewall'
  | 'subnet file'
