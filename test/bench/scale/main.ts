/** `npm run scale`: what many nodes ask of one etcd, and what many Nodes are to an agent ([performance](../../../docs/performance.md)). */
import { parseArgs } from 'node:util'
import { UsageError } from '../../lab/demo-options.ts'
import type { CommandLine } from '../../lab/command.ts'
import { EtcdFront } from '../../lab/etcd-front.ts'
import { Lab } from '../../lab/index.ts'
import { AGENT } from '../../lab/program.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { CONFIG } from '../../lab/use-lab.ts'
import { Fleet } from './fleet.ts'
import { startAtOnce, WITH_HISTOGRAMS } from './mass-start.ts'
import { measureNodes } from './nodes.ts'

const USAGE = `npm run scale -- start [--agents 200]

                 holders [--holders 1000] [--proxy]
                 nodes [--nodes 1000] [--runs 3]

  start     starts so many agents at once, each a process in namespaces of its own
  holders   so many hold leases beside one agent, without being agents themselves: what etcd is asked
            and tells, beside what was expected; --proxy: through etcd's grpc-proxy, which merges their watches
  nodes     starts dist/flanneld beside one Node, and beside so many, of a real kube-apiserver: seconds until all are
            programmed, seconds of a processor, and resident memory half a minute later`

/** What is asked of many that start at once. */
const LEASED_WITHIN_MS = 30_000
const P99_BELOW_S = 1

/** etcd has a machine of its own, where there are so many: here at least it goes first. */
const BEHIND_ETCD: CommandLine = ['nice', '-n', '10', ...AGENT]

const say = (line: string): void => void process.stderr.write(`${line}\n`)

async function start(agents: number): Promise<number> {
  say(`making ${agents} hosts`)
  const lab = await Lab.create({ hosts: agents, health: false, etcdArgs: WITH_HISTOGRAMS, agentCommand: BEHIND_ETCD })
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

function proxyTo(lab: Lab): Promise<EtcdFront> {
  const { host, clientPort: port } = lab.etcd.member.place
  return EtcdFront.start('grpc-proxy', { host: UNDERLAY.gateway, port }, { behind: [{ host, port }] })
}

async function holders(count: number, isProxied: boolean): Promise<number> {
  const lab = await Lab.create({ hosts: 1, health: false, etcdArgs: WITH_HISTOGRAMS })
  try {
    await lab.putConfig(CONFIG)
    const front = isProxied ? await proxyTo(lab) : undefined
    const fleet = new Fleet(lab, count, front?.endpoint)
    try {
      for (const phase of await fleet.run()) process.stdout.write(`${JSON.stringify(phase)}\n`)
    } finally {
      fleet.close()
      await front?.close()
    }
    return 0
  } finally {
    await lab.close()
  }
}

/** What is asked of 1 000 Nodes: seconds from the execution on, and MB above one of them. */
const NODES_WITHIN_S = 0.6
const NODES_ABOVE_ONE_MB = 15

async function nodes(count: number, runs: number): Promise<number> {
  const [one, many] = await measureNodes(count, runs, say)
  if (one === undefined || many === undefined) throw new Error('nothing was measured')
  for (const measured of [one, many]) process.stdout.write(`${JSON.stringify(measured)}\n`)
  const above = many.residentMB - one.residentMB
  const verdicts = [
    [
      `${count} Nodes programmed within ${NODES_WITHIN_S} s: ${many.startSeconds.toFixed(2)} s`,
      many.startSeconds <= NODES_WITHIN_S,
    ],
    [`at most ${NODES_ABOVE_ONE_MB} MB above one: ${above.toFixed(1)} MB`, above <= NODES_ABOVE_ONE_MB],
  ] as const
  for (const [what, isMet] of verdicts) process.stdout.write(`${isMet ? 'met   ' : 'MISSED'}  ${what}\n`)
  return verdicts.every(([, isMet]) => isMet) ? 0 : 1
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      agents: { type: 'string', default: '200' },
      holders: { type: 'string', default: '1000' },
      proxy: { type: 'boolean', default: false },
      nodes: { type: 'string', default: '1000' },
      runs: { type: 'string', default: '3' },
    },
    allowPositionals: true,
  })
  const [what] = positionals
  if (what === 'start') return start(Number(values.agents))
  if (what === 'holders') return holders(Number(values.holders), values.proxy)
  if (what === 'nodes') return nodes(Number(values.nodes), Number(values.runs))
  throw new UsageError('what is to be measured?')
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n\n${USAGE}\n`)
  process.exitCode = 2
}
