import type { KernelOp, LinkState, VxlanSpec, VxlanState } from '../../kernel/kernel.ts'
import type { Attributes, MessageCursor } from './reader.ts'
import { ADDR_GEN_MODE, AF, IFF, IFLA, IFLA_INET6_ADDR_GEN_MODE, IFLA_INFO, IFLA_VXLAN, NLM_F, RTM } from './uapi.ts'
import { RTEXT_FILTER_SKIP_STATS } from './uapi.ts'
import type { MessageWriter } from './writer.ts'

/** struct ifinfomsg (linux/rtnetlink.h) */
const IFINFOMSG = { family: 0, index: 4, flags: 8, size: 16 } as const

type LinkSet = Extract<KernelOp, { op: 'link.set' }>
type LinkSettings = { readonly [Name in Exclude<keyof LinkSet, 'op' | 'linkIndex'>]?: LinkSet[Name] | undefined }

function ifinfomsg(writer: MessageWriter, index: number, flags = 0, change = 0): void {
  writer.u8(AF.UNSPEC)
  writer.u8(0)
  writer.u16(0)
  writer.u32(index)
  writer.u32(flags)
  writer.u32(change)
}

/** All links, or the one of a name. */
export function writeLinkQuery(writer: MessageWriter, sequence: number, name?: string): void {
  writer.begin(RTM.GETLINK, name === undefined ? NLM_F.REQUEST | NLM_F.DUMP : NLM_F.REQUEST, sequence)
  ifinfomsg(writer, 0)
  writer.attributeU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS)
  if (name !== undefined) writer.attributeName(IFLA.IFNAME, name)
  writer.end()
}

/** Creates a VXLAN device, down. The alias needs a message of its own: the kernel ignores one given at creation. */
export function writeLinkCreate(writer: MessageWriter, spec: VxlanSpec, sequence: number): void {
  writer.begin(RTM.NEWLINK, NLM_F.REQUEST | NLM_F.CREATE | NLM_F.EXCL, sequence)
  ifinfomsg(writer, 0)
  writer.attributeU32(IFLA.MTU, spec.mtu)
  writer.attributeMac(IFLA.ADDRESS, spec.mac)
  writer.attributeName(IFLA.IFNAME, spec.name)
  writer.nest(IFLA.LINKINFO, () => {
    writer.attributeText(IFLA_INFO.KIND, 'vxlan')
    writer.nest(IFLA_INFO.DATA, () => {
      writeVxlan(writer, spec.vxlan)
    })
  })
  writer.end()
}

function writeVxlan(writer: MessageWriter, vxlan: VxlanSpec['vxlan']): void {
  if (vxlan.underlayIndex !== 0) writer.attributeU32(IFLA_VXLAN.LINK, vxlan.underlayIndex)
  if (vxlan.ttl !== 0) writer.attributeU8(IFLA_VXLAN.TTL, vxlan.ttl)
  writer.attributeU8(IFLA_VXLAN.UDP_CSUM, vxlan.udpChecksum ? 1 : 0)
  if (vxlan.gbp) writer.attributeFlag(IFLA_VXLAN.GBP)
  writer.attributeU32(IFLA_VXLAN.ID, vxlan.vni)
  if (vxlan.local !== undefined)
    writer.attributeIp(vxlan.local.family === 4 ? IFLA_VXLAN.LOCAL : IFLA_VXLAN.LOCAL6, vxlan.local)
  writer.attributeU8(IFLA_VXLAN.LEARNING, vxlan.learning ? 1 : 0)
  writer.attributeBe16(IFLA_VXLAN.PORT, vxlan.port)
}

/**
 * Changes a link, named by index, or by name when it has just been created and its index is not known yet. The way to make
 * IPv6 addresses goes ahead in a message of its own: the kernel would look at it only after it had brought the link up and made one.
 */
export function writeLinkSet(writer: MessageWriter, of: number | string, set: LinkSettings, sequence: number): void {
  const { addressGeneration, mtu, mac, alias, master, up } = set
  if (addressGeneration !== undefined) writeSettings(writer, of, { addressGeneration }, sequence)
  if (addressGeneration === undefined || [mtu, mac, alias, master, up].some((setting) => setting !== undefined))
    writeSettings(writer, of, { ...set, addressGeneration: undefined }, sequence)
}

function writeSettings(writer: MessageWriter, of: number | string, set: LinkSettings, sequence: number): void {
  const flags = set.up === true ? IFF.UP : 0
  writer.begin(RTM.NEWLINK, NLM_F.REQUEST, sequence)
  ifinfomsg(writer, typeof of === 'number' ? of : 0, flags, set.up === undefined ? 0 : IFF.UP)
  if (typeof of === 'string') writer.attributeName(IFLA.IFNAME, of)
  if (set.mtu !== undefined) writer.attributeU32(IFLA.MTU, set.mtu)
  if (set.mac !== undefined) writer.attributeMac(IFLA.ADDRESS, set.mac)
  if (set.alias !== undefined) writer.attributeText(IFLA.IFALIAS, set.alias)
  if (set.master !== undefined) writer.attributeU32(IFLA.MASTER, set.master)
  if (set.addressGeneration !== undefined) writeAddressGeneration(writer, ADDR_GEN_MODE[set.addressGeneration])
  writer.end()
}

function writeAddressGeneration(writer: MessageWriter, mode: number): void {
  writer.nest(IFLA.AF_SPEC, () => {
    writer.nest(AF.INET6, () => {
      writer.attributeU8(IFLA_INET6_ADDR_GEN_MODE, mode)
    })
  })
}

export function writeLinkDelete(writer: MessageWriter, index: number, sequence: number): void {
  writer.begin(RTM.DELLINK, NLM_F.REQUEST, sequence)
  ifinfomsg(writer, index)
  writer.end()
}

/**
 * A link out of RTM_NEWLINK or RTM_DELLINK. Undefined for messages under these types that do not describe the link itself: a
 * bridge telling about its ports (family AF_BRIDGE), wireless events.
 */
export function readLink(message: MessageCursor): LinkState | undefined {
  if (message.u8(IFINFOMSG.family) !== AF.UNSPEC) return undefined
  const attributes = message.attributes(IFINFOMSG.size)
  const name = attributes.text(IFLA.IFNAME)
  const mtu = attributes.u32(IFLA.MTU)
  if (name === undefined || mtu === undefined) return undefined
  const flags = message.u32(IFINFOMSG.flags)
  const info = attributes.nested(IFLA.LINKINFO)
  const kind = info?.text(IFLA_INFO.KIND)
  const data = kind === 'vxlan' ? info?.nested(IFLA_INFO.DATA) : undefined
  return {
    index: message.u32(IFINFOMSG.index),
    name,
    altNames: readAltNames(attributes),
    mac: attributes.mac(IFLA.ADDRESS),
    mtu,
    up: (flags & IFF.UP) !== 0,
    carrier: (flags & IFF.LOWER_UP) !== 0,
    ...(attributes.u8(IFLA.PROTO_DOWN) === 1 && { protocolDown: true }),
    loopback: (flags & IFF.LOOPBACK) !== 0,
    kind,
    alias: attributes.text(IFLA.IFALIAS),
    vxlan: data && readVxlan(data),
    master: attributes.u32(IFLA.MASTER),
  }
}

/** The kernel tells of them in every description of a link (rtnl_fill_prop_list, since 5.5). */
function readAltNames(attributes: Attributes): readonly string[] | undefined {
  const names = attributes.nested(IFLA.PROP_LIST)?.texts(IFLA.ALT_IFNAME) ?? []
  return names.length === 0 ? undefined : names
}

function readVxlan(data: Attributes): VxlanState {
  return {
    vni: data.u32(IFLA_VXLAN.ID) ?? 0,
    local: data.ip(IFLA_VXLAN.LOCAL) ?? data.ip(IFLA_VXLAN.LOCAL6),
    underlayIndex: data.u32(IFLA_VXLAN.LINK) ?? 0,
    port: data.be16(IFLA_VXLAN.PORT) ?? 0,
    learning: data.u8(IFLA_VXLAN.LEARNING) === 1,
    gbp: data.has(IFLA_VXLAN.GBP),
    ttl: data.u8(IFLA_VXLAN.TTL) ?? 0,
    udpChecksum: data.u8(IFLA_VXLAN.UDP_CSUM) === 1,
    external: data.u8(IFLA_VXLAN.COLLECT_METADATA) === 1,
  }
}
