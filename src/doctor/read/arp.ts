import { readPackets, roomForPackets } from '../../icmp/packets.ts'
import type { LinkState } from '../../kernel/kernel.ts'
import { loadAddon } from '../../native/load.ts'
import type { Ip } from '../../net/ip.ts'
import { macToBytes, macFromBytes, type Mac } from '../../net/mac.ts'
import type { Clock } from '../../time/clock.ts'

/** ETH_P_ARP (linux/if_ether.h). */
const ARP = 0x0806
const IPV4 = 0x0800
/** ARPHRD_ETHER (linux/if_arp.h). */
const ETHERNET = 1
const [REQUEST, REPLY] = [1, 2]

/** Octets of the header of Ethernet, and of ARP behind it (RFC 826). */
const HEADER = 14
const LENGTH = HEADER + 28
const [OPERATION, SENDER_MAC, SENDER_IP, TARGET_IP] = [HEADER + 6, HEADER + 8, HEADER + 14, HEADER + 24]

/** What is asked in vain is asked again once, after this long; answers are waited for as long again, in milliseconds. */
const WAITS_MS = 200
const LOOKS_EVERY_MS = 10

/**
 * Asks on a link who has an IPv4 address, as whoever has none yet (RFC 5227 section 1.1): nobody's tables change by it.
 * @returns undefined where it cannot be asked there @throws {Error} where this process may not ask
 */
export async function holdersOf(
  link: LinkState,
  address: Ip,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly Mac[] | undefined> {
  const addon = loadAddon()
  if (link.mac === undefined || address.family !== 4) return undefined
  const socket = addon.openPacket(ARP, link.index)
  if (typeof socket === 'number') throw new Error(`nobody can be asked by ARP on ${link.name}: is CAP_NET_RAW missing?`)
  const holders = new Set<Mac>()
  const room = roomForPackets()
  const frame = arpRequest(link.mac, address)
  try {
    for (let tries = 0; tries < 2; tries++) {
      if (addon.send(socket, frame, frame.length) < 0) return undefined
      const endMs = clock.monotonicMs() + WAITS_MS
      while (clock.monotonicMs() < endMs && !signal.aborted) {
        const count = Math.max(0, addon.receivePackets(socket, room, false))
        for (const { data } of readPackets(room, count, 4)) {
          const holder = holderIn(data, address)
          if (holder !== undefined) holders.add(holder)
        }
        await clock.sleep(LOOKS_EVERY_MS, signal)
      }
    }
    return [...holders]
  } finally {
    addon.close(socket)
  }
}

/** The question, from nobody's address. */
export function arpRequest(from: Mac, address: Ip): Uint8Array {
  const bytes = new Uint8Array(LENGTH)
  const view = new DataView(bytes.buffer)
  bytes.fill(0xff, 0, 6)
  bytes.set(macToBytes(from), 6)
  view.setUint16(12, ARP)
  view.setUint16(HEADER, ETHERNET)
  view.setUint16(HEADER + 2, IPV4)
  bytes.set([6, 4], HEADER + 4)
  view.setUint16(OPERATION, REQUEST)
  bytes.set(macToBytes(from), SENDER_MAC)
  bytes.set(address.bytes, TARGET_IP)
  return bytes
}

/** Who says in a frame to have the address; undefined: it is about something else. */
export function holderIn(frame: Uint8Array, address: Ip): Mac | undefined {
  if (frame.length < LENGTH) return undefined
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  const isReply =
    view.getUint16(12) === ARP && view.getUint16(HEADER) === ETHERNET && view.getUint16(OPERATION) === REPLY
  const isAbout = address.bytes.every((octet, at) => frame[SENDER_IP + at] === octet)
  return isReply && isAbout ? macFromBytes(frame.subarray(SENDER_MAC, SENDER_MAC + 6)) : undefined
}
