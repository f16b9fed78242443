import { prefix } from '../../src/net/prefix.ts'
import { Container, Lab, type LabHost } from '../lab/index.ts'
import type { SubnetFile } from '../lab/subnet-file.ts'
import { NoCompiler } from './c-program.ts'
import { figureOf, missing, type Bound, type Figure, type Missing } from './figure.ts'
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

/** Containers on two hosts, the second of which serves. */
interface Pair {
  readonly client: Container
  readonly server: Container
}

/** What a hand-made overlay is on one of the two hosts. */
interface HandMade {
  readonly host: LabHost
  readonly base: string
  readonly mac: string
  readonly mtu: number
}

/** A device with the settings of ours, and entries for one peer, as a person would type them. */
async function makeByHand({ host, base, mac, mtu }: HandMade, peer: HandMade): Promise<Container> {
  const settings = `id 200 dstport 8472 local ${host.address} dev eth0 nolearning noudpcsum`
  await host.place.ipBatch([
    `link add hand mtu ${mtu} address ${mac} type vxlan ${settings}`,
    `address add ${base}.0/32 dev hand`,
    'link set hand up',
    `neigh add ${peer.base}.0 lladdr ${peer.mac} dev hand nud permanent`,
    `route add ${peer.base}.0/24 via ${peer.base}.0 dev hand onlink`,
    `address add ${base}.1/24 dev docker0`,
  ])
  const entry = [peer.mac, 'dev', 'hand', 'dst', peer.host.address, 'self', 'permanent']
  await host.place.exec('bridge', ['fdb', 'add', ...entry])
  const subnet = prefix(`${base}.0/24`)
  const file: SubnetFile = { variables: new Map(), subnet, bridgeAddress: `${base}.1/24`, mtu, ipv6: undefined }
  const container = await Container.create(host.place, file, 1, '/run/tmp')
  host.containers.push(container)
  return container
}

/** A pair over our overlay, and one behind the same bridges over a hand-made one. */
async function makePairs(lab: Lab): Promise<{ readonly ours: Pair; readonly byHand: Pair }> {
  const hosts = [lab.host(0), lab.host(1)] as const
  await lab.putConfig(CONFIG)
  await lab.startAgents()
  const [client, server] = await Promise.all([hosts[0].addContainer(), hosts[1].addContainer()])
  const { mtu } = await hosts[0].ready()
  const first: HandMade = { host: hosts[0], base: '10.250.1', mac: '02:00:00:00:c8:01', mtu }
  const second: HandMade = { host: hosts[1], base: '10.250.2', mac: '02:00:00:00:c8:02', mtu }
  const byHand = { client: await makeByHand(first, second), server: await makeByHand(second, first) }
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

/** Ours and theirs in turn, beginning with either as often: whatever else the machine does meets both. */
async function run(
  { ours, byHand }: { readonly ours: Pair; readonly byHand: Pair },
  program: string,
  { args, scale }: Quantity,
): Promise<{ readonly ours: number; readonly byHand: number }> {
  const sums = { ours: 0, byHand: 0 }
  const measure = async ({ client, server }: Pair): Promise<number> =>
    (Number(await client.place.exec(program, args(server.address))) * scale) / TURNS
  for (let turn = 0; turn < TURNS; turn++) {
    if (turn % 2 === 0) sums.ours += await measure(ours)
    sums.byHand += await measure(byHand)
    if (turn % 2 === 1) sums.ours += await measure(ours)
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
