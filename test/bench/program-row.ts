import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KernelOp } from '../../src/kernel/kernel.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { NoCompiler } from './c-program.ts'
import { figureOf, missing, type Figure, type Missing } from './figure.ts'
import { batchLines, countRows, deviceIndex, freshDevice, judge, leasesOf, program } from './overlay.ts'
import {
  operationsOf,
  programOperations,
  runFloor,
  runSequential,
  withoutMetric,
  writeMessages,
  type Took,
} from './programming.ts'
import type { Context, Row } from './row.ts'

const NAME = 'program'
/** Times the floor, where so many peers are programmed that setting up does not count. */
const MOST_OF_FLOOR = 1.5
const MOST_OF_IPROUTE2 = 0.33
/** Of our time to the sequential way's, by number of peers: it takes longer for each the more there are. */
const MOST_OF_SEQUENTIAL: Readonly<Record<number, number>> = { 1_000: 1 / 3.5, 10_000: 1 / 13, 20_000: 1 / 60 }
const SEQUENTIAL_SIZES = [1_000, 10_000, 20_000] as const
/** What one row takes for three tables. */
const perPeerUs = ({ wallMs }: Took, peers: number): number => (wallMs * 1_000) / peers

/** Ways to write the same entries, by name; each begins with an empty device and has to leave exactly those. */
type Way = (ops: readonly KernelOp[]) => Took | Promise<Took>

function expectRows(peers: number, who: string): void {
  const { neighbours, fdb, routes } = countRows()
  if (neighbours !== peers || fdb !== peers || routes !== peers)
    throw new Error(`${who} left ${neighbours} neighbours, ${fdb} fdb entries and ${routes} routes instead of ${peers}`)
}

/** iproute2's batches of the same entries. */
function iproute2(records: readonly LeaseRecord[], folder: string): Way {
  const lines = batchLines(records)
  const [ipFile, bridgeFile] = [join(folder, 'ip.batch'), join(folder, 'bridge.batch')]
  writeFileSync(ipFile, lines.ip)
  writeFileSync(bridgeFile, lines.bridge)
  return () => {
    const startedMs = performance.now()
    execFileSync('ip', ['-batch', ipFile])
    execFileSync('bridge', ['-batch', bridgeFile])
    return { wallMs: performance.now() - startedMs, processorMs: NaN }
  }
}

function withFile(run: (file: string) => Took, folder: string): Way {
  const file = join(folder, 'messages')
  return (ops) => {
    writeMessages(ops, file)
    return run(file)
  }
}

/** Every way in turn, over and over; the first round warms up. */
async function rounds(
  context: Context,
  records: readonly LeaseRecord[],
  ways: Readonly<Record<string, Way>>,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const entries = judge(records).flatMap((change) => change.entries ?? [])
  const taken = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]))
  for (let round = 0; round <= context.options.runs; round++)
    for (const [name, way] of Object.entries(ways)) {
      freshDevice()
      const took = await way(operationsOf(deviceIndex(), entries))
      expectRows(records.length, name)
      if (round > 0) taken.get(name)?.push(perPeerUs(took, records.length))
    }
  return taken
}

interface Comparison {
  readonly what: string
  readonly reference: string
  readonly most: number | undefined
}

function compared(
  peers: number,
  taken: ReadonlyMap<string, readonly number[]>,
  { what, reference, most }: Comparison,
): Figure {
  return figureOf({
    ...{ row: NAME, what, peers, unit: 'us a peer', values: taken.get('ours') ?? [] },
    reference: { name: reference, values: taken.get(reference) ?? [] },
    ...(most !== undefined && { bound: { of: 'ratio', most } }),
  })
}

async function measureSize(context: Context, peers: number): Promise<readonly Figure[]> {
  context.say(`program ${peers} peers`)
  const records = leasesOf(peers)
  const floor = context.program('floor')
  const taken = await rounds(context, records, {
    floor: withFile((file) => runFloor(floor, file), context.folder),
    'ip and bridge -batch': iproute2(records, context.folder),
    ours: programOperations,
  })
  const what = 'all peers from a standing start'
  return [
    compared(peers, taken, { what, reference: 'floor', most: peers >= 10_000 ? MOST_OF_FLOOR : undefined }),
    compared(peers, taken, { what, reference: 'ip and bridge -batch', most: MOST_OF_IPROUTE2 }),
    await secondPass(context, records),
  ]
}

/** The same records over tables that hold them already. */
async function secondPass(context: Context, records: readonly LeaseRecord[]): Promise<Figure> {
  const values: number[] = []
  for (let round = 0; round <= context.options.runs; round++) {
    const { programMs, writes } = await program(records)
    if (writes > 0) throw new Error(`a pass over unchanged tables wrote ${writes} rows`)
    if (round > 0) values.push((programMs * 1_000) / records.length)
  }
  const what = 'reading and comparing tables that are as they should be'
  return figureOf({ row: NAME, what, peers: records.length, unit: 'us a peer', values })
}

async function measureSequential(context: Context, peers: number): Promise<Figure> {
  context.say(`program ${peers} peers, beside the sequential way`)
  const sequential = context.program('sequential')
  const reference = 'one message, socket and answer at a time, metric 0'
  const taken = await rounds(context, leasesOf(peers), {
    ours: programOperations,
    [reference]: (ops) => withFile((file) => runSequential(sequential, file), context.folder)(withoutMetric(ops)),
  })
  return compared(peers, taken, {
    what: 'the same, beside the sequential way',
    reference,
    most: MOST_OF_SEQUENTIAL[peers],
  })
}

export const programming: Row = {
  name: NAME,
  what: 'entries of all peers, into empty tables',
  async run(context) {
    execFileSync('ip', ['link', 'set', 'lo', 'up'])
    const { sizes, isQuick } = context.options
    const figures: (Figure | Missing)[] = []
    try {
      for (const peers of sizes.filter((size) => size > 1)) figures.push(...(await measureSize(context, peers)))
      for (const peers of isQuick ? [1_000] : SEQUENTIAL_SIZES) figures.push(await measureSequential(context, peers))
    } catch (error) {
      if (!(error instanceof NoCompiler)) throw error
      figures.push(missing(NAME, 'all peers from a standing start', error.message))
    }
    return figures
  },
}
