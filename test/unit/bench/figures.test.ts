import { describe, expect, test } from 'vitest'
import { figureOf, missing } from '../../bench/figure.ts'
import { parseOptions, UsageError } from '../../bench/options.ts'
import { columnsOf, shortNumber, summaryOf, tableOf } from '../../bench/report.ts'
import { median, quantile, spreadOf } from '../../bench/statistics.ts'

const SAMPLE = { row: 'start', what: 'a start', peers: 1_000, unit: 's' }

describe('several measurements', () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[7], 7],
    [[], NaN],
  ])('%j have the median %d', (values, expected) => {
    expect(median(values)).toBe(expected)
  })

  test.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
    [0, 1],
  ])('have the value below which %d of them lie', (share, expected) => {
    const values = Array.from({ length: 100 }, (_, at) => 100 - at)
    expect(quantile(values, share)).toBe(expected)
  })

  test('keep their order while they are looked at', () => {
    const values = [3, 1, 2]
    spreadOf(values)
    expect(values).toEqual([3, 1, 2])
  })
})

describe('a figure', () => {
  test('keeps to a bound by its median, whatever its worst run was', () => {
    const figure = figureOf({ ...SAMPLE, values: [1, 1, 9], bound: { of: 'value', most: 2 } })
    expect(figure).toMatchObject({ verdict: 'met', value: { median: 1, low: 1, high: 9, runs: 3 } })
  })

  test('misses a bound that it is a little above', () => {
    expect(figureOf({ ...SAMPLE, values: [2.01], bound: { of: 'value', most: 2 } }).verdict).toBe('MISSED')
  })

  test('is compared run by run, so that what slows both down is no difference', () => {
    const reference = { name: 'theirs', values: [2, 20, 4] }
    const figure = figureOf({ ...SAMPLE, values: [1, 10, 2], reference, bound: { of: 'ratio', most: 0.5 } })
    expect(figure).toMatchObject({ verdict: 'met', ratio: { low: 0.5, high: 0.5 }, difference: { median: -2 } })
  })

  test.each([
    [[0.96], 'MISSED'],
    [[1], 'met'],
    [[1.04], 'MISSED'],
  ])('%j lies between two bounds or not', (values, verdict) => {
    const reference = { name: 'theirs', values: [1] }
    expect(figureOf({ ...SAMPLE, values, reference, bound: { of: 'ratio', least: 0.97, most: 1.03 } }).verdict).toBe(
      verdict,
    )
  })

  test('is judged by what it is above the reference where the bound says so', () => {
    const reference = { name: 'an empty program', values: [8, 8] }
    const bound = { of: 'difference', most: 9 } as const
    expect(figureOf({ ...SAMPLE, values: [16, 17], reference, bound }).verdict).toBe('met')
    expect(figureOf({ ...SAMPLE, values: [17.1, 18], reference, bound }).verdict).toBe('MISSED')
  })

  test.each([[[]], [[NaN]], [[1, Infinity]]])('is none of %j', (values) => {
    expect(() => figureOf({ ...SAMPLE, values })).toThrow('no figure of start, a start')
  })

  test('without a bound has no verdict on it', () => {
    expect(figureOf({ ...SAMPLE, values: [1] }).verdict).toBe('without a bound')
  })
})

describe('the table', () => {
  const figures = [
    figureOf({ ...SAMPLE, values: [0.1, 0.2, 0.3], bound: { of: 'value', most: 0.15 } }),
    missing('join', 'a join', 'there is no cc'),
  ]

  test('shows a miss as one, and why something is not there', () => {
    const [head, first, second] = tableOf(figures).split('\n')
    expect(head).toMatch(/^row +figure +peers +measured +reference +compared +bound +verdict$/)
    expect(first).toMatch(/^start +a start +1000 +0\.2 \(0\.1 to 0\.3\) s +at most 0\.15 +MISSED$/)
    expect(second).toMatch(/^join +a join +not measured: there is no cc$/)
  })

  test('counts the verdicts', () => {
    expect(summaryOf(figures)).toBe('0 met, 1 MISSED, 0 without a bound, 1 not measured')
  })

  test('shows the difference where that is what is judged', () => {
    const reference = { name: 'an empty program', values: [8] }
    const bound = { of: 'difference', most: 9 } as const
    expect(columnsOf(figureOf({ ...SAMPLE, unit: 'MB', values: [16], reference, bound }))).toMatchObject({
      reference: 'an empty program: 8',
      compared: '8 MB',
      bound: 'at most 9 above the reference',
    })
  })

  test.each([
    [0, '0'],
    [1234.5, '1235'],
    [12.345, '12.3'],
    [0.123456, '0.123'],
    [0.000_123_456, '0.000123'],
    [100, '100'],
    [-0.5, '-0.5'],
  ])('shows %d as %s', (value, text) => {
    expect(shortNumber(value)).toBe(text)
  })
})

describe('the command line', () => {
  const parse = (...args: readonly string[]) => parseOptions(args, ['start', 'join'])

  test('asks for everything by default', () => {
    expect(parse()).toMatchObject({ only: [], sizes: [1, 1_000, 10_000, 60_000], runs: 5, isQuick: false, json: false })
  })

  test('chooses rows, sizes and runs', () => {
    expect(parse('--only', 'join', '--only', 'start', '--peers', '20', '--peers', '30', '--runs', '2')).toMatchObject({
      only: ['join', 'start'],
      sizes: [20, 30],
      runs: 2,
    })
  })

  test('is quick with few peers', () => {
    const { sizes, isQuick } = parse('--quick')
    expect(isQuick).toBe(true)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000)
  })

  test.each([
    [['--only', 'jion'], 'there is no row "jion", only start, join'],
    [['--peers', '0'], '--peers is a whole number from 1 to 60000, not "0"'],
    [['--runs', '1.5'], '--runs is a whole number'],
    [['--fast'], "Unknown option '--fast'"],
    [['start'], 'Unexpected argument'],
  ])('%j is refused', (args, message) => {
    expect(() => parse(...args)).toThrow(UsageError)
    expect(() => parse(...args)).toThrow(message)
  })
})
