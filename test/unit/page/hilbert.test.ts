import { describe, expect, it } from 'vitest'
import { indexAt, pointAt, rectangleOf } from '../../../src/page/model/hilbert.ts'

const BITS = Array.from({ length: 13 }, (_, at) => at + 1)
const lineOf = (bits: number) => Array.from({ length: 2 ** bits }, (_, at) => pointAt(bits, at))

describe.each(BITS)('the line through 2^%i cells', (bits) => {
  it('passes every cell of its rectangle once', () => {
    const { width, height } = rectangleOf(bits)
    const line = lineOf(bits)
    expect(new Set(line.map(({ x, y }) => y * width + x)).size).toBe(2 ** bits)
    expect(line.every(({ x, y }) => x >= 0 && x < width && y >= 0 && y < height)).toBe(true)
  })

  it('goes from each cell to one beside it', () => {
    const line = lineOf(bits)
    const jumps = line.filter(({ x, y }, at) => {
      const before = line[at - 1] ?? { x: x - 1, y }
      return Math.abs(x - before.x) + Math.abs(y - before.y) !== 1
    })
    expect(jumps).toEqual([])
  })

  it('knows which cell a place is', () => {
    expect(lineOf(bits).map((point) => indexAt(bits, point))).toEqual(Array.from({ length: 2 ** bits }, (_, at) => at))
  })
})
