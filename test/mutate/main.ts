/** `npm run mutate`: would a test notice? Changes the code in small ways, one at a time, and runs the tests that reach the change. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseOptions, USAGE, UsageError, type Options } from './options.ts'
import { killedShare, reportOf } from './result.ts'
import { mutate } from './run.ts'

const ROOT = join(import.meta.dirname, '../..')

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

async function run(options: Options): Promise<number> {
  const startedAt = performance.now()
  say(`Seed ${options.seed}`)
  const result = await mutate(ROOT, options, say)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
  process.stdout.write(`${reportOf(result)}\n\nSeed ${options.seed}, ${minutes} minutes\n`)
  const share = killedShare(result.entries) ?? 100
  return share < options.least ? 1 : 0
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args)
  if (!options.help) return run(options)
  process.stdout.write(`${USAGE}\n`)
  return 0
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    process.exit(1)
  })

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError
  say(
    isUsage ? `${error.message}\n\n${USAGE}` : error instanceof Error ? (error.stack ?? error.message) : String(error),
  )
  process.exitCode = isUsage ? 2 : 1
}
