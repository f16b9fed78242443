import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from './c-program.ts'
import type { Figure, Missing } from './figure.ts'
import { healing } from './healing.ts'
import { joining } from './joining.ts'
import { machine } from './machine.ts'
import { traffic } from './overlay-traffic.ts'
import { parseOptions, USAGE, UsageError, type Options } from './options.ts'
import { ROOT } from './programs.ts'
import { summaryOf, tableOf } from './report.ts'
import { rest } from './rest.ts'
import type { Result } from './result.ts'
import type { Context, Row } from './row.ts'
import { churning } from './churning.ts'
import { writeDocument } from './document/document.ts'
import { decoding } from './decoding.ts'
import { profile } from './profile/main.ts'
import { programming } from './program-row.ts'
import { sizes } from './sizes.ts'
import { starting } from './starting.ts'
import { udp } from './udp/row.ts'

const ROWS: readonly Row[] = [programming, decoding, starting, rest, joining, churning, healing, traffic, sizes]
/** Only where it is asked for by name: the figures of a backend that few use. */
const ROWS_BY_NAME: readonly Row[] = [...ROWS, udp]

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

function contextIn(folder: string, options: Options): Context {
  const programs = new Map<string, string>()
  const program = (name: string): string => {
    const path = programs.get(name) ?? compile(name, folder)
    programs.set(name, path)
    return path
  }
  return { options, folder, program, say }
}

async function measureAll(options: Options): Promise<Result> {
  // A simulated host does not see what lies below the laboratory's /run.
  const folder = mkdtempSync(join(ROOT, '.cache/bench-'))
  const startedMs = performance.now()
  try {
    const context = contextIn(folder, options)
    const figures: (Figure | Missing)[] = []
    const rows = options.only.length === 0 ? ROWS : ROWS_BY_NAME.filter(({ name }) => options.only.includes(name))
    for (const row of rows) {
      say(`-- ${row.name}: ${row.what}`)
      figures.push(...(await row.run(context)))
    }
    const tookSeconds = Math.round((performance.now() - startedMs) / 1_000)
    return { format: 1, machine: machine(), quick: options.isQuick, tookSeconds, figures }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What an earlier run has written. */
const read = (file: string): Result => JSON.parse(readFileSync(file, 'utf8')) as Result

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(
    args,
    ROWS_BY_NAME.map(({ name }) => name),
  )
  if (options.profile !== undefined) {
    process.stdout.write(`${await profile(options.profile, options.sizes[0] ?? 1)}\n`)
    return
  }
  const result = options.from === undefined ? await measureAll(options) : read(options.from)
  const json = `${JSON.stringify(result, undefined, 2)}\n`
  if (options.out !== undefined) writeFileSync(options.out, json)
  if (options.document) writeDocument(result)
  process.stdout.write(options.json ? json : `${tableOf(result.figures)}\n\n${summaryOf(result.figures)}\n`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  say(`${error.message}\n${USAGE}`)
  process.exitCode = 2
}
