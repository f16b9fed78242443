/**
 * All causes that are known, the one that others follow from first. The order is that of the findings; each has a row in docs/doctor.md.
 */
export const CAUSES = [
  // No agent, or one that cannot begin.
  'flags-invalid',
  'agent-without-rights',
  'agent-crashing',
  'agent-not-running',
  'agent-silent',
  // Nothing leaves this host, be it for peers or for the store.
  'underlay-down',
  'underlay-without-carrier',
  // The store.
  'certificate-files',
  'etcd-not-named',
  'etcd-name-unknown',
  'etcd-refused',
  'etcd-unreachable',
  'etcd-wants-tls',
  'etcd-speaks-no-tls',
  'etcd-v2-only',
  'etcd-is-not-there',
  'clock-off',
  'ca-expired',
  'own-certificate-expired',
  'own-certificate-refused',
  'etcd-certificate-expired',
  'etcd-certificate-not-yet-valid',
  'etcd-certificate-untrusted',
  'etcd-certificate-name',
  'etcd-wants-user',
  'etcd-password',
  'etcd-role',
  'etcd-full',
  'etcd-without-leader',
  'configuration-missing',
  'configuration-invalid',
  'restart-needed',
  'out-of-subnets',
  'lease-contended',
  // What the kernel and others on this host do.
  'kernel-without-vxlan',
  'conntrack-full',
  'ip-forward-read-only',
  'ip-forward-off',
  'forwarding-off-on-interface',
  // This host, whatever the peers.
  'vni-taken',
  'udp-port-taken',
  'udp-port-dropped-here',
  'rp-filter-drops',
  'foreign-route-wins',
  'foreign-rule-wins',
  'public-ip-hidden',
  'public-ip-behind-nat',
  'address-conflict-here',
  'forward-drop',
  'container-drop',
  'firewall-tool-missing',
  'firewall-not-written',
  'firewall-contested',
  'iptables-mixed',
  'bridge-on-other-subnet',
  'bridge-mtu-larger',
  'subnet-file-unwritable',
  'subnet-file-stale',
  // Single peers.
  'duplicate-public-ip',
  'duplicate-machine-id',
  'address-conflict-there',
  'vni-differs',
  'udp-port-differs',
  'peer-off',
  'peer-unreachable-on-underlay',
  'udp-port-dropped-there',
  'udp-port-dropped-somewhere',
  'lease-rejected',
  'path-mtu-smaller',
  'masqueraded-by-others',
  'checksum-offload',
  // What only will do harm.
  'certificate-expiring',
  'few-subnets',
] as const

/** Where a cause stands among others; what is not known comes last. */
export function rankOf(cause: string): number {
  const at = CAUSES.findIndex((known) => known === cause)
  return at === -1 ? CAUSES.length : at
}
