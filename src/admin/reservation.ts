import { isHandedOut, subnetFits, type NetworkConfig } from '../config/network.ts'
import { decodeLease, encodeLease, formatLeaseKey, parseLeaseKey } from '../lease/codec.ts'
import type { NodeIdentity } from '../lease/lease.ts'
import { haveCommon } from '../lease/overlap.ts'
import { ownerOf } from '../lease/owner.ts'
import type { LeaseRecord } from '../lease/store.ts'
import type { Ip } from '../net/ip.ts'
import { isReachableUnicast, prefixContains, type Prefix } from '../net/prefix.ts'

/** For whom which subnets are to be reserved: an address for each subnet, in the same family. */
export interface ReservationWish {
  readonly parts: readonly { readonly subnet: Prefix; readonly publicIp: Ip }[]
  /** Undefined: whoever has the addresses. */
  readonly node: NodeIdentity | undefined
}

export type Reservation = { readonly key: string; readonly value: string } | { readonly objections: readonly string[] }

/** The key and the value that reserve it, on no etcd lease as upstream has it; or all that is in the way. */
export function reservation(
  wish: ReservationWish,
  config: NetworkConfig,
  records: readonly LeaseRecord[],
): Reservation {
  const objections = [
    ...familyObjections(wish, config),
    ...wish.parts.flatMap((part) => partObjections(part, config)),
    ...records.flatMap((record) => leaseObjections(wish, record)),
  ]
  if (objections.length > 0) return { objections }
  const subnets = wish.parts.map(({ subnet }) => subnet)
  const families = wish.parts.map(({ subnet, publicIp }) => ({
    ...{ family: subnet.family, subnet, publicIp },
    backendData: undefined,
  }))
  return { key: formatLeaseKey(subnets), value: encodeLease({ backendType: '', families, node: wish.node }) }
}

/** A lease has a subnet of each family of the network, and is named for that of IPv4. */
function familyObjections({ parts }: ReservationWish, { overlays }: NetworkConfig): readonly string[] {
  return [
    ...overlays
      .filter(({ family }) => parts.every(({ subnet }) => subnet.family !== family))
      .map(
        ({ family, network }) => `the network has IPv${family} (${network.text}): a subnet of it belongs to the lease`,
      ),
    ...parts
      .filter(({ subnet }) => overlays.every(({ family }) => family !== subnet.family))
      .map(({ subnet }) => `the network has no IPv${subnet.family}, for ${subnet.text}`),
  ]
}

function partObjections(
  { subnet, publicIp }: ReservationWish['parts'][number],
  { overlays }: NetworkConfig,
): readonly string[] {
  const overlay = overlays.find(({ family }) => family === subnet.family)
  const handing = overlays.find((one) => isHandedOut(one, publicIp))
  return [
    ...(overlay === undefined || subnetFits(overlay, subnet)
      ? []
      : [
          `${subnet.text} is no subnet that agents take: those are of /${overlay.subnetLength}, from ${overlay.subnetMin.text} to ${overlay.subnetMax.text}`,
        ]),
    ...(isReachableUnicast(publicIp) ? [] : [`${publicIp.text} is not an address that a host can have`]),
    ...(handing === undefined
      ? []
      : [`${publicIp.text} lies inside of ${handing.network.text}, whose addresses are for containers`]),
  ]
}

function leaseObjections({ parts, node }: ReservationWish, record: LeaseRecord): readonly string[] {
  const subnets = parts.map(({ subnet }) => subnet)
  const name = `lease ${record.key} of ${ownerOf(record)}`
  const isTaken = haveCommon(subnets, parseLeaseKey(record.key) ?? [])
  const lease = decodeLease(record)
  if ('rejected' in lease) return isTaken ? [`it overlaps lease ${record.key}, which nobody can read`] : []
  const covered = lease.families.find(({ publicIp }) => subnets.some((subnet) => prefixContains(subnet, publicIp)))
  const shared = lease.families.find(({ publicIp }) => parts.some((part) => part.publicIp.text === publicIp.text))
  return [
    ...(isTaken ? [`it overlaps ${name}`] : []),
    ...(covered === undefined ? [] : [`it covers ${covered.publicIp.text}, the PublicIP of ${name}`]),
    ...(shared === undefined ? [] : [`${shared.publicIp.text} holds ${name} already`]),
    ...(node !== undefined && lease.node?.id === node.id ? [`node ${node.id} holds ${name} already`] : []),
  ]
}
