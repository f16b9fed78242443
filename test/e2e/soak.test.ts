import { expect, test } from 'vitest'
import { Soak } from '../soak/soak.ts'
import { useLab } from '../lab/use-lab.ts'

const SEED = 20
const DURATION_MS = 25_000

const lab = useLab({ hosts: 3, verbosity: 1, health: false })

test('a fault every second leaves exact tables once they cease, and every ping arrives', async () => {
  const soak = await Soak.prepare(lab(), { seed: SEED, durationMs: DURATION_MS, say: () => undefined })
  const { failures, faults, history, pings } = await soak.run()
  expect(failures, history.join('\n')).toEqual([])
  expect(pings.received).toBe(pings.sent)
  expect([...faults.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(15)
})
