import { mkdirSync, renameSync } from 'node:fs'
import { join, relative } from 'node:path'
import { cacheFolder, ROOT, say, SetupError } from './shell.mjs'
import { logPath, selection, vitest } from './vitest.mjs'

const USAGE = 'npm run repeat -- N [--jobs 1] [--project p] [path] [-t name]'
const MAX_JOBS = 8

const wholeNumber = (text, name, max) => {
  const value = Number(text)
  if (!/^\d+$/.test(text ?? '') || value < 1 || value > max)
    throw new SetupError(`${name} is a whole number from 1 to ${max}, not "${text}"\nusage: ${USAGE}`)
  return value
}

/** Splits the count and `--jobs` off; the rest selects tests. */
function parse([count, ...args]) {
  const rounds = wholeNumber(count, 'N', 100_000)
  const at = args.indexOf('--jobs')
  const jobs = at < 0 ? 1 : wholeNumber(args[at + 1], '--jobs', MAX_JOBS)
  return { rounds, jobs, ...selection(at < 0 ? args : args.toSpliced(at, 2)) }
}

/** How often each test ended which way. */
class Tally {
  #tests = new Map()

  add({ name, status }) {
    const counts = this.#tests.get(name) ?? { passed: 0, failed: 0 }
    if (status === 'passed' || status === 'failed') counts[status]++
    this.#tests.set(name, counts)
  }

  get rows() {
    return [...this.#tests].map(([name, counts]) => ({ name, ...counts })).filter((row) => row.passed + row.failed > 0)
  }
}

/** Keeps the output of a failed run where the next `npm test` does not remove it. */
function keep(log, startedAt, round) {
  const folder = join(cacheFolder('test'), `repeat-${startedAt}`)
  mkdirSync(folder, { recursive: true })
  const kept = join(folder, `round-${round}.log`)
  renameSync(log, kept)
  return relative(ROOT, kept)
}

/** One after the other, the selected tests of every project. @returns whether all passed */
async function runRound(round, { names, extra }, startedAt, tally) {
  let good = true
  for (const project of names) {
    const log = logPath(`round-${round}-${project}`)
    const tests = await vitest(process.execPath, { project, args: extra }, log)
    for (const test of tests) tally.add(test)
    const failed = tests.filter(({ status }) => status === 'failed')
    if (failed.length === 0) continue
    good = false
    say(`round ${round}, ${project}: ${failed.length} failed, see ${keep(log, startedAt, `${round}-${project}`)}`)
    for (const { name } of failed) say(`  ${name}`)
  }
  return good
}

function printTally(rows) {
  console.log('\npassed failed  test')
  for (const { name, passed, failed } of rows)
    console.log(`${String(passed).padStart(6)} ${String(failed).padStart(6)}  ${name}`)
}

/** Runs the selected tests N times over, on this Node, and says of each test how often it passed and failed. */
export async function repeatTests(args) {
  const options = parse(args)
  const startedAt = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const tally = new Tally()
  const rounds = Array.from({ length: options.rounds }, (_, at) => at + 1).values()
  const work = async () => {
    for (const round of rounds) {
      const good = await runRound(round, options, startedAt, tally)
      say(`round ${round} of ${options.rounds} ${good ? 'passed' : 'FAILED'}`)
    }
  }
  await Promise.all(Array.from({ length: options.jobs }, work))
  const { rows } = tally
  const sum = (pick) => rows.reduce((total, row) => total + row[pick], 0)
  printTally(rows)
  console.log(`\n${options.rounds} rounds: ${sum('passed')} passed, ${sum('failed')} failed`)
  return rows.length > 0 && sum('failed') === 0 ? 0 : 1
}
