import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type * as AtomicFile from '../../src/host/files/atomic-file.ts'
import type * as SubnetEnvFile from '../../src/host/subnet-env.ts'
import { MortalWorld } from '../fake/mortal-world.ts'
import { events, type Event } from './agent-events.ts'
import { actualOf, expectedOf } from './agent-model.ts'
import { fuzzRuns } from './fuzz-runs.ts'

vi.mock('../../src/host/subnet-env.ts', async (importOriginal) => {
  const original = await importOriginal<typeof SubnetEnvFile>()
  const { memoryFiles } = await import('../fake/memory-files.ts')
  return { ...original, ...memoryFiles(original.parseSubnets) }
})

vi.mock('../../src/host/files/atomic-file.ts', async (importOriginal) => {
  const { memoryWrites } = await import('../fake/memory-files.ts')
  return { ...(await importOriginal<typeof AtomicFile>()), ...memoryWrites() }
})

/** Longer than any delay between attempts, so that each round is another attempt at whatever failed. */
const ROUND_MS = 75_000
/** Kept peers are given up, fights are forgotten, and what waits longest has its turn. */
const MOST_ROUNDS = 12

/** All faults end, and time passes until everything is as it should be. */
async function settle(world: MortalWorld): Promise<void> {
  world.endFaults()
  await world.startAgent()
  for (let round = 0; round < MOST_ROUNDS; round++) {
    await world.advance(ROUND_MS)
    if (actualOf(world).join() === expectedOf(world).join()) return
  }
}

const writesOf = ({ kernel, store }: MortalWorld): readonly unknown[] => [kernel.stats().byOp, store.writes.length]

async function check(sequence: readonly Event[]): Promise<void> {
  const world = MortalWorld.make()
  try {
    await world.startAgent()
    await world.advance(1_000)
    for (const { run } of sequence) {
      await run(world)
      expect(world.failure, 'what the agent gave up on').toBeUndefined()
    }
    await settle(world)
    expect(actualOf(world)).toEqual(expectedOf(world))
    expect(world.kernel.trespasses, 'changes to what is not ours').toEqual([])
    await world.advance(ROUND_MS)
    const before = writesOf(world)
    await world.advance(2 * ROUND_MS)
    expect(writesOf(world), 'writes while nothing happens').toEqual(before)
    await world.stopAgent()
    await world.startAgent()
    await world.advance(ROUND_MS)
    expect(writesOf(world), 'writes of a restart over unchanged tables').toEqual(before)
    expect(actualOf(world)).toEqual(expectedOf(world))
    expect(world.failure).toBeUndefined()
  } catch (error) {
    throw new Error(
      `${String(error)}\n${sequence.map(({ name }) => name).join('\n')}\n\n${world.log.slice(-40).join('\n')}`,
    )
  } finally {
    await world.close()
  }
}

test('whatever befalls a node, in the end its kernel holds what etcd says, its lease stands, and nothing is written any more', async () => {
  await fc.assert(fc.asyncProperty(fc.array(events, { maxLength: 25, size: 'max' }), check), {
    numRuns: fuzzRuns(1_000),
  })
})
