import { Lab } from '../lab/index.ts'
import { NoCompiler } from './c-program.ts'
import { figureOf, missing, type Bound, type Figure, type Missing } from './figure.ts'
import { addContainer, inTurns, makeVxlan, type Pair, type VxlanEnd } from './hand-made.ts'
import { LineProgram } from './line-program.ts'
import { CONFIG } from './peers.ts'
import { EXECUTABLE } from './programs.ts'
import type { Context, Row } from './row.ts'

const NAME = 'traffic'
const BOUND: Bound = { of: 'ratio', least: 0.97, most: 1.03 }
const PORT = '5001'
/** In each run every pair has so many turns. */
const TURNS = 4
const STREAM_MS = { full: 500, quick: 100 } as const
const ECHOES = { full: 5_000, quick: 500 } as const

/** A pair over our overlay, and one behind the same bridges over a hand-made one. */
async function makePairs(lab: Lab): Promise<Pairs> {
  const hosts = [lab.host(0), lab.host(1)] as const
  await lab.putConfig(CONFIG)
  await lab.startAgents()
  const [client, server] = await Promise.all([hosts[0].addContainer(), hosts[1].addContainer()])
  const { mtu } = await hosts[0].ready()
  const common = { device: 'hand', mtu, vni: 200 }
  const first: VxlanEnd = { ...common, host: hosts[0], base: '10.250.1', mac: '02:00:00:00:c8:01' }
  const second: VxlanEnd = { ...common, host: hosts[1], base: '10.250.2', mac: '02:00:00:00:c8:02' }
  await makeVxlan(first, second)
  await makeVxlan(second, first)
  const byHand = { client: await addContainer(first), server: await addContainer(second) }
  return { ours: { client, server }, byHand }
}

/** One measurement, and how it is shown. */
interface Quantity {
  readonly what: string
  readonly unit: string
  readonly args: (address: string) => readonly string[]
  readonly scale: number
}

const quantities = (isQuick: boolean): readonly Quantity[] => [
  {
    what: 'throughput of a TCP stream between containers',
    unit: 'Gbit/s',
    args: (address) => ['stream', address, PORT, String(isQuick ? STREAM_MS.quick : STREAM_MS.full)],
    scale: 1e-9,
  },
  {
    what: 'round trip between containers',
    unit: 'us',
    args: (address) => ['echo', address, PORT, String(isQuick ? ECHOES.quick : ECHOES.full)],
    scale: 1,
  },
]

type Pairs = Readonly<Record<'ours' | 'byHand', Pair>>

async function run(
  pairs: Pairs,
  program: string,
  { args, scale }: Quantity,
): Promise<Readonly<Record<keyof Pairs, number>>> {
  const sums = { ours: 0, byHand: 0 }
  for (const name of inTurns(['ours', 'byHand'] as const, TURNS)) {
    const { client, server } = pairs[name]
    sums[name] += (Number(await client.place.exec(program, args(server.address))) * scale) / TURNS
  }
  return sums
}

async function measureAll(context: Context, lab: Lab): Promise<readonly Figure[]> {
  const pairs = await makePairs(lab)
  const program = context.program('traffic')
  const servers = await Promise.all(
    [pairs.ours, pairs.byHand].map(({ server }) => LineProgram.start(server.place.line(program, ['serve', PORT]))),
  )
  const figures: Figure[] = []
  for (const quantity of quantities(context.options.isQuick)) {
    const runs: { readonly ours: number; readonly byHand: number }[] = []
    for (let round = 0; round <= context.options.runs; round++) {
      context.say(`traffic, ${quantity.what}: run ${round} of ${context.options.runs}`)
      runs.push(await run(pairs, program, quantity))
    }
    const counted = runs.slice(1)
    figures.push(
      figureOf({
        ...{ row: NAME, what: quantity.what, unit: quantity.unit, values: counted.map(({ ours }) => ours) },
        reference: { name: 'a hand-made vxlan', values: counted.map(({ byHand }) => byHand) },
        bound: BOUND,
      }),
    )
  }
  await Promise.all(servers.map((server) => server.close()))
  return figures
}

export const traffic: Row = {
  name: NAME,
  what: 'containers on two hosts that talk over the overlay',
  async run(context) {
    const lab = await Lab.create({ hosts: 2, health: false, agentCommand: [EXECUTABLE] })
    try {
      return await measureAll(context, lab)
    } catch (error) {
      if (!(error instanceof NoCompiler)) throw error
      return [missing(NAME, 'throughput of a TCP stream between containers', error.message)] satisfies Missing[]
    } finally {
      await lab.close()
    }
  },
}
