import type { BridgeProblem } from '../../host/container-bridge.ts'
import type { Finding } from '../finding.ts'

/** docker0 or cni0 on another subnet, or with containers whose packets are too large. Pure. */
export const judgeBridge = ({ of, bridge, says, cure }: BridgeProblem): Finding => ({
  cause: of === 'subnet' ? 'bridge-on-other-subnet' : 'bridge-mtu-larger',
  severity: 'broken',
  summary: says,
  evidence: [
    of === 'subnet'
      ? `ip address show ${bridge}, beside cat /run/flannel/subnet.env`
      : `ip link show master ${bridge}, beside FLANNEL_MTU in cat /run/flannel/subnet.env`,
  ],
  cure: [cure],
  explains: ['container bridge'],
})
