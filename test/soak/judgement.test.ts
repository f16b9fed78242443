import { describe, expect, test } from 'vitest'
import { tableDifferences } from './expectation.ts'
import { FAULTS } from './injector.ts'
import { parseSoakOptions } from './options.ts'
import { SeededRandom } from './random.ts'
import { growthOf, type Sample } from './samples.ts'
import { stackIn } from './watchman.ts'

const NO_GRACE: ReadonlySet<string> = new Set()
const ENTRIES = [
  'neighbour 10.1.0.0 lladdr 02:00:00:00:00:01 permanent',
  'route 10.1.0.0/20 via 10.1.0.0 proto 70 onlink',
]

describe('the tables of a machine', () => {
  test('are right when they hold what is expected, in any order', () => {
    expect(tableDifferences(ENTRIES.toReversed(), ENTRIES, NO_GRACE)).toEqual([])
  })

  test('are wrong when an entry is missing, too much or there twice', () => {
    const [first = ''] = ENTRIES
    expect(tableDifferences([first], ENTRIES, NO_GRACE)).toHaveLength(1)
    expect(tableDifferences(ENTRIES, [first], NO_GRACE)).toHaveLength(1)
    expect(tableDifferences([...ENTRIES, first], ENTRIES, NO_GRACE)).toHaveLength(1)
  })

  test('may hold the three entries of a peer in its grace period, and of no other', () => {
    const lost = [
      'neighbour 10.130.16.0 lladdr 02:50:00:03:00:21 permanent',
      'fdb 02:50:00:03:00:21 dst 172.19.0.33 permanent',
      'route 10.130.16.0/20 via 10.130.16.0 proto 70 onlink',
    ]
    expect(tableDifferences(lost, [], new Set(['10.130.16.0/20']))).toEqual([])
    expect(tableDifferences(lost, [], new Set(['10.130.32.0/20']))).toHaveLength(3)
  })
})

describe('the growth of an agent', () => {
  /** A sample every 5 s over 20 minutes. */
  const samples = (of: (share: number) => Partial<Sample>): Sample[] =>
    Array.from({ length: 240 }, (_, at) => ({
      atMs: at * 5000,
      host: 'host0',
      pid: 1,
      rssBytes: 80e6,
      descriptors: 22,
      ...of(at / 240),
    }))

  test('is judged by medians: single peaks do no harm', () => {
    const peaks = samples((share) => (Math.round(share * 240) % 7 === 0 ? { rssBytes: 200e6, descriptors: 40 } : {}))
    expect(growthOf('host0', peaks)).toMatchObject({ isJudged: true, isTooMuch: false })
  })

  test('is too much at 10 % from the third to the last quarter', () => {
    expect(
      growthOf(
        'host0',
        samples((share) => (share > 0.75 ? { rssBytes: 88e6 } : {})),
      ).isTooMuch,
    ).toBe(true)
  })

  test('is too much with three more descriptors at the end than halfway', () => {
    expect(
      growthOf(
        'host0',
        samples((share) => (share > 0.8 ? { descriptors: 25 } : {})),
      ).isTooMuch,
    ).toBe(true)
    expect(
      growthOf(
        'host0',
        samples((share) => (share > 0.8 ? { descriptors: 24 } : {})),
      ).isTooMuch,
    ).toBe(false)
  })

  test('is not judged in a run that is all warming up', () => {
    const short = samples(() => ({})).slice(0, 60)
    expect(growthOf('host0', short).isJudged).toBe(false)
  })
})

describe('a log', () => {
  test('holds a stack when an error was printed as it is', () => {
    expect(stackIn('info fine\nTypeError: no\n    at f (/a/b.cjs:12:3)\n    at g\n')).toContain('TypeError: no')
    expect(stackIn('x\n    at async Promise.all (index 0)\n    at file:///b.cjs:12:3\n')).toBeDefined()
  })

  test('holds none when it only speaks of times and places', () => {
    expect(stackIn('2026-01-01T00:00:00.000Z warn trying again at 10:11:12\n info looked at eth0\n')).toBeUndefined()
  })
})

describe('the choice of faults', () => {
  test('is fixed by the seed and the number of the fault', () => {
    const numbers = (seed: number, stream: number): number[] => {
      const random = new SeededRandom(seed, stream)
      return Array.from({ length: 5 }, () => random.next())
    }
    expect(numbers(1, 2)).toEqual(numbers(1, 2))
    expect(numbers(1, 2)).not.toEqual(numbers(1, 3))
    expect(numbers(1, 2)).not.toEqual(numbers(2, 2))
  })

  test('reaches every fault, about as often as its weight says', () => {
    const counts = new Map<string, number>()
    const rounds = 20_000
    for (let at = 0; at < rounds; at++) {
      const name = new SeededRandom(7, at).pickWeighted(FAULTS)?.name ?? ''
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    const total = FAULTS.reduce((sum, { weight }) => sum + weight, 0)
    for (const { name, weight } of FAULTS)
      expect(Math.abs(((counts.get(name) ?? 0) * total) / rounds / weight - 1), name).toBeLessThan(0.3)
    expect(counts.size).toBe(FAULTS.length)
  })
})

describe('the command line', () => {
  test('has a seed of its own for every run, unless one is given', () => {
    expect(parseSoakOptions(['--seed', '5']).seed).toBe(5)
    expect(parseSoakOptions([]).seed).not.toBe(parseSoakOptions([]).seed)
  })

  test.each([
    ['--minutes', 'x'],
    ['--hosts', '2'],
    ['--seed', '-1'],
    ['--speed', '1'],
  ])('refuses %s %s', (...args) => {
    expect(() => parseSoakOptions(args)).toThrow()
  })
})
