/** `npm run scale`: what many nodes ask of one etcd ([performance](../../../docs/performance.md)). */
import { parseArgs } from 'node:util'
import { UsageError } from '../../lab/demo-options.ts'
import { Lab } from '../../lab/index.ts'
import { CONFIG } from '../../lab/use-lab.ts'
import { startAtOnce, WITH_HISTOGRAMS } from './mass-start.ts'

const USAGE = `npm run scale -- start [--agents 200]

  start     starts so many agents at once, each a process in namespaces of its own`

/** What is asked of many that start at once. */
const LEASED_WITHIN_MS = 30_000
const P99_BELOW_S = 1

const say = (line: string): void => void process.stderr.write(`${line}\n`)

async function start(agents: number): Promise<number> {
  say(`making ${agents} hosts`)
  const lab = await Lab.create({ hosts: agents, health: false, etcdArgs: WITH_HISTOGRAMS })
  try {
    say(`${agents} hosts; starting their agents`)
    await lab.putConfig(CONFIG)
    const result = await startAtOnce(lab, 120_000)
    process.stdout.write(`${JSON.stringify({ ...result, subnets: undefined, leases: undefined }, undefined, 2)}\n`)
    const distinct = new Set(result.subnets).size
    const verdicts = [
      [`all leased within ${LEASED_WITHIN_MS / 1_000} s`, result.leasedMs <= LEASED_WITHIN_MS],
      [`etcd's p99 at most ${P99_BELOW_S} s`, (result.p99Seconds ?? Infinity) <= P99_BELOW_S],
      ['no two with one subnet', distinct === agents && result.leases.length === agents],
    ] as const
    for (const [what, isMet] of verdicts) process.stdout.write(`${isMet ? 'met   ' : 'MISSED'}  ${what}\n`)
    return verdicts.every(([, isMet]) => isMet) ? 0 : 1
  } catch (error) {
    process.stderr.write((await lab.logs()).slice(0, 20_000))
    throw error
  } finally {
    await lab.close()
  }
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { agents: { type: 'string', default: '200' } },
    allowPositionals: true,
  })
  if (positionals[0] !== 'start') throw new UsageError(`what is to be measured?`)
  return start(Number(values.agents))
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n\n${USAGE}\n`)
  process.exitCode = 2
}
