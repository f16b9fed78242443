import { addressBits, type Ip } from '../../net/ip.ts'
import type { AddressState, KernelOp } from '../../kernel/kernel.ts'
import { ADDRESS_PROTOCOL } from '../../kernel/marks.ts'
import { DecodeError, familyOf, type MessageCursor } from './reader.ts'
import { AF, IFA, IFA_F_NODAD, IFA_F_NOPREFIXROUTE, NLM_F, RT_SCOPE, RTM } from './uapi.ts'
import { addressFlags, SCOPES } from './words.ts'
import type { MessageWriter } from './writer.ts'

/** struct ifaddrmsg (linux/if_addr.h) */
const IFADDRMSG = { family: 0, prefixLength: 1, flags: 2, scope: 3, index: 4, size: 8 } as const

type AddressAdd = Omit<Extract<KernelOp, { op: 'address.add' }>, 'op'>

interface AddressOnLink {
  readonly linkIndex: number
  readonly ip: Ip
  readonly prefixLength: number
}

function ifaddrmsg(writer: MessageWriter, family: number, prefixLength: number, linkIndex: number, flags = 0): void {
  writer.u8(family)
  writer.u8(prefixLength)
  writer.u8(flags)
  writer.u8(RT_SCOPE.UNIVERSE)
  writer.u32(linkIndex)
}

function writeAddress(writer: MessageWriter, address: AddressOnLink, flags = 0): MessageWriter {
  const family = address.ip.family === 4 ? AF.INET : AF.INET6
  ifaddrmsg(writer, family, address.prefixLength, address.linkIndex, flags)
  writer.attributeIp(IFA.LOCAL, address.ip)
  writer.attributeIp(IFA.ADDRESS, address.ip)
  return writer
}

/** All addresses of both families. */
export function writeAddressQuery(writer: MessageWriter, sequence: number): void {
  writer.begin(RTM.GETADDR, NLM_F.REQUEST | NLM_F.DUMP, sequence)
  ifaddrmsg(writer, AF.UNSPEC, 0, 0)
  writer.end()
}

/**
 * Adds an address; one that is already there stays (`ip address replace`). An IPv6 address can be used at once: looking for duplicates
 * first (RFC 4862 §5.4) would take a second, and of a subnet that etcd has leased to us there are none.
 */
export function writeAddressAdd(writer: MessageWriter, address: AddressAdd, sequence: number): void {
  const flags = address.ip.family === 6 ? IFA_F_NODAD : 0
  writer.begin(RTM.NEWADDR, NLM_F.REQUEST | NLM_F.CREATE | NLM_F.REPLACE, sequence)
  writeAddress(writer, address, flags)
  if (address.noPrefixRoute === true) writer.attributeU32(IFA.FLAGS, flags | IFA_F_NOPREFIXROUTE)
  writer.attributeU8(IFA.PROTO, Number(ADDRESS_PROTOCOL)) // kernels that do not know it leave it out
  writer.end()
}

export function writeAddressDelete(writer: MessageWriter, address: AddressOnLink, sequence: number): void {
  writer.begin(RTM.DELADDR, NLM_F.REQUEST, sequence)
  writeAddress(writer, address).end()
}

/** An address out of RTM_NEWADDR or RTM_DELADDR; undefined for families other than IPv4 and IPv6. */
export function readAddress(message: MessageCursor): AddressState | undefined {
  const family = familyOf(message.u8(IFADDRMSG.family))
  const attributes = message.attributes(IFADDRMSG.size)
  // On a point-to-point link IFA_ADDRESS is the far end; IFA_LOCAL, where there is one, is always this end.
  const ip = attributes.ip(IFA.LOCAL) ?? attributes.ip(IFA.ADDRESS)
  if (family === undefined || ip === undefined) return undefined
  const prefixLength = message.u8(IFADDRMSG.prefixLength)
  if (ip.family !== family || prefixLength > addressBits(family))
    throw new DecodeError(`address ${ip.text}/${prefixLength} in family ${family}`, message.payload)
  const protocol = attributes.u8(IFA.PROTO)
  return {
    linkIndex: message.u32(IFADDRMSG.index),
    ip,
    prefixLength,
    scope: SCOPES.word(message.u8(IFADDRMSG.scope)),
    flags: addressFlags(attributes.u32(IFA.FLAGS) ?? message.u8(IFADDRMSG.flags)),
    ...(protocol === undefined ? {} : { protocol: `${protocol}` }),
  }
}
