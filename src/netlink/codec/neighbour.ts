import type { Family, Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { FdbState, KernelOp, NeighbourState } from '../../kernel/kernel.ts'
import { DecodeError, familyOf, type Attributes, type MessageCursor } from './reader.ts'
import { AF, NDA, NLM_F, NTF_SELF, NUD, RTM } from './uapi.ts'
import type { MessageWriter } from './writer.ts'

/** struct ndmsg (linux/neighbour.h). Neighbours and fdb entries are the same messages; an fdb's family is AF_BRIDGE. */
const NDMSG = { family: 0, index: 4, state: 8, size: 12 } as const

const CREATE_OR_REPLACE = NLM_F.REQUEST | NLM_F.CREATE | NLM_F.REPLACE

function ndmsg(writer: MessageWriter, family: number, index: number, state = 0, flags = 0): void {
  writer.u8(family)
  writer.u8(0)
  writer.u16(0)
  writer.u32(index)
  writer.u16(state)
  writer.u8(flags)
  writer.u8(0)
}

const afOf = (family: Family): number => (family === 4 ? AF.INET : AF.INET6)

interface NeighbourRequest {
  readonly linkIndex: number
  readonly ip: Ip
}

export function writeNeighbourReplace(
  writer: MessageWriter,
  entry: NeighbourRequest & { readonly mac: Mac },
  sequence: number,
): void {
  writer.begin(RTM.NEWNEIGH, CREATE_OR_REPLACE, sequence)
  ndmsg(writer, afOf(entry.ip.family), entry.linkIndex, NUD.PERMANENT)
  writer.attributeIp(NDA.DST, entry.ip)
  writer.attributeMac(NDA.LLADDR, entry.mac)
  writer.end()
}

export function writeNeighbourDelete(writer: MessageWriter, entry: NeighbourRequest, sequence: number): void {
  writer.begin(RTM.DELNEIGH, NLM_F.REQUEST, sequence)
  ndmsg(writer, afOf(entry.ip.family), entry.linkIndex)
  writer.attributeIp(NDA.DST, entry.ip)
  writer.end()
}

interface FdbRequest {
  readonly linkIndex: number
  readonly mac: Mac
  readonly remote?: Ip
}

/** `bridge fdb replace MAC dst REMOTE dev … self permanent`. */
export const writeFdbReplace = (writer: MessageWriter, entry: FdbRequest, sequence: number): void => {
  writeFdb(writer, RTM.NEWNEIGH, CREATE_OR_REPLACE, entry, sequence)
}

/** `bridge fdb del MAC dev … self`. */
export const writeFdbDelete = (writer: MessageWriter, entry: FdbRequest, sequence: number): void => {
  writeFdb(writer, RTM.DELNEIGH, NLM_F.REQUEST, entry, sequence)
}

function writeFdb(writer: MessageWriter, type: number, flags: number, entry: FdbRequest, sequence: number): void {
  writer.begin(type, flags, sequence)
  ndmsg(writer, AF.BRIDGE, entry.linkIndex, NUD.NOARP | NUD.PERMANENT, NTF_SELF)
  writer.attributeMac(NDA.LLADDR, entry.mac)
  if (entry.remote !== undefined) writer.attributeIp(NDA.DST, entry.remote)
  writer.end()
}

/** Neighbours of one link and family. Strict checking wants the link as an attribute here, and refuses it in the header. */
export function writeNeighbourQuery(writer: MessageWriter, family: Family, linkIndex: number, sequence: number): void {
  writer.begin(RTM.GETNEIGH, NLM_F.REQUEST | NLM_F.DUMP, sequence)
  ndmsg(writer, afOf(family), 0)
  writer.attributeU32(NDA.IFINDEX, linkIndex)
  writer.end()
}

/** Forwarding entries of one link; here the header is where the link goes. */
export function writeFdbQuery(writer: MessageWriter, linkIndex: number, sequence: number): void {
  writer.begin(RTM.GETNEIGH, NLM_F.REQUEST | NLM_F.DUMP, sequence)
  ndmsg(writer, AF.BRIDGE, linkIndex)
  writer.end()
}

/** Link of a neighbour message, without decoding the rest. */
export const neighbourLink = (message: MessageCursor): number => message.u32(NDMSG.index)

export type NeighbourMessage =
  | { readonly kind: 'neighbour'; readonly linkIndex: number; readonly neighbour: NeighbourState }
  | { readonly kind: 'fdb'; readonly linkIndex: number; readonly entry: FdbState }

/** The kernel names them only where they differ from the device's own (drivers/net/vxlan: vxlan_fdb_info). */
const ASTRAY = (1 << NDA.PORT) | (1 << NDA.VNI) | (1 << NDA.IFINDEX)

/**
 * RTM_NEWNEIGH or RTM_DELNEIGH. Undefined for other families and for entries that are a bridge's about this link (NDA_MASTER)
 * and not the link's own.
 */
export function readNeighbour(message: MessageCursor): NeighbourMessage | undefined {
  const af = message.u8(NDMSG.family)
  const family = familyOf(af)
  if (family === undefined && af !== AF.BRIDGE) return undefined
  const linkIndex = neighbourLink(message)
  const permanent = (message.u16(NDMSG.state) & NUD.PERMANENT) !== 0
  const attributes = message.attributes(NDMSG.size)
  const mac = attributes.mac(NDA.LLADDR)
  const ip = attributes.ip(NDA.DST)
  if (family === undefined) {
    if (mac === undefined || attributes.has(NDA.MASTER)) return undefined
    const astray = (attributes.types() & ASTRAY) !== 0 || undefined
    return { kind: 'fdb', linkIndex, entry: { mac, remote: ip, permanent, astray } }
  }
  if (ip?.family !== family) throw new DecodeError('neighbour without an address of its family', message.payload)
  return { kind: 'neighbour', linkIndex, neighbour: { ip, mac, permanent } }
}

/** Operations of which the kernel reports what they did without saying for whom (nlmsg_pid 0). */
export type UnsignedOperation = Extract<KernelOp, { op: 'fdb.replace' | 'fdb.delete' | 'neighbour.delete' }>

/** Whether RTM_NEWNEIGH or RTM_DELNEIGH says what the kernel reports when the operation has been carried out, and nothing beside it. */
export function isEchoOf(message: MessageCursor, op: UnsignedOperation): boolean {
  const isGone = message.type === RTM.DELNEIGH
  if (isGone !== (op.op !== 'fdb.replace') || neighbourLink(message) !== op.linkIndex) return false
  const attributes = message.attributes(NDMSG.size)
  if (op.op === 'neighbour.delete')
    return message.u8(NDMSG.family) === afOf(op.ip.family) && attributes.isIp(NDA.DST, op.ip)
  if (message.u8(NDMSG.family) !== AF.BRIDGE || attributes.has(NDA.MASTER)) return false
  return attributes.isMac(NDA.LLADDR, op.mac) && (op.op === 'fdb.delete' || isPlain(message, attributes, op.remote))
}

const isPlain = (message: MessageCursor, attributes: Attributes, remote: Ip): boolean =>
  (message.u16(NDMSG.state) & NUD.PERMANENT) !== 0 &&
  (attributes.types() & ASTRAY) === 0 &&
  attributes.isIp(NDA.DST, remote)
