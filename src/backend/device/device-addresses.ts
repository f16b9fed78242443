import type { AddressState, KernelOp, LinkState } from '../../kernel/kernel.ts'
import { ADDRESS_PROTOCOL } from '../../kernel/marks.ts'
import { addressBits, sameIp } from '../../net/ip.ts'
import { hostPrefix, prefixContains, prefixesOverlap, prefixOf } from '../../net/prefix.ts'
import type { DeviceSpec, Deviation } from './deviation.ts'

/*
 * Packets of the host itself to a remote container come from an address of the device (net/ipv4/devinet.c: inet_select_addr): the first
 * whose network has the gateway, the base of a peer's subnet, in it, else the first of all. So does what is masqueraded there. Containers
 * answer to no other than ours. The kernel has an order of addresses, and no way to put one before another.
 */

type AddressSpec = Pick<DeviceSpec, 'address' | 'network' | 'formerAddresses'>
type OnDevice = Pick<LinkState, 'index'>

/** What is to be done about the addresses of the device, additions first: with its last address go its routes. */
export function addressDeviations(
  spec: AddressSpec,
  { index: linkIndex }: OnDevice,
  addresses: readonly AddressState[],
): readonly Deviation[] {
  const { length: prefixLength, text } = hostPrefix(spec.address)
  const { present, wantsTwin, surplus } = sorted(spec, linkIndex, addresses)
  const own = { op: 'address.add', linkIndex, ip: spec.address } as const
  const twin: KernelOp = { ...own, prefixLength: spec.network.length, noPrefixRoute: true }
  const isMissing = !present.some((address) => isOurs(address, spec))
  const lacksTwin = wantsTwin && !present.some((address) => isTwin(address, spec))
  const missing: Deviation = {
    ...{ property: 'address', found: `address ${text} missing` },
    ops: [{ ...own, prefixLength }],
  }
  const outranked: Deviation = {
    property: 'precedence of the address',
    found: `${present
      .filter((address) => outranks(address, present, spec))
      .map(show)
      .join(', ')} stands before ours`,
    ops: [twin],
  }
  return [
    ...(isMissing ? [missing] : []),
    ...(lacksTwin ? [outranked] : []),
    ...(surplus.length === 0 ? [] : [surplusDeviation(surplus)]),
  ]
}

/** Addresses of others on the device that the kernel may prefer to ours. */
export function foreignBeforeOurs(
  spec: AddressSpec,
  { index }: OnDevice,
  addresses: readonly AddressState[],
): readonly string[] {
  const { present } = sorted(spec, index, addresses)
  return present.filter((address) => outranks(address, present, spec)).map(show)
}

interface Sorted {
  /** Those that stay. */
  readonly present: readonly AddressState[]
  /** Whether ours is to be there a second time, with the network around it: so it is found before what merely stands before it. */
  readonly wantsTwin: boolean
  readonly surplus: readonly AddressState[]
}

function sorted(spec: AddressSpec, linkIndex: number, addresses: readonly AddressState[]): Sorted {
  const onDevice = addresses.filter((address) => address.linkIndex === linkIndex)
  const isSurplus = (address: AddressState): boolean =>
    !isOurs(address, spec) &&
    !isTwin(address, spec) &&
    (prefixContains(spec.network, address.ip) || isFormer(address, spec))
  const present = onDevice.filter((address) => !isSurplus(address))
  const wantsTwin = present.some((address) => outranks(address, present, spec))
  const isGoing = (address: AddressState): boolean => isSurplus(address) || (!wantsTwin && isTwin(address, spec))
  return { present, wantsTwin, surplus: onDevice.filter(isGoing) }
}

const isOurs = ({ ip, prefixLength }: AddressState, { address }: AddressSpec): boolean =>
  sameIp(ip, address) && prefixLength === addressBits(ip.family)

const isTwin = ({ ip, prefixLength }: AddressState, { address, network }: AddressSpec): boolean =>
  sameIp(ip, address) && prefixLength === network.length && prefixLength < addressBits(ip.family)

/** Of an earlier run: the kernel knows that we have made it, or it is that of a subnet which the subnet file named. */
const isFormer = ({ ip, prefixLength, protocol }: AddressState, { formerAddresses }: AddressSpec): boolean =>
  prefixLength === addressBits(ip.family) &&
  (protocol === ADDRESS_PROTOCOL || formerAddresses.some((former) => sameIp(former, ip)))

/** IPv6 goes by what addresses have in common with the destination (RFC 6724), in which none has more than ours. */
function outranks(address: AddressState, present: readonly AddressState[], spec: AddressSpec): boolean {
  const { ip, prefixLength, scope, flags } = address
  if (ip.family === 6 || scope !== 'global' || flags.includes('temporary') || sameIp(ip, spec.address)) return false
  const ours = present.findIndex((one) => isOurs(one, spec))
  return ours === -1 || present.indexOf(address) < ours || prefixesOverlap(prefixOf(ip, prefixLength), spec.network)
}

const surplusDeviation = (surplus: readonly AddressState[]): Deviation => ({
  property: 'surplus address',
  found: `address ${surplus.map(show).join(', ')} of the overlay or of an earlier one, not ours`,
  ops: surplus.map(({ linkIndex, ip, prefixLength }) => ({ op: 'address.delete', linkIndex, ip, prefixLength })),
})

const show = ({ ip, prefixLength }: AddressState): string => `${ip.text}/${prefixLength}`
