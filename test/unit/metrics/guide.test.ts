import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AGENT_METRICS } from '../../../src/metrics/answer.ts'
import { PEER_METRICS } from '../../../src/metrics/peer-metrics.ts'
import { REJECTION_CODES } from '../../../src/lease/rejection.ts'
import { namesIn, SERIES_NAMES } from '../prometheus/exposition.ts'

const GUIDE = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8')
const unquoted = (text: string): string => text.replaceAll('`', '')

/** Rows of metrics: name, type, labels, help, example. */
const ROWS = Array.from(GUIDE.matchAll(/^\| `((?:flannel|process)_\w+)` \| (\w+) \| (.*?) \| (.*?) \| `(.*)` \|$/gm))

describe('the guide to metrics', () => {
  it('has every metric as it is told: type, labels, and what it is', () => {
    const told = ROWS.map(([, name, type, labels = '', help]) => ({ name, type, labels: unquoted(labels), help }))
    const all = [...AGENT_METRICS, ...PEER_METRICS]
    expect(told).toEqual(all.map(({ name, type, labels, help }) => ({ name, type, labels: labels.join(', '), help })))
  })

  it('has an example for each, of series that there are', () => {
    for (const [, name = '', , , , example = ''] of ROWS) {
      expect(example).toContain(name)
      for (const series of namesIn(example)) expect([series, SERIES_NAMES.has(series)]).toEqual([series, true])
    }
  })

  it('says what each reason for a rejected lease means', () => {
    const section = GUIDE.slice(GUIDE.indexOf('| `reason` | the lease |'), GUIDE.indexOf('## The lease'))
    const told = Array.from(section.matchAll(/^\| (`.*?) \|/gm), ([, cell = '']) => unquoted(cell).split(', ')).flat()
    expect(told.filter((kind) => kind !== 'reason').sort()).toEqual([...REJECTION_CODES].sort())
  })
})
