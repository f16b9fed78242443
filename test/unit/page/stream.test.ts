import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StreamReader } from '../../../src/page/model/sse.ts'

const cut = (text: string, sizes: readonly number[]): readonly string[] => {
  const pieces: string[] = []
  let at = 0
  for (const size of sizes) {
    pieces.push(text.slice(at, at + size))
    at += size
  }
  return [...pieces, text.slice(at)]
}

describe('a stream of events', () => {
  it('is read the same, however it is cut', () => {
    const text =
      ': hello\n\nid: 1\ndata: {"a":1}\n\nevent: x\nid:2\r\ndata: one\r\ndata:two\r\n\r\nretry: 5\n\ndata\n\ndata: cut off'
    const whole = new StreamReader().push(text)
    expect(whole).toEqual([
      { id: '1', data: '{"a":1}' },
      { id: '2', data: 'one\ntwo' },
      { id: '2', data: '' },
    ])
    fc.assert(
      fc.property(fc.array(fc.nat(9)), (sizes) => {
        const reader = new StreamReader()
        expect(cut(text, sizes).flatMap((piece) => reader.push(piece))).toEqual(whole)
      }),
    )
  })

  it('does not fill the memory without an end of line', () => {
    const reader = new StreamReader()
    expect(() => {
      for (let at = 0; at < 3; at++) reader.push('x'.repeat(600_000))
    }).toThrow('an event without an end')
  })
})
