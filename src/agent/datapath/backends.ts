import { allocBackend } from '../../backend/alloc/backend.ts'
import type { Backend, OwnSubnet } from '../../backend/backend.ts'
import type { BackendConfig } from '../../config/backend.ts'
import type { NetworkConfig } from '../../config/network.ts'
import { hostGwBackend } from '../../backend/hostgw/backend.ts'
import { leaseFamily, type Lease, type LeaseFamily } from '../../lease/lease.ts'
import { backendDataField, decodeVtepData } from '../../backend/vxlan/backend-data.ts'
import { vxlanBackend } from '../../backend/vxlan/backend.ts'
import type { Vtep } from '../../backend/vxlan/vtep.ts'

/** What a datapath is run by. The only kind of device so far is that of a VTEP. */
export type DatapathBackend = Backend<Vtep>

/** The backend of each family, as our lease describes us. @throws {TypeError} when the lease is not one that we wrote */
export function backendsOf({ overlays, backend }: NetworkConfig, lease: Lease): readonly DatapathBackend[] {
  return overlays.map((overlay) => {
    const part = leaseFamily(lease, overlay.family)
    if (part === undefined) throw new TypeError(`the lease has no subnet of ${overlay.network.text}`)
    return backendOf(backend, { overlay, subnet: part.subnet }, part)
  })
}

function backendOf(config: BackendConfig, own: OwnSubnet, { family, backendData }: LeaseFamily): DatapathBackend {
  switch (config.type) {
    case 'vxlan':
      return vxlanBackend({
        ...own,
        family,
        vni: config.vni,
        mac: decodeVtepData(backendData, backendDataField(family)).mac,
      })
    case 'host-gw':
      return hostGwBackend(own)
    case 'alloc':
      return allocBackend(own)
  }
}
