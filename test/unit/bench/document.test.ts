import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { documented, DOCUMENT, FIGURES, PICTURE } from '../../bench/document/document.ts'
import { plotOf } from '../../bench/document/plot.ts'
import { panelsOf } from '../../bench/document/series.ts'
import { figureOf } from '../../bench/figure.ts'
import type { Result } from '../../bench/result.ts'

const machine = {
  processors: 2,
  processor: 'Some',
  memoryGB: 8,
  kernel: '6.18',
  node: 'v24',
  etcd: '3.4',
  iproute2: '6.1',
}
const START = 'start until all are programmed and subnet.env stands'

const resultOf = (...values: readonly (readonly [peers: number, value: number])[]): Result => ({
  ...{ format: 1, machine, quick: false, tookSeconds: 600 },
  figures: values.map(([peers, value]) =>
    figureOf({ row: 'start', what: START, peers, unit: 's', values: [value], bound: { of: 'value', most: 0.5 } }),
  ),
})

describe('the document on performance', () => {
  const text = 'before\n\n<!-- figures -->\n\nformer figures\n\n<!-- end of the figures -->\n\nbehind\n'

  test('has the figures of the run in the place of the former ones, and the rest as it was', () => {
    const written = documented(text, resultOf([1, 0.25]))
    expect(written).toMatch(/^before\n\n<!-- figures -->\n\nOf one run of 10 minutes: 2 processors \(Some\)/)
    expect(written).toContain(`| \`start\` | ${START} | 1 | 0.25 s |  |  | at most 0.5 | met |`)
    expect(written).toMatch(/<!-- end of the figures -->\n\nbehind\n$/)
    expect(written).not.toContain('former')
  })

  test('is written the same again', () => {
    const once = documented(text, resultOf([1, 0.25]))
    expect(documented(once, resultOf([1, 0.25]))).toBe(once)
  })

  test('without a place for figures is left alone', () => {
    expect(() => documented('nothing', resultOf([1, 1]))).toThrow('<!-- figures -->')
  })

  test('shows the figures, and the picture, that lie beside it for machines', () => {
    const result = JSON.parse(readFileSync(FIGURES, 'utf8')) as Result
    const page = readFileSync(DOCUMENT, 'utf8')
    expect(documented(page, result)).toBe(page)
    expect(plotOf(panelsOf(result.figures))).toBe(readFileSync(PICTURE, 'utf8'))
  })
})

describe('the picture', () => {
  const heights = (svg: string): readonly number[] =>
    Array.from(svg.matchAll(/<circle cx="[\d.]+" cy="([\d.]+)" r="3.5" fill="#0969da">/g), ([, y]) => Number(y))

  test('draws ten times as much as far above as a tenth below', () => {
    const [low = NaN, middle = NaN, high = NaN] = heights(
      plotOf(panelsOf(resultOf([1, 0.2], [1_000, 2], [10_000, 20]).figures)),
    )
    expect(low - middle).toBeCloseTo(middle - high, 0)
    expect(low).toBeGreaterThan(high)
  })

  test('shows the bound as a line of its own', () => {
    const [panel] = panelsOf(resultOf([1, 0.2], [1_000, 2]).figures)
    expect(panel?.series.map(({ name, points }) => [name, points.get(1)]).slice(0, 2)).toEqual([
      ['this version', 0.2],
      ['to keep to', 0.5],
    ])
  })
})
