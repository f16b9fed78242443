import type { Backend } from '../backend.ts'
import type { Family } from '../../net/ip.ts'
import { BACKEND_TYPE, peerEntries } from './peer-entries.ts'
import type { Vtep } from './vtep.ts'

/** Each device has forwarding entries of its own: what is taken on one is free on the other. */
const FDB_OF: Readonly<Record<Family, string>> = { 4: 'VtepMAC', 6: 'IPv6 VtepMAC' }

/** Frames to peers go through a VXLAN device. Two peers with one VtepMAC would overwrite each other's forwarding entry. */
export const vxlanBackend = (vtep: Vtep): Backend<Vtep> => ({
  type: BACKEND_TYPE,
  own: vtep,
  device: vtep,
  reach: (lease) => peerEntries(lease, vtep),
  claimedNames: ({ onDevice }) => onDevice.fdb.map(({ mac }) => `${FDB_OF[vtep.family]} ${mac}`),
})
