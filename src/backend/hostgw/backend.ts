import { WITHOUT_DEVICE, withoutSettings, type Backend, type OwnSubnet } from '../backend.ts'
import { routeMetric } from '../route-metric.ts'
import { rejectedFor, type Rejected } from '../../lease/rejection.ts'
import { leaseFamily, type Lease } from '../../lease/lease.ts'
import { NO_ROWS, type PeerEntries } from '../../reconcile/entries.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'

const TYPE = 'host-gw'

/** Peers are gateways on the underlay's own link: a plain route to each subnet, and no device. */
export const hostGwBackend = (own: OwnSubnet): Backend => ({
  ...WITHOUT_DEVICE,
  leaseTypes: [TYPE],
  own,
  routesOn: 'underlay',
  reach: (lease) => peerRoute(lease, own),
})

export const configuredHostGw = withoutSettings({ leaseType: TYPE, programsKernel: true }, hostGwBackend)

/** Whether the peer is on our link is for the kernel to say: it refuses a gateway that is not. */
function peerRoute(lease: Lease, { overlay }: OwnSubnet): PeerEntries | Rejected {
  const part = leaseFamily(lease, overlay.family)
  if (part === undefined) return rejectedFor('other_network', `it has no IPv${overlay.family} subnet`)
  const { subnet: destination, publicIp: gateway } = part
  const metric = routeMetric(overlay.network, destination)
  return { onDevice: NO_ROWS, onUnderlay: [{ destination, gateway, metric, protocol: ROUTE_PROTOCOL, onlink: false }] }
}
