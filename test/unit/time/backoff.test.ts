import { describe, expect, it } from 'vitest'
import { backoffMs } from '../../../src/time/backoff.ts'

const SPEC = { firstMs: 1_000, mostMs: 60_000, jitter: 0.2 }
const middle = (): number => 0.5

describe('backoffMs', () => {
  it('doubles from the first delay up to the longest', () => {
    expect([1, 2, 3, 6, 7, 8].map((attempt) => backoffMs(SPEC, attempt, middle))).toEqual([
      1_000, 2_000, 4_000, 32_000, 60_000, 60_000,
    ])
  })

  it('stays finite however often it fails', () => {
    expect(backoffMs(SPEC, 1e9, middle)).toBe(60_000)
    expect(backoffMs({ ...SPEC, mostMs: Number.MAX_VALUE }, 1e9, middle)).toBeLessThan(Number.MAX_VALUE)
  })

  it('spreads by the jitter, to both sides', () => {
    expect(backoffMs(SPEC, 1, () => 0)).toBe(800)
    expect(backoffMs(SPEC, 1, () => 0.999_999)).toBe(1_200)
  })
})
