import { describe, expect, it } from 'vitest'
import { countsInLines, countsInPairs, risen } from '../../../src/doctor/read/drop-counts.ts'
import { tunnelFilter, tunnelledEcho } from '../../../src/doctor/read/tunnel-sight.ts'
import type { Family } from '../../../src/net/ip.ts'

/** Frames as tcpdump -x shows them: Ethernet, IP, UDP to port 8472, VXLAN 1, Ethernet, IP, an echo. */
const V4 =
  '020000000021' +
  '020000000010' +
  '0800' +
  '4500004e0000400040110000c0a8cd0ac0a8cd0b' +
  'c0012118003a0000' +
  '0800000000000100' +
  '020000000111' +
  '020000000110' +
  '0800' +
  '4500001c00004000400100000a0f40000a0f4100' +
  '0800000000010001'
const V6 =
  '020000000021' +
  '020000000010' +
  '86dd' +
  '6000000000561140fd000000000000000000000000000010fd000000000000000000000000000011' +
  'c0012118003a0000' +
  '0800000000000100' +
  '020000000111' +
  '020000000110' +
  '86dd' +
  '6000000000083a40fd10000000000000000000000000' +
  '0040fd100000000000000000000000000041' +
  '8100000000010001'

const frame = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

/** What a filter returns for a frame: as the kernel runs it (net/core/filter.c), for the operations that it has. */
function runFilter(program: Uint8Array, packet: Uint8Array): number {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  const code = new DataView(program.buffer)
  let [a, x] = [0, 0]
  for (let at = 0; ; at++) {
    const [operation, then, otherwise, k] = [
      code.getUint16(at * 8, true),
      code.getUint8(at * 8 + 2),
      code.getUint8(at * 8 + 3),
      code.getUint32(at * 8 + 4, true),
    ]
    if (operation === 0x06) return k
    if (operation === 0x15) at += a === k ? then : otherwise
    else if (operation === 0x01) x = k
    else {
      const place = operation === 0x50 || operation === 0x48 ? x + k : k
      const width = operation === 0x28 || operation === 0x48 ? 2 : 1
      if (place + width > packet.length) return 0
      if (operation === 0xb1) x = 4 * (view.getUint8(place) & 15)
      else a = width === 2 ? view.getUint16(place) : view.getUint8(place)
    }
  }
}

describe('echoes in tunnels', () => {
  it('are read with the addresses of both packets', () => {
    const seen = tunnelledEcho(frame(V4), 4)
    expect(seen).toMatchObject({ port: 8472, isAnswer: false })
    expect([seen?.outerFrom.text, seen?.outerTo.text, seen?.from.text, seen?.to.text]).toEqual([
      ...['192.168.205.10', '192.168.205.11', '10.15.64.0', '10.15.65.0'],
    ])
    const seen6 = tunnelledEcho(frame(V6), 6)
    expect(seen6).toMatchObject({ port: 8472, isAnswer: true })
    expect([seen6?.outerFrom.text, seen6?.outerTo.text, seen6?.from.text, seen6?.to.text]).toEqual([
      ...['fd00::10', 'fd00::11', 'fd10::40', 'fd10::41'],
    ])
  })

  it.each([
    [V4, 4],
    [V6, 6],
  ] as const)('are nothing that is cut short, or of the other family, or something else', (hex, family) => {
    const whole = frame(hex)
    for (let length = 0; length < whole.length - 8; length++)
      expect(tunnelledEcho(whole.subarray(0, length), family)).toBeUndefined()
    expect(tunnelledEcho(whole, family === 4 ? 6 : 4)).toBeUndefined()
    const unreachable = Uint8Array.from(whole)
    unreachable[whole.length - 8] = family === 4 ? 3 : 1
    expect(tunnelledEcho(unreachable, family)).toBeUndefined()
  })

  it.each([
    [V4, 4],
    [V6, 6],
  ] as const)('alone pass the filter', (hex, family) => {
    const passes = (bytes: Uint8Array, of: Family = family): boolean => runFilter(tunnelFilter(of), bytes) > 0
    const whole = frame(hex)
    expect(passes(whole)).toBe(true)
    expect(passes(whole, family === 4 ? 6 : 4)).toBe(false)
    for (const at of family === 4 ? [12, 23, 42, 62, 73] : [12, 20, 62, 82, 90]) {
      const other = Uint8Array.from(whole)
      other[at] = (other[at] ?? 0) ^ 0x11
      expect(passes(other), `octet ${at}`).toBe(false)
    }
  })
})

describe('what the kernel counts of packets that it drops', () => {
  it('has the names of nstat', () => {
    expect(countsInPairs('Ip: Forwarding InDiscards\nIp: 1 7\nTcpExt: IPReversePathFilter\nTcpExt: 3\n')).toEqual([
      ...[
        ['IpForwarding', 1],
        ['IpInDiscards', 7],
        ['TcpExtIPReversePathFilter', 3],
      ],
    ])
    expect(countsInLines('Ip6InDiscards                   \t4\nXfrmInNoPols            \t2\n')).toEqual([
      ...[
        ['Ip6InDiscards', 4],
        ['XfrmInNoPols', 2],
      ],
    ])
  })

  it('is told where it has risen by as many as were asked', () => {
    const before = new Map([
      ['IpInDiscards', 7],
      ['UdpNoPorts', 1],
    ])
    const after = new Map([
      ['IpInDiscards', 10],
      ['UdpNoPorts', 2],
      ['XfrmInNoPols', 9],
    ])
    expect(risen(before, after, 3)).toEqual(['IpInDiscards +3'])
  })
})
