const UNDERLAY = [
  'ip -br address; FLANNELD_IFACE= in /etc/default/flanneld with the interface by which the hosts reach each other, then systemctl restart flanneld',
]

/** The same by the reason, where one has another cause than the name of its condition lets think. Looked at first. */
const BY_REASON: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^no underlay with an IPv[46] address\b/, UNDERLAY],
  [
    /^MTU of \S+: expected/,
    ['ip link set dev IFACE mtu 1500, of the interface that is named, and in what configures it'],
  ],
  [
    /^(two agents run under the name of|annotations of|podCIDR of) Node |^Node \S+ does not exist/,
    ['flanneld doctor; kubectl get node NAME -o yaml --show-managed-fields says who writes there'],
  ],
  [
    /^a device that was moved to another network namespace\b/,
    ['ip -all netns exec ip -d link show type vxlan; in the namespace where it is: ip link delete NAME'],
  ],
]

/** What puts a condition right of which no check knows the cause, by its name (docs/health.md). What the reason says of a cure goes before. */
const CURES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^underlay\b/, UNDERLAY],
  [
    /^IPv[46] underlay address$/,
    ['ip -br address: the address that the lease publishes is gone; bring it back, or wait: the agent follows'],
  ],
  [/^IPv[46] underlay/, ['ip -br link: plug it in, or ip link set IFACE up']],
  [/^certificates of etcd$/, ['bring the file that is named; the agent waits for it']],
  [/^expiry of certificates$/, ['renew what is named; the agent reads its files again by itself']],
  [/^etcd$/, ['systemctl status etcd on its hosts; etcdctl --endpoints=URL endpoint health from here']],
  [
    /^Kubernetes API$/,
    [
      'kubectl get --raw /readyz from where it works; from here: curl -k URL/readyz, for which a 401 or 403 is an answer too; then flanneld doctor',
    ],
  ],
  [/^rights in etcd$/, ['etcdctl user get USER and role get ROLE; the password in --etcd-password']],
  [/^network configuration$/, ['flanneld config get; flanneld config validate FILE; flanneld config set FILE']],
  [
    /^lease$/,
    [
      'flanneld leases shows who has what; find who writes there: below PREFIX/subnets/ in etcd (roles keep others out), with Kubernetes on our Node',
    ],
  ],
  [/^list of Nodes$/, ['kubectl get nodes as our service account: is it allowed to list them?']],
  [
    /^podCIDRs of Nodes$/,
    [
      'flanneld leases says which of them is the younger one: kubectl delete node of that alone, then systemctl restart kubelet there, which joins anew',
    ],
  ],
  [
    /^condition of our Node$/,
    [
      'the ClusterRole needs patch on nodes/status; or --set-node-network-unavailable=false, where something else does it',
    ],
  ],
  [/^list of leases$/, ['etcdctl get --prefix --keys-only PREFIX/subnets/']],
  [/^peer filter$|^unwanted peer filter$/, ['nft list table inet flannel-peers; install nftables where there is none']],
  [
    /^device flannel\d+$/,
    ['ip -d link show type tun; ls -l /dev/net/tun; ss -ulnp, for who has the port: a device of the udp backend'],
  ],
  [/^device /, ['ip -d link show type vxlan: rename or remove what has the name, the VNI or the port']],
  [
    /^(settings|addresses) of /,
    ['ip -d address show dev DEVICE: let network managers leave it alone (docs/network-managers.md)'],
  ],
  [
    /^forwarding\b/,
    ['nothing of its own: the overlay has never been complete, and what keeps it from that is named beside this'],
  ],
  [/^(reading )?tables of /, ['flanneld status shows the rows that are pending, with the reasons of the kernel']],
  [/^routes to peers of /, ['ip route get ADDRESS_OF_A_CONTAINER_THERE; remove what wins: ip route del, ip rule del']],
  [/^asking for routes of /, ['nothing, if seldom']],
  [/^peers of /, ['flanneld peers shows them, with the reasons of the kernel']],
  [/^(answers of|losses to|packet size to) peers /, ['flanneld doctor --peer NAME; flanneld ping NAME']],
  [/^probes over /, ['AmbientCapabilities=CAP_NET_RAW in a drop-in of flanneld.service, or --peer-probes=false']],
  [/^net\./, ['sysctl -w NAME=1 on the host, and the same in /etc/sysctl.d']],
  [/^firewall$/, ['nft list ruleset; iptables -S (docs/firewall.md)']],
  [/^networks of this host$/, ['give that network other addresses, or move Network (flanneld config set)']],
  [/^former configuration$/, ['ip -d link show type vxlan; ip link delete NAME, if nobody uses it']],
  [/^blackhole route$/, ['ip route show type blackhole']],
  [
    /^stale leases$|^answers to challenges$/,
    ['readwrite permission for all of PREFIX/ in etcd, challenges/ too; otherwise nothing: it is tried again'],
  ],
  [
    /^way to (etcd|the Kubernetes API)$/,
    ['if the other hosts are there as well: FLANNELD_IFACE= with that interface; otherwise nothing'],
  ],
  [/^subnet file$/, ['ls -l /run/flannel; make way for the file']],
]

const NOTED = /\bCure: (.+?)(?=; (?:the policy|nftables|iptables)|$)/

/** Sentences and commands that may put it right; always one at least. */
export function curesOf(what: string, reason: string): readonly string[] {
  const [, said] = NOTED.exec(reason) ?? []
  const [, known = []] =
    BY_REASON.find(([words]) => words.test(reason)) ?? CURES.find(([name]) => name.test(what)) ?? []
  const cures = [...(said === undefined ? [] : [said]), ...known]
  return cures.length > 0 ? cures : [`look for "${what}" in docs/health.md`]
}
