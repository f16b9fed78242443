import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipFromBytes, type Ip } from '../../src/net/ip.ts'
import { macFromBytes } from '../../src/net/mac.ts'
import { prefixOf } from '../../src/net/prefix.ts'
import { MessageBuffer } from '../../src/netlink/codec/buffer.ts'
import { readChange } from '../../src/netlink/listener.ts'
import { writeOperation } from '../../src/netlink/codec/operation.ts'
import { MessageCursor } from '../../src/netlink/codec/reader.ts'
import { ROUTE_PROTOCOLS } from '../../src/netlink/codec/words.ts'
import { MessageTooLong, MessageWriter } from '../../src/netlink/codec/writer.ts'
import type { KernelChange, KernelOp } from '../../src/kernel/kernel.ts'

/** Reads requests as if they were the notifications they cause, which have the same form. */
function readBack(writer: MessageWriter, watched: number): readonly (KernelChange | undefined)[] {
  const cursor = new MessageCursor(new MessageBuffer(writer.length))
  cursor.buffer.bytes.set(writer.bytes.subarray(0, writer.length))
  cursor.start(writer.length)
  const changes: (KernelChange | undefined)[] = []
  while (cursor.next())
    changes.push(readChange(cursor, { watched: () => [watched], otherRoutes: () => true, isOfInterest: () => false }))
  return changes
}

const linkIndex = fc.integer({ min: 1, max: 0x7fff_ffff })
const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(macFromBytes)
const ip4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes)
const ip6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes)
const anyIp: fc.Arbitrary<Ip> = fc.oneof(ip4, ip6)
const subnet = fc
  .tuple(anyIp, fc.nat(128))
  .map(([address, length]) => prefixOf(address, length % (address.bytes.length * 8 + 1)))

/** A table entry to write on one link. */
const entryOn = (linkIndex: number): fc.Arbitrary<KernelOp> =>
  fc.oneof<fc.Arbitrary<KernelOp>[]>(
    fc.record({ op: fc.constant('neighbour.replace'), linkIndex: fc.constant(linkIndex), ip: anyIp, mac: anyMac }),
    fc.record({ op: fc.constant('fdb.replace'), linkIndex: fc.constant(linkIndex), mac: anyMac, remote: anyIp }),
    subnet.chain((destination) =>
      fc.record({
        op: fc.constant('route.replace'),
        destination: fc.constant(destination),
        type: fc.constant('unicast'),
        linkIndex: fc.constant(linkIndex),
        gateway: destination.family === 4 ? ip4 : ip6,
        metric: fc.nat(0xffff_ffff),
        protocol: fc.nat(255).map((number) => ROUTE_PROTOCOLS.word(number)),
        onlink: fc.boolean(),
      }),
    ),
  )

/** The change that carrying out `op` is. */
function changeOf(op: KernelOp): KernelChange | undefined {
  switch (op.op) {
    case 'neighbour.replace':
      return {
        kind: 'neighbour',
        linkIndex: op.linkIndex,
        neighbour: { ip: op.ip, mac: op.mac, permanent: true },
        gone: false,
      }
    case 'fdb.replace':
      return {
        kind: 'fdb',
        linkIndex: op.linkIndex,
        entry: { mac: op.mac, remote: op.remote, permanent: true },
        gone: false,
      }
    case 'route.replace': {
      const { destination, gateway, metric, protocol, onlink = false, linkIndex } = op
      const fields = { destination, gateway, metric, protocol, onlink, linkIndex }
      return { kind: 'route', route: { ...fields, scope: 'global', type: 'unicast', table: 'main' }, gone: false }
    }
    default:
      return undefined
  }
}

describe('what is written is read back', () => {
  it('as the same neighbour, fdb entry or route, of either family, one behind the other in a batch', () => {
    const ops = linkIndex.chain((index) =>
      fc.record({ index: fc.constant(index), list: fc.array(entryOn(index), { minLength: 1, maxLength: 20 }) }),
    )
    fc.assert(
      fc.property(ops, ({ index, list }) => {
        const writer = new MessageWriter(8192)
        writer.bytes.fill(0xee)
        list.forEach((op, n) => {
          writeOperation(writer, op, n + 1)
        })
        expect(readBack(writer, index)).toEqual(list.map(changeOf))
      }),
      { numRuns: 500 },
    )
  })

  it('as the same address', () => {
    fc.assert(
      fc.property(linkIndex, anyIp, fc.nat(32), (index, address, prefixLength) => {
        const writer = new MessageWriter(128)
        writeOperation(writer, { op: 'address.add', linkIndex: index, ip: address, prefixLength }, 1)
        const flags = address.family === 6 ? ['nodad'] : []
        const expected = { linkIndex: index, ip: address, prefixLength, scope: 'global', flags, protocol: '70' }
        expect(readBack(writer, 0)).toEqual([{ kind: 'address', address: expected, gone: false }])
      }),
    )
  })

  it('as the same link, whose settings the kernel reports in the form they are asked for in', () => {
    const vxlan = fc.record({
      vni: fc.nat(0xff_ffff),
      local: anyIp,
      underlayIndex: fc.nat(1000),
      port: fc.nat(0xffff),
      learning: fc.boolean(),
      gbp: fc.boolean(),
      ttl: fc.nat(255),
      udpChecksum: fc.boolean(),
    })
    const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,14}$/)
    fc.assert(
      fc.property(name, anyMac, fc.integer({ min: 68, max: 65_535 }), vxlan, (named, mac, mtu, settings) => {
        const writer = new MessageWriter(512)
        writeOperation(writer, { op: 'link.create', spec: { name: named, mac, mtu, alias: '', vxlan: settings } }, 1)
        expect(readBack(writer, 0)).toMatchObject([
          {
            kind: 'link',
            link: { name: named, mac, mtu, kind: 'vxlan', vxlan: { ...settings, external: false } },
            gone: false,
          },
        ])
      }),
    )
  })
})

describe('a writer', () => {
  it('never writes beyond its buffer: what does not fit is refused and can be taken back', () => {
    fc.assert(
      fc.property(entryOn(1), fc.nat(100), (op, size) => {
        const writer = new MessageWriter(size)
        writer.mark()
        try {
          writeOperation(writer, op, 1)
          expect(writer.length).toBeLessThanOrEqual(writer.bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(MessageTooLong)
          writer.rewind()
          expect(writer.length).toBe(0)
        }
      }),
    )
  })
})
