import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fuzzRuns } from './fuzz-runs.ts'
import { check } from './leases/check.ts'
import { beginning, event, type Event } from './leases/events.ts'
import { FakeStage } from './leases/fake-stage.ts'
import { OwnNode } from './leases/own-node.ts'
import type { LeaseWorld } from './leases/world.ts'

test('whatever befalls the nodes, no two of ours hold the same addresses, and none takes what another has', async () => {
  const numRuns = fuzzRuns(600)
  let held = 0
  await fc.assert(
    fc.asyncProperty(beginning(), fc.array(event, { maxLength: 20, size: 'max' }), async (begun, events) => {
      held += await check(new FakeStage(), begun, events)
    }),
    { numRuns },
  )
  expect(held / numRuns, 'leases in the end of a sequence').toBeGreaterThan(0.8)
})

/** One after the other: what is done, and how long nothing else happens. */
const toFirst =
  (act: (node: OwnNode, world: LeaseWorld) => void): Event['run'] =>
  (world) => {
    const [first] = world.nodes
    if (first instanceof OwnNode) act(first, world)
  }

const STOOD_STILL: readonly Event[] = [
  {
    name: 'all started',
    run: ({ nodes }) => {
      for (const node of nodes) node.start()
    },
    thenMs: 3_500,
  },
  {
    name: 'copied, and the copy started',
    run: toFirst((node, world) => {
      world.copy(node, true)
      world.nodes.at(-1)?.start()
    }),
    thenMs: 40_300,
  },
  {
    name: 'frozen',
    run: toFirst((node) => {
      node.freeze()
    }),
    thenMs: 20_000,
  },
  {
    name: 'its etcd lease revoked',
    run: async ({ stage }) => {
      const [, record] = await stage.records()
      if (record !== undefined) await stage.revoke(record.etcdLeaseId)
    },
    thenMs: 90_000_000,
  },
  {
    name: 'thawed',
    run: toFirst((node) => {
      node.thaw()
    }),
    thenMs: 3_500,
  },
]

test('a node that stood still until a copy of it had made its lease anew leaves it to the copy', async () => {
  const cut = { length: 24, first: 0, count: 2, length6: undefined }
  for (let seed = 0; seed < 60; seed++)
    await check(new FakeStage(), { cut, ours: [true, true], delaysMs: [5, 20, 1, 40], seed }, STOOD_STILL)
})
