/** `npm run soak`: hosts under random faults for half an hour; in every quiet moment they must be right again. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Report } from '../lab/demo-report.ts'
import { UsageError } from '../lab/demo-options.ts'
import { Lab } from '../lab/index.ts'
import { AGENT_FILE, agentAt } from '../lab/program.ts'
import { keepEvidence, KEPT_BELOW } from './evidence.ts'
import { parseSoakOptions, USAGE, type SoakOptions } from './options.ts'
import { json, table } from './report.ts'
import { Soak } from './soak.ts'

const LAST_FAULTS = 20

/** A copy of the agent, so that a new build does not change it within a run. Below /run the machines would not see it. */
async function copyAgent(): Promise<string> {
  await mkdir(KEPT_BELOW, { recursive: true })
  const folder = await mkdtemp(join(KEPT_BELOW, 'soaked-'))
  await cp(dirname(AGENT_FILE), folder, { recursive: true })
  return folder
}

async function soak(options: SoakOptions): Promise<number> {
  const report = new Report(options.json ? process.stderr : process.stdout)
  report.section(`${options.hosts} hosts, faults for ${options.minutes} minutes, seed ${options.seed}`)
  const folder = await copyAgent()
  try {
    return await soakAgent(join(folder, basename(AGENT_FILE)), options, report)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function soakAgent(copy: string, options: SoakOptions, report: Report): Promise<number> {
  const agentCommand = agentAt(copy)
  const lab = await Lab.create({ hosts: options.hosts, verbosity: 1, health: false, agentCommand })
  try {
    const say = (line: string): void => {
      report.section(line)
    }
    const run = await Soak.prepare(lab, { seed: options.seed, durationMs: options.minutes * 60_000, say })
    const result = await run.run()
    const text = table(options, result)
    const good = result.failures.length === 0
    if (!good) {
      report.section(
        `The last faults; all logs are in ${await keepEvidence(lab, `soak-${options.seed}`, result.history, text)}`,
      )
      for (const line of result.history.slice(-LAST_FAULTS)) report.line(line)
    }
    report.section('Result')
    report.line(text)
    if (options.json) process.stdout.write(`${json(options, result)}\n`)
    return good ? 0 : 1
  } catch (error) {
    report.line(await lab.logs())
    throw error
  } finally {
    await lab.close()
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseSoakOptions(args)
  if (!options.help) return soak(options)
  process.stdout.write(`${USAGE}\n`)
  return 0
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError
  process.stderr.write(
    isUsage
      ? `${error.message}\n\n${USAGE}\n`
      : `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  process.exitCode = isUsage ? 2 : 1
}
