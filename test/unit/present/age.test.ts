import { describe, expect, it } from 'vitest'
import { ago, duration, milliseconds, until } from '../../../src/present/age.ts'

const AT = Date.parse('2026-11-30T03:00:00Z')

describe('a span of time', () => {
  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_999, '1 s'],
    [61_000, '1 min'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [86_400_000, '1 d'],
    [356_400_000, '4 d 3 h'],
    [-5_000, '0 ms'],
    [NaN, 'unknown'],
  ])('of %d ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })

  it('is told from now, both ways', () => {
    expect(ago('2026-11-30T02:57:00.000Z', AT)).toBe('3 min ago')
    expect(ago(null, AT)).toBe('never')
    expect(until('2026-11-30T03:00:30.000Z', AT)).toBe('in 30 s')
    expect(until('2026-11-30T02:59:00.000Z', AT)).toBe('1 min overdue')
  })

  it('of a round trip has two digits that count', () => {
    expect([0.3124, 9.96, 12.4, null].map(milliseconds)).toEqual(['0.31 ms', '10 ms', '12 ms', '–'])
  })
})
