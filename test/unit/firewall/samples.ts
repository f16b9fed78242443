import { prefix } from '../../../src/net/prefix.ts'
import type { FirewallSpec } from '../../../src/kernel/firewall.ts'

/** Both families, everything on. */
export const SPEC: FirewallSpec = {
  kind: 'iptables',
  families: [
    { network: prefix('10.0.0.0/8'), subnet: prefix('10.20.0.0/20') },
    { network: prefix('fd00:10::/32'), subnet: prefix('fd00:10:1::/64') },
  ],
  masquerade: true,
  randomFully: true,
  forward: true,
}
