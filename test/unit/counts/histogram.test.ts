import { expect, it } from 'vitest'
import { Histogram } from '../../../src/counts/histogram.ts'

it('counts each value under every bound that it does not exceed', () => {
  const histogram = new Histogram([1, 2, 5])
  for (const value of [0.5, 1, 1.5, 5, 7]) histogram.observe(value)
  expect(histogram.read()).toEqual({ bounds: [1, 2, 5], cumulative: [2, 3, 4], count: 5, sum: 15 })
})

it('counts nothing that is no number, by which its sum would be lost for good', () => {
  const histogram = new Histogram([1])
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 0.25]) histogram.observe(value)
  expect(histogram.read()).toEqual({ bounds: [1], cumulative: [1], count: 1, sum: 0.25 })
})
