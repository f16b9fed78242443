import fc from 'fast-check'
import { expect, test } from 'vitest'
import { check } from './leases/check.ts'
import { beginning, event } from './leases/events.ts'
import { FakeStage } from './leases/fake-stage.ts'

test('whatever befalls the nodes, no two of ours hold the same addresses, and none takes what another has', async () => {
  const numRuns = Number(process.env['FUZZ_RUNS'] ?? 600)
  let held = 0
  await fc.assert(
    fc.asyncProperty(beginning(), fc.array(event, { maxLength: 20, size: 'max' }), async (begun, events) => {
      held += await check(new FakeStage(), begun, events)
    }),
    { numRuns },
  )
  expect(held / numRuns, 'leases in the end of a sequence').toBeGreaterThan(2)
}, 600_000)
