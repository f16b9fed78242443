/** What to do about a condition: one sentence, and the command that shows more; first where the name fits. */
export interface Advice {
  readonly says: string
  readonly command: string
}

const DOCTOR = 'flanneld doctor'

const of = (names: RegExp, says: string, command = DOCTOR): readonly [RegExp, Advice] => [names, { says, command }]

/** By the names of docs/health.md. A rule that is more special stands before one that is less. */
const RULES: readonly (readonly [RegExp, Advice])[] = [
  of(/^underlay of IPv/, 'Give the underlay an IPv6 address, or turn IPv6 off in the network configuration.'),
  of(/^(IPv\d )?underlay/, 'Look at the interface below the overlay: is it there, up, and has it its address?', 'ip -br address'), // prettier-ignore
  of(/^(certificates of etcd|expiry of certificates)$/, 'Replace the certificate files, and send the agent SIGHUP.'),
  of(/^way to etcd$/, 'Check by which interface etcd is reached; --iface names the one that carries the overlay.', 'ip route'), // prettier-ignore
  of(/^(etcd|list of leases|answers to challenges)$/, 'Packets go on as they are. Bring etcd back, or the way to it.'),
  of(/^network configuration$/, 'Correct the configuration in etcd; what is in force stays until then.', 'flanneld config validate'), // prettier-ignore
  of(/^lease$/, 'The node has no subnet that it may rely on. See who holds which.', 'flanneld leases'),
  of(/^stale leases$/, 'Leases of an earlier life of this node are still there.', 'flanneld leases'),
  of(/^(device|settings of|addresses of) /, 'Look at the device; whoever else manages it should leave it alone.', 'ip -d link show type vxlan'), // prettier-ignore
  of(/^(tables|reading tables|peers) of /, 'Entries in the kernel are not as they should be.', 'flanneld plan'),
  of(
    /^(routes to peers|asking for routes) of /,
    'A route or rule of somebody else takes the packets.',
    'flanneld doctor',
  ),
  of(/^answers of peers /, 'Packets do not arrive. Find out where they end.'),
  of(/^losses to peers /, 'Some packets are lost: look at the path, and at what else it carries.'),
  of(/^packet size to peers /, 'Full packets do not arrive: the path carries less than the MTU says.'),
  of(/^probes over /, 'Peers cannot be asked; packets go on as they are.'),
  of(/^forwarding|^net\.ipv[46]\./, 'The host must forward packets.', 'sysctl net.ipv4.ip_forward'),
  of(/^(firewall|drops of others|masquerading of others|peer filter|unwanted peer filter|variants of iptables)$/, 'Somebody else writes firewall rules here.'), // prettier-ignore
  of(/^container bridge$/, 'Start the container runtime anew, so that it takes the subnet in force.', 'cat /run/flannel/subnet.env'), // prettier-ignore
  of(/^networks of this host$/, 'Networks overlap: change that of the host, or that of the overlay.', 'ip route'),
  of(/^subnet file$/, 'Make room, or rights, where the subnet file is to be written.', 'ls -ld /run/flannel'),
  of(/^blackhole route$/, 'See what stands in the way of the route.', 'ip route show type blackhole'),
  of(/^former configuration$/, 'Something of an earlier configuration is still on this host.', 'flanneld plan'),
  of(/^health endpoint$/, 'Choose another --healthz-port, or end what listens there.', 'ss -ltnp'),
]

const OTHERWISE: Advice = { says: 'Let the agent look for the cause.', command: DOCTOR }

/** @param what name of the condition */
export const adviceFor = (what: string): Advice => RULES.find(([names]) => names.test(what))?.[1] ?? OTHERWISE
