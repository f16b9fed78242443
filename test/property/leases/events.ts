import fc from 'fast-check'
import type { Cut } from './configuration.ts'
import type { WorldNode } from './node.ts'
import { OwnNode } from './own-node.ts'
import { rest } from './rest.ts'
import type { Beginning, LeaseWorld } from './world.ts'

/** One thing that happens, and how long nothing else does; `run` may find nothing to do it to. */
export interface Event {
  readonly name: string
  readonly run: (world: LeaseWorld) => unknown
  readonly thenMs: number
}

type Happening = Omit<Event, 'thenMs'>

const happening = (name: string, run: Happening['run']): Happening => ({ name, run })

/** Some node, and what is done to it. */
const toNode = (what: string, act: (node: WorldNode, world: LeaseWorld) => unknown): fc.Arbitrary<Happening> =>
  fc.nat(11).map((at) =>
    happening(`${what} ${at}`, (world) => {
      const node = world.nodes[at % world.nodes.length]
      return node && act(node, world)
    }),
  )

const toOwn = (what: string, act: (node: OwnNode, world: LeaseWorld) => unknown): fc.Arbitrary<Happening> =>
  toNode(what, (node, world) => (node instanceof OwnNode ? act(node, world) : undefined))

/** Some lease, if there is any. */
const toLease = (
  what: string,
  act: (lease: { readonly key: string; readonly etcdLeaseId: string }, world: LeaseWorld) => unknown,
): fc.Arbitrary<Happening> =>
  fc.nat(11).map((at) =>
    happening(`${what} ${at}`, async (world) => {
      const records = await world.stage.records()
      const record = records[at % Math.max(1, records.length)]
      if (record !== undefined) world.say(`${what} ${record.key}`)
      return record && act(record, world)
    }),
  )

const MOST_NODES = 12

const length6 = fc.constantFrom(undefined, undefined, 64, 63, 65)

export const cut: fc.Arbitrary<Cut> = fc.record({
  length: fc.constantFrom(24, 25, 26, 23),
  first: fc.integer({ min: 0, max: 3 }).map((half) => 2 * half),
  count: fc.integer({ min: 1, max: 6 }).map((half) => 2 * half),
  length6,
})

/** What a sequence begins with, with so many machines at most. */
export const beginning = (mostNodes = MOST_NODES): fc.Arbitrary<Beginning> =>
  fc.record({
    cut,
    ours: fc.array(
      fc.nat(3).map((one) => one > 0),
      { minLength: 2, maxLength: mostNodes, size: 'max' },
    ),
    delaysMs: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 30 }),
    seed: fc.nat(),
  })

const reconfigured = cut.map((changed) =>
  happening(`configured ${JSON.stringify(changed)}`, (world) => world.configure(changed)),
)

const recut = fc
  .tuple(fc.constantFrom(23, 24, 25, 26), length6)
  .map(([length, six]) =>
    happening(`cut ${length} ${six ?? ''}`, (world) => world.configure({ ...world.cut, length, length6: six })),
  )

const copied = fc.boolean().chain((hasOwnAddress) =>
  toOwn(hasOwnAddress ? 'copied' : 'copied with its address', (node, world) => {
    if (world.nodes.length < MOST_NODES) world.copy(node, hasOwnAddress)
  }),
)

const renumbered = fc.integer({ min: 1, max: 20 }).chain((number) =>
  toOwn(`gets address ${number}:`, (node, world) => {
    const isUpstreams = world.nodes.some((other) => !other.isOurs && other.address === number)
    if (!isUpstreams) node.renumber(number)
  }),
)

const all = (what: string, act: (node: WorldNode) => void): fc.Arbitrary<Happening> =>
  fc.constant(
    happening(what, ({ nodes }) => {
      for (const node of nodes) act(node)
    }),
  )

const rested = fc.constant(
  happening('rest', async (world) => {
    world.offences.push(...(await rest(world)))
  }),
)

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 6,
    arbitrary: toNode('started', (node) => {
      node.start()
    }),
  },
  {
    weight: 4,
    arbitrary: all('all started', (node) => {
      node.start()
    }),
  },
  {
    weight: 2,
    arbitrary: toNode('stopped', (node) => {
      node.stop()
    }),
  },
  {
    weight: 2,
    arbitrary: toNode('killed', (node) => {
      node.kill()
    }),
  },
  {
    weight: 1,
    arbitrary: toOwn('switched off', (node) => {
      node.cutPower()
    }),
  },
  {
    weight: 1,
    arbitrary: all('all killed', (node) => {
      node.kill()
    }),
  },
  {
    weight: 4,
    arbitrary: toNode('frozen', (node) => {
      node.freeze()
    }),
  },
  {
    weight: 4,
    arbitrary: toNode('thawed', (node) => {
      node.thaw()
    }),
  },
  {
    weight: 2,
    arbitrary: toNode('next answer is lost', (node) => {
      node.loseAnswer()
    }),
  },
  { weight: 3, arbitrary: toLease('etcd lease revoked', ({ etcdLeaseId }, { stage }) => stage.revoke(etcdLeaseId)) },
  { weight: 3, arbitrary: toLease('lease deleted', ({ key }, { stage }) => stage.deleteLease(key)) },
  { weight: 3, arbitrary: reconfigured },
  { weight: 3, arbitrary: recut },
  { weight: 1, arbitrary: rested },
  { weight: 2, arbitrary: copied },
  { weight: 2, arbitrary: renumbered },
)

const pause: fc.Arbitrary<number> = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 120 }) },
  { weight: 4, arbitrary: fc.constantFrom(0, 300, 1_000, 3_500) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 40_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(70_000, 600_000, 90_000_000) },
)

export const event: fc.Arbitrary<Event> = fc
  .tuple(happenings, pause)
  .map(([{ name, run }, thenMs]) => ({ name: `${name}, then ${thenMs} ms`, run, thenMs }))
