import fc from 'fast-check'
import { test } from 'vitest'
import { fuzzRuns } from './fuzz-runs.ts'
import { calmEvents, checkCalm, checkSequence, events } from './reconciler-events.ts'

test('any sequence of changes, drift, errors and restarts ends with the tables exact and foreign entries untouched', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(events, { maxLength: 40, size: 'max' }), (echo, sequence) =>
      checkSequence(echo, sequence),
    ),
    { numRuns: fuzzRuns(10_000) },
  )
})

test('nobody is blamed for what we do ourselves, or what a device takes with it, however it falls together', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(calmEvents, { maxLength: 40, size: 'max' }), (echo, sequence) =>
      checkCalm(echo, sequence),
    ),
    { numRuns: fuzzRuns(2_000) },
  )
})
