import { ConfigError } from '../../config/error.ts'
import { MAX_VNI } from '../../config/backend.ts'
import { JsonFields } from '../../config/json.ts'
import { leaseFamily, PlainVtepData, type Lease } from '../../lease/lease.ts'
import type { Family } from '../../net/ip.ts'
import { isUnicastMac, parseMac, type Mac } from '../../net/mac.ts'

/** What a vxlan node publishes about its tunnel end point. v0.6 wrote no VNI. */
export interface VtepData {
  readonly vni: number | undefined
  readonly mac: Mac
}

/** Where backend data stands, for messages. */
const LEASE_VALUE = new JsonFields('lease value', {})

/** Name of the lease value's field, for messages. */
export const backendDataField = (family: Family): string => (family === 4 ? 'BackendData' : 'BackendV6Data')

/** @throws {ConfigError} when there is no usable VtepMAC, or the VNI is not a 24-bit number */
export function decodeVtepData(backendData: unknown, path: string): VtepData {
  if (backendData instanceof PlainVtepData && isUnicastMac(backendData.VtepMAC))
    return { vni: backendData.VNI, mac: backendData.VtepMAC }
  const fields = new JsonFields(path, backendData, LEASE_VALUE)
  const text = fields.string('VtepMAC')
  const mac = text === undefined ? undefined : parseMac(text)
  if (mac === undefined || !isUnicastMac(mac))
    throw new ConfigError(fields.path('VtepMAC'), 'a unicast Ethernet address other than zero', text)
  return { vni: fields.integer('VNI', 0, MAX_VNI), mac }
}

/** The object to publish as BackendData, in upstream's shape. */
export const encodeVtepData = (vni: number, mac: Mac): { readonly VNI: number; readonly VtepMAC: Mac } => ({
  VNI: vni,
  VtepMAC: mac,
})

/** The VtepMAC of a lease; undefined where there is none that can be used. */
export function publishedMac(family: Family, lease: Lease | undefined): Mac | undefined {
  const data = lease && leaseFamily(lease, family)?.backendData
  try {
    return data === undefined ? undefined : decodeVtepData(data, backendDataField(family)).mac
  } catch {
    return undefined // whatever stands there, it is not a MAC worth keeping
  }
}
