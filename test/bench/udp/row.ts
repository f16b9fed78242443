import { readFileSync } from 'node:fs'
import { Lab } from '../../lab/index.ts'
import { NoCompiler } from '../c-program.ts'
import { figureOf, missing, type Bound, type Figure, type Missing } from '../figure.ts'
import { inTurns } from '../hand-made.ts'
import { LineProgram } from '../line-program.ts'
import { EXECUTABLE } from '../programs.ts'
import type { Context, Row } from '../row.ts'
import { makeOverlays, OVERLAYS, type Overlay, type Overlays } from './overlays.ts'

const NAME = 'udp'
const PORTS = { traffic: '5001', packets: '5002' } as const
type Program = keyof typeof PORTS
/** In each run every overlay has so many turns. */
const TURNS = 2
/** Of the processor time of the whole machine, in milliseconds (proc(5), /proc/stat; USER_HZ is 100 on every architecture that we are on). */
const TICK_MS = 10
const GIB = 2 ** 30

/** What a turn took: of all processors, of the programs that forward, and in all. */
interface Took {
  readonly busyMs: number
  readonly forwardingMs: number
  readonly ms: number
}

/** What one turn gives, in the unit that is shown. */
interface Turn {
  readonly program: Program
  readonly args: (address: string) => readonly string[]
  readonly read: (printed: string, took: Took) => readonly number[]
}

interface Quantity {
  readonly what: string
  readonly unit: string
  /** Of the plain loop. */
  readonly bound?: Bound
  /** Of programs that forward: vxlan has none. */
  readonly isOfPrograms?: boolean
}

/** Quantities that are taken in the same turns. */
interface Measurement extends Turn {
  readonly peers: number
  readonly quantities: readonly Quantity[]
}

const numbers = (printed: string): readonly number[] => printed.trim().split(' ').map(Number)

function flood(how: 'flood' | 'runs', size: number, peers: number, ms: number, bound: Bound): Measurement {
  const what = `datagrams of ${size} octets${how === 'runs' ? ', sent in runs' : ''}`
  const least = bound.least ?? 1
  return {
    ...{ program: 'packets', peers },
    quantities: [
      { what: `${what}: that arrive`, unit: 'a second', bound },
      {
        ...{ what: `${what}: processor time of both forwarders`, unit: 'us each', isOfPrograms: true },
        bound: { of: 'ratio', most: 1 / least },
      },
    ],
    args: (address) => [how, address, PORTS.packets, String(size), String(ms)],
    read: (printed, { forwardingMs }) => [Number(printed), (forwardingMs * 1e3) / ((Number(printed) * ms) / 1e3)],
  }
}

function measurements(isQuick: boolean): readonly Measurement[] {
  const ms = isQuick ? 100 : 300
  return [
    {
      ...{ program: 'traffic', peers: 1 },
      quantities: [
        { what: 'TCP stream', unit: 'Gbit/s', bound: { of: 'ratio', least: 2 } },
        { what: 'processor time of that stream', unit: 's a GiB', bound: { of: 'ratio', most: 1 } },
      ],
      args: (address) => ['stream', address, PORTS.traffic, String(ms)],
      read: (printed, { busyMs, ms: tookMs }) => {
        const bitsPerSecond = Number(printed)
        return [bitsPerSecond / 1e9, busyMs / 1e3 / ((bitsPerSecond * tookMs) / 1e3 / 8 / GIB)]
      },
    },
    flood('flood', 64, 1, ms, { of: 'ratio', least: 1 }),
    flood('flood', 1_400, 1, ms, { of: 'ratio', least: 1 }),
    flood('flood', 64, 500, ms, { of: 'ratio', least: 3 }),
    flood('runs', 64, 500, ms, { of: 'ratio', least: 3 }),
    {
      ...{ program: 'packets', peers: 1 },
      quantities: [
        { what: 'round trip of 64 octets, p50', unit: 'us', bound: { of: 'ratio', most: 1 } },
        { what: 'round trip of 64 octets, p99', unit: 'us' },
      ],
      args: (address) => ['echo', address, PORTS.packets, '64', isQuick ? '500' : '5000'],
      read: numbers,
    },
  ]
}

/** Of all processors, without what they were idle. */
function busyMs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = numbers(
    readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]
      ?.replace(/^cpu +/, '') ?? '',
  )
  return (user + nice + system + irq + softirq) * TICK_MS
}

type Values = Readonly<Record<Overlay, readonly number[]>>

class Measuring {
  readonly #context: Context
  readonly #overlays: Overlays

  constructor(context: Context, overlays: Overlays) {
    this.#context = context
    this.#overlays = overlays
  }

  async #turn(overlay: Overlay, { program, args, read }: Turn): Promise<readonly number[]> {
    const { client, server } = this.#overlays.pairs[overlay]
    const now = (): Took => ({
      busyMs: busyMs(),
      forwardingMs: this.#overlays.forwarding[overlay]?.processorMs() ?? 0,
      ms: performance.now(),
    })
    const before = now()
    const printed = await client.place.exec(this.#context.program(program), args(server.address))
    const after = now()
    return read(printed, {
      busyMs: after.busyMs - before.busyMs,
      forwardingMs: after.forwardingMs - before.forwardingMs,
      ms: after.ms - before.ms,
    })
  }

  async #run(measurement: Measurement): Promise<Values> {
    const turns: Record<Overlay, (readonly number[])[]> = { ours: [], plain: [], vxlan: [] }
    for (const overlay of inTurns(OVERLAYS, TURNS)) turns[overlay].push(await this.#turn(overlay, measurement))
    const mean = (of: readonly (readonly number[])[]): readonly number[] =>
      measurement.quantities.map((_, at) => of.reduce((sum, values) => sum + (values[at] ?? NaN), 0) / of.length)
    return { ours: mean(turns.ours), plain: mean(turns.plain), vxlan: mean(turns.vxlan) }
  }

  async measure(measurement: Measurement): Promise<readonly Figure[]> {
    const { peers, quantities } = measurement
    for (const forwarding of Object.values(this.#overlays.forwarding)) await forwarding.start(peers)
    const runs: Values[] = []
    for (let run = 0; run <= this.#context.options.runs; run++) {
      this.#context.say(
        `udp, ${quantities[0]?.what ?? ''}, peers ${peers}: run ${run} of ${this.#context.options.runs}`,
      )
      runs.push(await this.#run(measurement))
    }
    const of = (overlay: Overlay, at: number): readonly number[] => runs.slice(1).map((run) => run[overlay][at] ?? NaN)
    return quantities.flatMap(({ what, unit, bound, isOfPrograms }, at) => {
      const told = { row: NAME, what, peers, unit, values: of('ours', at) }
      return [
        figureOf({ ...told, reference: { name: 'a plain loop', values: of('plain', at) }, ...(bound && { bound }) }),
        ...(isOfPrograms ? [] : [figureOf({ ...told, reference: { name: 'vxlan', values: of('vxlan', at) } })]),
      ]
    })
  }
}

async function measureAll(context: Context, lab: Lab): Promise<readonly Figure[]> {
  const overlays = await makeOverlays(lab, context.program('plain-udp'))
  const servers: LineProgram[] = []
  try {
    for (const overlay of OVERLAYS)
      for (const program of ['traffic', 'packets'] as const) {
        const { place } = overlays.pairs[overlay].server
        servers.push(await LineProgram.start(place.line(context.program(program), ['serve', PORTS[program]])))
      }
    const measuring = new Measuring(context, overlays)
    const figures: Figure[] = []
    for (const measurement of measurements(context.options.isQuick))
      figures.push(...(await measuring.measure(measurement)))
    return figures
  } finally {
    await Promise.all([
      ...servers.map((server) => server.close()),
      ...Object.values(overlays.forwarding).map((each) => each.stop()),
    ])
  }
}

/** Of the data path alone: an agent around it changes nothing of it. */
export const udp: Row = {
  name: NAME,
  what: 'containers on two hosts that talk over udp, beside the plainest way to do that, and vxlan',
  async run(context) {
    const lab = await Lab.create({ hosts: 2, health: false, agentCommand: [EXECUTABLE] })
    try {
      return await measureAll(context, lab)
    } catch (error) {
      if (!(error instanceof NoCompiler)) throw error
      return [missing(NAME, 'TCP stream', error.message)] satisfies Missing[]
    } finally {
      await lab.close()
    }
  },
}
