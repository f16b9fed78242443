import { describe, expect, it } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix, type Prefix } from '../../../src/net/prefix.ts'
import { MessageBuffer } from '../../../src/netlink/codec/buffer.ts'
import { readLink } from '../../../src/netlink/codec/link.ts'
import { readNeighbour } from '../../../src/netlink/codec/neighbour.ts'
import { writeRouteDelete, writeRouteReplace } from '../../../src/netlink/codec/route.ts'
import { readChange } from '../../../src/netlink/listener.ts'
import { DecodeError, MessageCursor, type Attributes } from '../../../src/netlink/codec/reader.ts'
import { AF, IFF, IFLA, NDA, NLM_F, NTF_SELF, NUD, RTA, RTM } from '../../../src/netlink/codec/uapi.ts'
import type { MessageWriter } from '../../../src/netlink/codec/writer.ts'
import { datagram } from './scripted-addon.ts'

/** A cursor on the one message that `write` writes. */
function messageOf(write: (writer: MessageWriter) => void): MessageCursor {
  const bytes = datagram(write)
  const buffer = new MessageBuffer(bytes.length)
  buffer.bytes.set(bytes)
  const cursor = new MessageCursor(buffer)
  cursor.start(bytes.length)
  cursor.next()
  return cursor
}

const attributesOf = (write: (writer: MessageWriter) => void): Attributes =>
  messageOf((writer) => {
    writer.begin(1, 0, 1)
    write(writer)
    writer.end()
  }).attributes(0)

describe('attributes', () => {
  it('below 32 are told at a glance, and no others with them', () => {
    const attributes = attributesOf((writer) => {
      for (const type of [0, 3, 31, 32, 37]) writer.attributeU32(type, 1)
    })
    expect(attributes.types() >>> 0).toBe(0x8000_0009)
    expect([3, 4, 5, 37].map((type) => attributes.has(type))).toEqual([true, false, false, true])
  })

  it('give their numbers, and none where there is none', () => {
    const attributes = attributesOf((writer) => {
      writer.attributeBytes(1, [0x12, 0x34, 0x56, 0x78, 9])
      writer.attributeBytes(3, [1, 2, 3, 4, 5, 6, 7, 8])
    })
    expect([attributes.u8(1), attributes.be16(1), attributes.lengthOf(1)]).toEqual([0x12, 0x1234, 5])
    expect([attributes.u16(1), attributes.u16(1, 2), attributes.u32(1)]).toEqual([0x3412, 0x7856, 0x7856_3412])
    expect([attributes.u32(3), attributes.u32(3, 4)]).toEqual([0x0403_0201, 0x0807_0605])
    expect([attributes.u8(2), attributes.u16(2), attributes.u32(2), attributes.be16(2)]).toEqual(
      Array(4).fill(undefined),
    )
    expect([attributes.bytes(2), attributes.text(2), attributes.ip(2), attributes.lengthOf(2)]).toEqual([
      ...[undefined, undefined, undefined, 0],
    ])
  })

  it.each([
    ['a number', (attributes: Attributes) => attributes.u32(1)],
    ['an address', (attributes: Attributes) => attributes.ip(1)],
    ['a port', (attributes: Attributes) => attributes.be16(7)],
  ])('that are too short for %s are an error', (_, read) => {
    const attributes = attributesOf((writer) => {
      writer.attributeBytes(1, [1, 2])
      writer.attributeBytes(7, [1])
    })
    expect(() => read(attributes)).toThrow(DecodeError)
  })

  it('of text end with their NUL, if they have one', () => {
    const attributes = attributesOf((writer) => {
      writer.attributeBytes(1, [...Buffer.from('eth0\0rest')])
      writer.attributeBytes(2, [...Buffer.from('eth1')])
    })
    expect([attributes.text(1), attributes.text(2)]).toEqual(['eth0', 'eth1'])
  })
})

describe('a link', () => {
  const linkWith = (flags: number) =>
    readLink(
      messageOf((writer) => {
        writer.begin(RTM.NEWLINK, 0, 1)
        for (const word of [0, 7, flags, 0]) writer.u32(word)
        writer.attributeText(IFLA.IFNAME, 'eth0')
        writer.attributeU32(IFLA.MTU, 1500)
        writer.end()
      }),
    )

  it.each([
    ['down', 0, {}],
    ['up, without carrier', IFF.UP, { up: true }],
    ['up, with carrier', IFF.UP | IFF.LOWER_UP, { up: true, carrier: true }],
    ['a loopback', IFF.UP | IFF.LOOPBACK, { up: true, loopback: true }],
  ])('is %s by its flags', (_, flags, expected) => {
    const plain = { index: 7, name: 'eth0', mtu: 1500, up: false, carrier: false, loopback: false }
    expect(linkWith(flags)).toMatchObject({ ...plain, ...expected, vxlan: undefined, master: undefined })
  })
})

describe('an fdb entry', () => {
  const [MAC, REMOTE] = [mac('02:00:00:00:00:01'), ip('192.0.2.1')]
  const entry = (state: number, ...more: readonly (readonly [type: number, value: number])[]) =>
    readNeighbour(
      messageOf((writer) => {
        writer.begin(RTM.NEWNEIGH, 0, 1)
        for (const octet of [AF.BRIDGE, 0]) writer.u8(octet)
        writer.u16(0)
        writer.u32(7)
        writer.u16(state)
        for (const octet of [NTF_SELF, 0]) writer.u8(octet)
        writer.attributeMac(NDA.LLADDR, MAC)
        writer.attributeBytes(NDA.DST, REMOTE.bytes)
        for (const [type, value] of more) writer.attributeU32(type, value)
        writer.end()
      }),
    )

  it('is read with what it leads to', () => {
    expect(entry(NUD.PERMANENT)).toEqual({
      ...{ kind: 'fdb', linkIndex: 7, entry: { mac: MAC, remote: REMOTE, permanent: true, astray: undefined } },
    })
    expect(entry(0)).toMatchObject({ entry: { permanent: false } })
  })

  it.each([
    ['port', NDA.PORT],
    ['VNI', NDA.VNI],
    ['link', NDA.IFINDEX],
  ])('goes astray with a %s of its own', (_, type) => {
    expect(entry(NUD.PERMANENT, [type, 9])).toMatchObject({ entry: { astray: true } })
  })

  it('of a bridge about the link is none of ours', () => {
    expect(entry(NUD.PERMANENT, [NDA.MASTER, 3])).toBeUndefined()
  })
})

describe('a route with several next hops', () => {
  const [IN_MAIN, UNICAST] = [254, 1]
  const hop = (length: number, link: number): readonly number[] => [length, 0, 0, 0, link, 0, 0, 0]
  const message = (...hops: readonly (readonly number[])[]): MessageCursor =>
    messageOf((writer) => {
      writer.begin(RTM.NEWROUTE, 0, 1)
      for (const octet of [AF.INET, 20, 0, 0, IN_MAIN, 70, 0, UNICAST]) writer.u8(octet)
      writer.u32(0)
      writer.attributeBytes(RTA.DST, [10, 20, 0, 0])
      writer.attributeBytes(RTA.MULTIPATH, hops.flat())
      writer.end()
    })
  const told = (cursor: MessageCursor) =>
    readChange(cursor, { watched: () => [7], otherRoutes: () => true, isOfInterest: () => false })

  it('is told whole where one of them is on a link that is watched', () => {
    const route = { linkIndex: 8, furtherHops: [{ linkIndex: 7 }] }
    expect(told(message(hop(8, 8), hop(8, 7)))).toMatchObject({ kind: 'route', route })
    expect(told(message(hop(8, 8), hop(8, 9)))).toEqual({ kind: 'other-routes' })
  })

  it.each([7, 9, 16, 20])('cannot be read where the second is said to have %i octets of 8', (length) => {
    expect(() => told(message(hop(8, 8), hop(length, 9)))).toThrow(DecodeError)
  })
})

describe('a report of a route', () => {
  const route = { type: 'unicast', destination: prefix('10.20.0.0/20'), metric: 5, protocol: '70' } as const
  const [OURS, OTHER] = [7, 8]
  /** As the kernel reports it: with the flags that a request of ours has, or without. */
  const told = (
    linkIndex: number,
    what: 'new' | 'in place' | 'gone',
    otherRoutes = false,
    isOfInterest: (destination: Prefix) => boolean = () => false,
  ) =>
    readChange(
      messageOf((writer) => {
        if (what === 'gone') writeRouteDelete(writer, { op: 'route.delete', ...route, linkIndex }, 1)
        else writeRouteReplace(writer, { op: 'route.replace', ...route, linkIndex, onlink: false }, 1)
        if (what === 'new') new DataView(writer.bytes.buffer, writer.bytes.byteOffset).setUint16(6, NLM_F.CREATE, true)
      }),
      { watched: () => [OURS], otherRoutes: () => otherRoutes, isOfInterest },
    )

  it('to where somebody wants to hear of foreign routes is told by its destination', () => {
    const isOfInterest = ({ text }: Prefix): boolean => text === route.destination.text
    expect(told(OTHER, 'new', false, isOfInterest)).toEqual({ kind: 'foreign-route', destination: route.destination })
    expect(told(OTHER, 'gone', true, isOfInterest)).toEqual({ kind: 'foreign-route', destination: route.destination })
    expect(told(OURS, 'new', false, isOfInterest)).toMatchObject({ kind: 'route' })
  })

  it('on a link that is watched is told whole', () => {
    const { destination } = route
    expect(told(OURS, 'new')).toMatchObject({ kind: 'route', gone: false, route: { destination, linkIndex: OURS } })
    expect(told(OURS, 'gone')).toMatchObject({ kind: 'route', gone: true, route: { destination, linkIndex: OURS } })
  })

  it('on another link is told whole where it may have taken the place of one of ours', () => {
    expect(told(OTHER, 'in place')).toMatchObject({ kind: 'route', gone: false, route: { linkIndex: OTHER } })
  })

  it.each(['new', 'gone'] as const)('on another link is told as one of others to whom it matters: %s', (what) => {
    expect(told(OTHER, what)).toBeUndefined()
    expect(told(OTHER, what, true)).toEqual({ kind: 'other-routes' })
  })
})
