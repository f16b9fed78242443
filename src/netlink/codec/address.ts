import type { Ip } from '../../net/ip.ts'
import type { AddressState } from '../../kernel/kernel.ts'
import { DecodeError, familyOf, type MessageCursor } from './reader.ts'
import { AF, IFA, IFA_F_NODAD, NLM_F, RT_SCOPE, RTM } from './uapi.ts'
import { addressFlags, SCOPES } from './words.ts'
import type { MessageWriter } from './writer.ts'

/** struct ifaddrmsg (linux/if_addr.h) */
const IFADDRMSG = { family: 0, prefixLength: 1, flags: 2, scope: 3, index: 4, size: 8 } as const

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

function writeAddress(writer: MessageWriter, address: AddressOnLink, flags = 0): void {
  const family = address.ip.family === 4 ? AF.INET : AF.INET6
  ifaddrmsg(writer, family, address.prefixLength, address.linkIndex, flags)
  writer.attributeBytes(IFA.LOCAL, address.ip.bytes)
  writer.attributeBytes(IFA.ADDRESS, address.ip.bytes)
  writer.end()
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
export function writeAddressAdd(writer: MessageWriter, address: AddressOnLink, sequence: number): void {
  writer.begin(RTM.NEWADDR, NLM_F.REQUEST | NLM_F.CREATE | NLM_F.REPLACE, sequence)
  writeAddress(writer, address, address.ip.family === 6 ? IFA_F_NODAD : 0)
}

export function writeAddressDelete(writer: MessageWriter, address: AddressOnLink, sequence: number): void {
  writer.begin(RTM.DELADDR, NLM_F.REQUEST, sequence)
  writeAddress(writer, address)
}

/** An address out of RTM_NEWADDR or RTM_DELADDR; undefined for families other than IPv4 and IPv6. */
export function readAddress(message: MessageCursor): AddressState | undefined {
  const family = familyOf(message.u8(IFADDRMSG.family))
  const attributes = message.attributes(IFADDRMSG.size)
  // On a point-to-point link IFA_ADDRESS is the far end; IFA_LOCAL, where there is one, is always this end.
  const ip = attributes.ip(IFA.LOCAL) ?? attributes.ip(IFA.ADDRESS)
  if (family === undefined || ip === undefined) return undefined
  const prefixLength = message.u8(IFADDRMSG.prefixLength)
  if (ip.family !== family || prefixLength > ip.bytes.length * 8)
    throw new DecodeError(`address ${ip.text}/${prefixLength} in family ${family}`, message.payload)
  return {
    linkIndex: message.u32(IFADDRMSG.index),
    ip,
    prefixLength,
    scope: SCOPES.word(message.u8(IFADDRMSG.scope)),
    flags: addressFlags(attributes.u32(IFA.FLAGS) ?? message.u8(IFADDRMSG.flags)),
  }
}
