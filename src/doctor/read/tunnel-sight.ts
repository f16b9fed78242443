import { assemble, BPF, type Instruction } from '../../net/bpf.ts'
import { ipFromBytes, type Family, type Ip } from '../../net/ip.ts'
import { readPackets, roomForPackets } from '../../icmp/packets.ts'
import type { LinkState } from '../../kernel/kernel.ts'
import { loadAddon } from '../../native/load.ts'
import type { Clock } from '../../time/clock.ts'
import type { TunnelledEcho } from '../view.ts'

/** ETH_P_ALL (linux/if_ether.h): what leaves is shown to whoever asks for every frame alone. */
const EVERY_FRAME = 0x0003
const IPV4 = 0x0800
const IPV6 = 0x86dd
const UDP = 17
const ICMP = { 4: 1, 6: 58 } as const
/** Types of an echo, its question first (RFC 792, RFC 4443). */
const ECHO = { 4: [8, 0], 6: [128, 129] } as const

/** Octets: of Ethernet's header and where its type is, of UDP's and of VXLAN's (RFC 7348 section 5). */
const [ETHERNET, ETHER_TYPE, UDP_HEADER, VXLAN] = [14, 12, 8, 8]
const IPV6_HEADER = 40
/** Of what stands between the header of the outer packet and the packet inside. */
const BETWEEN = UDP_HEADER + VXLAN + ETHERNET

/** So much of a frame is kept, in octets: the addresses inside and the type of ICMP. */
const KEPT = 256
/** What is still under way when the questions are over, in milliseconds. */
const LINGER_MS = 20
const LOOKS_EVERY_MS = 5
/** At a time: who floods the link is not to keep us. */
const MOST_LOOKS = 16

/** Flags of VXLAN: that it has a VNI. */
const WITH_VNI = 0x08

/**
 * Lets pass tunnels that carry ICMP, to whatever port: of an underlay with ten gigabits a second nearly nothing. Pure; in octets from the
 * beginning of the frame.
 */
export function tunnelFilter(family: Family): Uint8Array {
  const outer = family === 4 ? IPV4 : IPV6
  const [protocolAt, headerEnd] = family === 4 ? [ETHERNET + 9, ETHERNET] : [ETHERNET + 6, ETHERNET + IPV6_HEADER]
  const inner = headerEnd + BETWEEN
  const innerProtocolAt = inner + (family === 4 ? 9 : 6)
  const checks: readonly (readonly [code: number, at: number, value: number])[] = [
    [BPF.LOAD_HALF, ETHER_TYPE, outer],
    [BPF.LOAD_BYTE, protocolAt, UDP],
    [BPF.LOAD_BYTE_INDEXED, headerEnd + UDP_HEADER, WITH_VNI],
    [BPF.LOAD_HALF_INDEXED, inner - 2, outer],
    [BPF.LOAD_BYTE_INDEXED, innerProtocolAt, ICMP[family]],
  ]
  const left = (index: number): number => 2 * (checks.length - index) - 1
  const index: Instruction =
    family === 4 ? { code: BPF.LOAD_HEADER_LENGTH, operand: ETHERNET } : { code: BPF.LOAD_INDEX, operand: 0 }
  return assemble([
    index,
    ...checks.flatMap(([code, at, value], nth): readonly Instruction[] => [
      { code, operand: at },
      { code: BPF.JUMP_IF_EQUAL, operand: value, otherwise: left(nth) },
    ]),
    { code: BPF.RETURN, operand: KEPT },
    { code: BPF.RETURN, operand: 0 },
  ])
}

/** An echo inside of a tunnel; undefined: the frame is something else. Pure. */
export function tunnelledEcho(frame: Uint8Array, family: Family): TunnelledEcho | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  const outer = packetAt(view, ETHERNET, family)
  if (outer?.protocol !== UDP) return undefined
  const inner = packetAt(view, outer.end + BETWEEN, family)
  if (inner?.protocol !== ICMP[family] || inner.end >= frame.length) return undefined
  const [request, reply] = ECHO[family]
  const type = frame[inner.end]
  if (type !== request && type !== reply) return undefined
  return {
    ...{ outerFrom: outer.from, outerTo: outer.to, port: view.getUint16(outer.end + 2) },
    ...{ from: inner.from, to: inner.to, isAnswer: type === reply },
  }
}

interface PacketAt {
  readonly protocol: number
  readonly from: Ip
  readonly to: Ip
  /** Where what it carries begins. */
  readonly end: number
}

/** An IP packet without extension headers; undefined where there is none. */
function packetAt(view: DataView, at: number, family: Family): PacketAt | undefined {
  const length = family === 4 ? 20 : IPV6_HEADER
  if (view.byteLength < at + length || view.getUint8(at) >> 4 !== family) return undefined
  const octets = (from: number, count: number): Ip =>
    ipFromBytes(new Uint8Array(view.buffer, view.byteOffset + at + from, count).slice())
  if (family === 6)
    return { protocol: view.getUint8(at + 6), from: octets(8, 16), to: octets(24, 16), end: at + IPV6_HEADER }
  const end = at + 4 * (view.getUint8(at) & 0x0f)
  return { protocol: view.getUint8(at + 9), from: octets(12, 4), to: octets(16, 4), end }
}

/**
 * Looks at a link, as tcpdump would, while something is done: which echoes leave in tunnels, and which come in. What a filter of tc or of the
 * firewall drops on its way out is not seen; what comes in is, before any of them.
 * @returns undefined where frames of that link have no addresses of Ethernet @throws {Error} where this process may not look
 */
export async function watchTunnels(
  link: LinkState,
  family: Family,
  during: () => Promise<unknown>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly TunnelledEcho[] | undefined> {
  if (link.mac === undefined) return undefined
  const addon = loadAddon()
  const socket = addon.openPacket(EVERY_FRAME, link.index)
  if (typeof socket === 'number') throw new Error(`${link.name} cannot be looked at: is CAP_NET_RAW missing?`)
  try {
    if (addon.attachFilter(socket, tunnelFilter(family)) < 0) return undefined
    const seen: TunnelledEcho[] = []
    const room = roomForPackets()
    const look = (): void => {
      for (let looks = 0; looks < MOST_LOOKS; looks++) {
        const count = addon.receivePackets(socket, room, false)
        if (count <= 0) return
        seen.push(...readPackets(room, count, family).flatMap(({ data }) => tunnelledEcho(data, family) ?? []))
      }
    }
    const over = new AbortController()
    const until = AbortSignal.any([signal, over.signal])
    const asked = during().finally(() => {
      over.abort()
    })
    asked.catch(() => undefined) // awaited below, unless looking fails first
    while (!until.aborted) {
      look()
      await clock.sleep(LOOKS_EVERY_MS, until)
    }
    await asked
    await clock.sleep(LINGER_MS, signal)
    look()
    return seen
  } finally {
    addon.close(socket)
  }
}
