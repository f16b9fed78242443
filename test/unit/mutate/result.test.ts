import { describe, expect, test } from 'vitest'
import { parseOptions, UsageError } from '../../mutate/options.ts'
import { killedShare, reportOf, type Entry, type Outcome } from '../../mutate/result.ts'

const entry = (file: string, outcome: Outcome): Entry => ({
  file,
  line: 3,
  kind: 'comparison',
  original: 'a < b',
  mutated: 'a <= b',
  outcome,
  note: '',
  durationMs: 0,
  testFiles: 1,
})

describe('the share of killed mutants', () => {
  test('counts those that hang, and leaves out those that no test could notice', () => {
    const outcomes: readonly Outcome[] = ['killed', 'timed out', 'killed', 'survived', 'equivalent', 'not reached']
    expect(killedShare(outcomes.map((outcome) => entry('src/a.ts', outcome)))).toBe(75)
    expect(killedShare([entry('src/a.ts', 'not compiled')])).toBeUndefined()
  })
})

test('the report counts by folder, and shows each survivor with its place', () => {
  const entries = [entry('src/a/b.ts', 'survived'), entry('src/a/c.ts', 'killed'), entry('src/b/d.ts', 'not reached')]
  const report = reportOf({ seed: 1, projects: ['core'], places: [], all: 9, broken: [], entries })
  expect(report.split('\n')).toEqual([
    'folder  killed  timed out  survived  equivalent  not reached  not compiled  killed',
    'src/a        1          0         1           0            0             0  50.0 %',
    'src/b        0          0         0           0            1             0',
    'all          1          0         1           0            1             0  50.0 %',
    '',
    'Survived:',
    'src/a/b.ts:3  comparison',
    '  - a < b',
    '  + a <= b',
    '',
    'Reached by no test of core:',
    'src/b/d.ts:3  comparison',
    '  - a < b',
    '  + a <= b',
  ])
})

describe('the options', () => {
  test('have defaults, and take folders as they are typed', () => {
    expect(parseOptions(['--seed', '7', './src/lease/', 'src/main.ts'])).toMatchObject({
      seed: 7,
      count: 300,
      projects: ['core'],
      least: 0,
      places: ['src/lease', 'src/main.ts'],
    })
    expect(parseOptions(['--project', 'etcd,core', '--project', 'etcd']).projects).toEqual(['etcd', 'core'])
  })

  test.each([['--count', '0'], ['--project', 'e2e'], ['test/unit'], ['--least', '101'], ['--what']])(
    'refuse %s %s',
    (...args) => {
      expect(() => parseOptions(args)).toThrow(UsageError)
    },
  )
})
