import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { reportExecutable } from './executable.ts'
import { batchLines, countRows, freshDevice, leasesOf, program } from './overlay.ts'

const ROUNDS = 7
/** The promise: at ten thousand peers, at most half the time of iproute2's batches in the same run. */
const MOST_OF_THEIRS = 0.5
const SIZES = [1_000, 10_000] as const

interface Figures {
  readonly peers: number
  readonly oursUs: number
  readonly judgeUs: number
  readonly theirsUs: number
  /** Median of the rounds' ratios, ours to theirs. */
  readonly ratio: number
  readonly restartUs: number
  readonly restartWrites: number
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN

async function measure(peers: number, directory: string): Promise<Figures> {
  const records = leasesOf(peers)
  const theirs = prepareBatches(records, directory)
  const rounds: { ours: number; judge: number; theirs: number; restart: number; restartWrites: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    freshDevice()
    const theirsMs = theirs()
    expectRows(peers, 'iproute2')
    freshDevice()
    const ours = await program(records)
    expectRows(peers, 'flannel-agent')
    const restart = await program(records)
    if (round === 0) continue // it warms up
    rounds.push({
      ours: ours.programMs,
      judge: ours.judgeMs,
      theirs: theirsMs,
      restart: restart.programMs,
      restartWrites: restart.writes,
    })
  }
  const perPeerUs = (pick: (figures: (typeof rounds)[number]) => number): number =>
    (median(rounds.map(pick)) * 1_000) / peers
  return {
    peers,
    oursUs: perPeerUs(({ ours }) => ours),
    judgeUs: perPeerUs(({ judge }) => judge),
    theirsUs: perPeerUs((figures) => figures.theirs),
    ratio: median(rounds.map((figures) => figures.ours / figures.theirs)),
    restartUs: perPeerUs(({ restart }) => restart),
    restartWrites: Math.max(...rounds.map(({ restartWrites }) => restartWrites)),
  }
}

function prepareBatches(records: readonly LeaseRecord[], directory: string): () => number {
  const lines = batchLines(records)
  const [ipFile, bridgeFile] = [join(directory, 'ip.batch'), join(directory, 'bridge.batch')]
  writeFileSync(ipFile, lines.ip)
  writeFileSync(bridgeFile, lines.bridge)
  return () => {
    const startedMs = performance.now()
    execFileSync('ip', ['-batch', ipFile])
    execFileSync('bridge', ['-batch', bridgeFile])
    return performance.now() - startedMs
  }
}

function expectRows(peers: number, who: string): void {
  const { neighbours, fdb, routes } = countRows()
  if (neighbours !== peers || fdb !== peers || routes !== peers)
    throw new Error(
      `${who} left ${neighbours} neighbours, ${fdb} fdb entries and ${routes} routes instead of ${peers} each`,
    )
}

function report(all: readonly Figures[]): void {
  console.log(
    'Programming all peers from a standing start: neighbour, fdb entry and route of each; medians, µs per peer',
  )
  console.table(
    all.map((figures) => ({
      peers: figures.peers,
      'flannel-agent': figures.oursUs.toFixed(1),
      'ip + bridge -batch': figures.theirsUs.toFixed(1),
      ratio: figures.ratio.toFixed(2),
      'judging leases': figures.judgeUs.toFixed(1),
      'second start': figures.restartUs.toFixed(1),
      'its writes': figures.restartWrites,
    })),
  )
}

async function benchPeers(): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'flannel-agent-bench-'))
  try {
    execFileSync('ip', ['link', 'set', 'lo', 'up'])
    const all: Figures[] = []
    for (const peers of SIZES) all.push(await measure(peers, directory))
    report(all)
    const slow = all.filter(({ peers, ratio }) => peers === 10_000 && ratio > MOST_OF_THEIRS)
    const busy = all.filter(({ restartWrites }) => restartWrites > 0)
    if (slow.length > 0) console.error(`too slow: more than ${MOST_OF_THEIRS} of iproute2's time`)
    if (busy.length > 0) console.error('a second start over an unchanged kernel wrote to it')
    return slow.length + busy.length === 0
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const args = process.argv.slice(2)
if (args.some((arg) => arg !== '--quick')) {
  console.error('usage: npm run bench [-- --quick]\n  --quick  only the executable: size, start, memory')
  process.exitCode = 2
} else {
  await reportExecutable()
  if (args.length === 0) process.exitCode = (await benchPeers()) ? 0 : 1
}
