import { describe, expect, it } from 'vitest'
import type { KernelOp } from '../../../src/kernel/kernel.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { MessageBuffer } from '../../../src/netlink/codec/buffer.ts'
import {
  writeFdbDelete,
  writeFdbReplace,
  writeNeighbourDelete,
  writeNeighbourReplace,
} from '../../../src/netlink/codec/neighbour.ts'
import { MessageCursor } from '../../../src/netlink/codec/reader.ts'
import { NDA } from '../../../src/netlink/codec/uapi.ts'
import type { MessageWriter } from '../../../src/netlink/codec/writer.ts'
import { Echoes } from '../../../src/netlink/echoes.ts'
import { datagram } from './scripted-addon.ts'

const linkIndex = 7
const macOf = (n: number) => mac(`02:00:00:00:00:0${n}`)
const entry = (n: number) => ({ linkIndex, mac: macOf(n), remote: ip(`192.0.2.${n}`) })
const replace = (n: number): KernelOp => ({ op: 'fdb.replace', ...entry(n) })
const erase = (n: number): KernelOp => ({ op: 'fdb.delete', linkIndex, mac: macOf(n) })

/** Requests and reports are the same messages. */
function report(write: (writer: MessageWriter) => void): MessageCursor {
  const bytes = datagram(write)
  const cursor = new MessageCursor(new MessageBuffer(bytes.length))
  cursor.buffer.bytes.set(bytes)
  cursor.start(bytes.length)
  cursor.next()
  return cursor
}

const written = (fields: Parameters<typeof writeFdbReplace>[1]) =>
  report((writer) => {
    writeFdbReplace(writer, fields, 0)
  })
const erased = (n: number) =>
  report((writer) => {
    writeFdbDelete(writer, entry(n), 0)
  })
const neighbour = { linkIndex, ip: ip('10.1.0.0') }
const neighbourGone = (fields = neighbour) =>
  report((writer) => {
    writeNeighbourDelete(writer, fields, 0)
  })

function expecting(...ops: readonly KernelOp[]): Echoes {
  const echoes = new Echoes()
  echoes.expect(ops)
  return echoes
}

describe('echoes that say not whose they are', () => {
  it('are known in their order, also where some are missing, since an entry that was so already is not reported', () => {
    const echoes = expecting(replace(1), replace(2), erase(3), replace(4))
    expect([written(entry(1)), erased(3), written(entry(4))].map((one) => echoes.has(one))).toEqual([true, true, true])
  })

  it('are known once: who writes the same again is another', () => {
    const echoes = expecting(replace(1), replace(2))
    expect([written(entry(1)), written(entry(1)), written(entry(2))].map((one) => echoes.has(one))).toEqual([
      ...[true, false, true],
    ])
  })

  it('are those of IPv6 too', () => {
    const remote = ip('2001:db8::7')
    const echoes = expecting({ op: 'fdb.replace', ...entry(1), remote })
    const others = ['2001:db8::8', '2001:db8::1:7', '2001:db8:0:1::7', '2001:db9::7'].map((text) => ip(text))
    for (const other of others) expect(echoes.has(written({ ...entry(1), remote: other }))).toBe(false)
    expect(echoes.has(written({ ...entry(1), remote }))).toBe(true)
  })

  it('are those of neighbours that are erased', () => {
    const echoes = expecting(erase(1), { op: 'neighbour.delete', ...neighbour })
    const others = [
      { ...neighbour, ip: ip('10.1.0.1') },
      { ...neighbour, linkIndex: 8 },
    ]
    expect(others.map((other) => echoes.has(neighbourGone(other)))).toEqual([false, false])
    expect([erased(1), neighbourGone()].map((one) => echoes.has(one))).toEqual([true, true])
  })

  it('are no more when the next batch is written', () => {
    const echoes = expecting(replace(1))
    echoes.expect([replace(2)])
    expect([written(entry(1)), written(entry(2))].map((one) => echoes.has(one))).toEqual([false, true])
  })

  it.each<[string, MessageCursor]>([
    ['of another destination', written({ ...entry(1), remote: ip('192.0.2.9') })],
    ['of another address', written({ ...entry(1), mac: macOf(9) })],
    ['of another link', written({ ...entry(1), linkIndex: 8 })],
    ['of one that is gone', erased(1)],
    [
      'with a port of its own',
      report((writer) => {
        writeFdbReplace(writer, entry(1), 0)
        writer.attributeBe16(NDA.PORT, 4789)
        writer.end()
      }),
    ],
    [
      'of a neighbour',
      report((writer) => {
        writeNeighbourReplace(writer, { linkIndex, ip: entry(1).remote, mac: macOf(1) }, 0)
      }),
    ],
  ])('are none %s', (_, other) => {
    const echoes = expecting(replace(1), erase(2))
    expect(echoes.has(other)).toBe(false)
    expect(echoes.has(written(entry(1)))).toBe(true)
  })
})
