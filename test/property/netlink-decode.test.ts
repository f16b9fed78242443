import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAddress } from '../../src/netlink/codec/address.ts'
import { MessageBuffer } from '../../src/netlink/codec/buffer.ts'
import { readAcknowledgement, readDone } from '../../src/netlink/conversation.ts'
import { readLink } from '../../src/netlink/codec/link.ts'
import { readChange } from '../../src/netlink/listener.ts'
import { readNeighbour } from '../../src/netlink/codec/neighbour.ts'
import { DecodeError, MessageCursor } from '../../src/netlink/codec/reader.ts'
import { readLookup, readRoute } from '../../src/netlink/codec/route.ts'
import { realDatagrams } from '../golden/golden.ts'

const RUNS = 3_000
/** What stands in the receive buffer behind the datagram, left over from an earlier one. */
const LEFTOVER_BYTES = 64
const WATCHED = 4

const READERS = [
  readLink,
  readAddress,
  readNeighbour,
  readRoute,
  readLookup,
  readAcknowledgement,
  readDone,
  (message: MessageCursor) =>
    readChange(message, { watched: () => [WATCHED], otherRoutes: () => true, isOfInterest: () => false }),
  (message: MessageCursor) => [...message.attributes(12)],
] as const

/** Everything that can be made of a datagram, by every reader, as text; a DecodeError counts as a result, anything else is thrown. */
function readEverything(datagram: Uint8Array, leftover: number): string {
  const buffer = new MessageBuffer(datagram.length + LEFTOVER_BYTES)
  buffer.bytes.fill(leftover)
  buffer.bytes.set(datagram)
  const cursor = new MessageCursor(buffer)
  const results: unknown[] = []
  cursor.start(datagram.length)
  let more = true
  while (more) {
    if (results.length > datagram.length * READERS.length) throw new Error('the walk over the messages does not end')
    more = attempt(results, () => cursor.next()) === true
    if (more) for (const read of READERS) attempt(results, () => read(cursor))
  }
  return JSON.stringify(results)
}

function attempt(results: unknown[], read: () => unknown): unknown {
  try {
    const result = read()
    results.push(result)
    return result
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    results.push(error.message)
    return undefined
  }
}

/** Whatever lies behind the datagram, the result is the same: nothing is read beyond its end. */
function staysInside(datagram: Uint8Array): void {
  expect(readEverything(datagram, 0x00)).toBe(readEverything(datagram, 0xff))
}

const realDatagram = fc.constantFrom(...realDatagrams)

/** A real message with some octets overwritten; lengths and types are hit often, since most are near the front or on multiples of 4. */
const mutated = fc
  .tuple(realDatagram, fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.boolean()), { minLength: 1, maxLength: 12 }))
  .map(([datagram, changes]) => {
    const bytes = Uint8Array.from(datagram)
    for (const [where, value, onField] of changes) {
      const at = where % bytes.length
      bytes[onField ? at & ~3 : at] = value
    }
    return bytes
  })

const truncated = fc
  .tuple(realDatagram, fc.nat())
  .map(([datagram, length]) => datagram.slice(0, length % datagram.length))

/** A believable header in front of anything. */
const framed = fc
  .tuple(fc.constantFrom(2, 3, 16, 17, 20, 21, 24, 25, 28, 29), fc.nat(0xffff), fc.uint8Array({ maxLength: 200 }))
  .map(([type, flags, payload]) => {
    const message = Buffer.alloc(16 + payload.length)
    message.writeUInt32LE(message.length, 0)
    message.writeUInt16LE(type, 4)
    message.writeUInt16LE(flags, 6)
    message.set(payload, 16)
    return message
  })

describe('decoding throws nothing but DecodeError, ends, and reads nothing beyond the datagram', () => {
  it('for any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), staysInside), { numRuns: RUNS })
  })

  it('for any payload behind a believable header', () => {
    fc.assert(fc.property(framed, staysInside), { numRuns: RUNS })
  })

  it('for real messages with octets overwritten', () => {
    fc.assert(fc.property(mutated, staysInside), { numRuns: RUNS })
  })

  it('for real messages cut anywhere', () => {
    fc.assert(fc.property(truncated, staysInside), { numRuns: RUNS })
  })

  it('for real messages as they are, all of which can be read', () => {
    for (const datagram of realDatagrams) {
      staysInside(datagram)
      const cursor = new MessageCursor(new MessageBuffer(datagram.length))
      cursor.buffer.bytes.set(datagram)
      cursor.start(datagram.length)
      expect(() => {
        while (cursor.next())
          readChange(cursor, { watched: () => [WATCHED], otherRoutes: () => true, isOfInterest: () => false })
      }).not.toThrow()
    }
  })
})
