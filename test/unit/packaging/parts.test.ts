import { beforeAll, describe, expect, it } from 'vitest'
import { programInParts, WITHOUT_CACHE } from '../../../packaging/executable/parts.mjs'

let parts: Readonly<Record<string, string>> = {}
beforeAll(async () => {
  parts = await programInParts()
}, 60_000)

/** Stands in prom-client alone. */
const PROM_CLIENT = 'application/openmetrics-text; version='
/** And in what only its summaries and its push gateway need. */
const LEFT_OUT = /bintrees|TDigest|Pushgateway extends|class Pushgateway/

describe('the program in parts', () => {
  it('has what answers scrapes in a part that is loaded when somebody asks, and nowhere else', () => {
    const holding = Object.keys(parts).filter((name) => parts[name]?.includes(PROM_CLIENT))
    expect(holding).toEqual(['answers'])
    expect(WITHOUT_CACHE).toContain('answers')
  })

  it('has nothing of prom-client that the agent does not use', () => {
    expect(parts['answers']).not.toMatch(LEFT_OUT)
  })
})
