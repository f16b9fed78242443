import { routeMetric } from '../route-metric.ts'
import { ConfigError } from '../../config/error.ts'
import { leaseFamily, type Lease } from '../../lease/lease.ts'
import { rejectedFor, type Rejected } from '../../lease/rejection.ts'
import type { PeerEntries } from '../../reconcile/entries.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import { backendDataField, decodeVtepData, type VtepData } from './backend-data.ts'
import type { Vtep } from './vtep.ts'

/** BackendType of the leases of vxlan nodes. */
export const BACKEND_TYPE = 'vxlan'

/**
 * Entries that let this node reach one peer. Pure: same lease and VTEP, same entries.
 * @throws never; a lease that cannot be honoured comes back as {@link Rejected} with the reason
 */
export function peerEntries(lease: Lease, vtep: Vtep): PeerEntries | Rejected {
  const part = leaseFamily(lease, vtep.family)
  if (part === undefined) return rejectedFor('other_network', `it has no IPv${vtep.family} subnet`)
  const peer = tryDecode(part.backendData, backendDataField(vtep.family))
  if ('rejected' in peer) return peer
  if (peer.vni !== undefined && peer.vni !== vtep.vni)
    return rejectedFor('other_vni', `its VNI is ${peer.vni}, ours ${vtep.vni}`)
  if (peer.mac === vtep.mac)
    return rejectedFor(
      'own_mac',
      `its VtepMAC ${peer.mac} is our own: has another machine the same machine id? Give one of them --node-id`,
    )
  const gateway = part.subnet.base
  return {
    onUnderlay: [],
    onDevice: {
      neighbours: [{ ip: gateway, mac: peer.mac }],
      fdb: [{ mac: peer.mac, remote: part.publicIp }],
      routes: [
        {
          destination: part.subnet,
          gateway,
          metric: routeMetric(vtep.overlay.network, part.subnet),
          protocol: ROUTE_PROTOCOL,
          onlink: true,
        },
      ],
    },
  }
}

function tryDecode(backendData: unknown, path: string): VtepData | Rejected {
  try {
    return decodeVtepData(backendData, path)
  } catch (error) {
    if (error instanceof ConfigError) return rejectedFor('malformed', error.message)
    throw error
  }
}
