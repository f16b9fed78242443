import type { VxlanConfig } from '../../config/backend.ts'
import type { Family } from '../../net/ip.ts'
import type { Backend } from '../backend.ts'
import { encodeVtepData, publishedMac } from './backend-data.ts'
import { VxlanDeviceKeeper } from './device-keeper.ts'
import { DirectPeers } from './direct-peers.ts'
import { BACKEND_TYPE, peerEntries } from './peer-entries.ts'
import type { Vtep } from './vtep.ts'

/** Each device has forwarding entries of its own: what is taken on one is free on the other. */
const FDB_OF: Readonly<Record<Family, string>> = { 4: 'VtepMAC', 6: 'IPv6 VtepMAC' }

/** Our VTEP, and how its device is configured at first. */
export interface VxlanBackendInput {
  readonly vtep: Vtep
  readonly config: VxlanConfig
}

/**
 * Frames to peers go through a VXLAN device. Two peers with one VtepMAC would overwrite each other's forwarding entry. With
 * DirectRouting, peers on our own link are reached without it.
 */
export const vxlanBackend = ({ vtep, config }: VxlanBackendInput): Backend => ({
  leaseTypes: [BACKEND_TYPE],
  own: vtep,
  routesOn: 'device',
  // What peers hold counts first.
  publish: (current) => encodeVtepData(vtep.vni, publishedMac(vtep.family, current) ?? vtep.mac),
  carries: (lease) => publishedMac(vtep.family, lease) === vtep.mac,
  reach: (lease) => peerEntries(lease, vtep),
  claimedNames: ({ onDevice }) => onDevice.fdb.map(({ mac }) => `${FDB_OF[vtep.family]} ${mac}`),
  hasOneRoute: false,
  makeParts: ({ ports, setEntries }) => ({
    device: new VxlanDeviceKeeper({ vtep, config, ports }),
    router: new DirectPeers({ setEntries, isOn: config.directRouting }),
  }),
})
