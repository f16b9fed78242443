import { median, type Growth } from './samples.ts'
import type { SoakOptions } from './options.ts'
import type { SoakResult } from './soak.ts'

const MEBIBYTE = 2 ** 20
const WIDTH = 42

const row = (name: string, ...cells: readonly (string | number)[]): string =>
  [name.padEnd(WIDTH), ...cells.map((cell) => String(cell).padStart(12))].join('')

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1)

const growthRow = (growth: Growth): string =>
  row(
    `${growth.host}${growth.isJudged ? '' : ' (run too short to judge)'}`,
    mebibytes(growth.thirdQuarterRss),
    mebibytes(growth.lastQuarterRss),
    percent(growth.rssGrowth),
    growth.halfwayDescriptors,
    growth.endDescriptors,
  )

const total = (faults: ReadonlyMap<string, number>): number => [...faults.values()].reduce((sum, n) => sum + n, 0)

/** What happened, for a person. */
export function table({ seed }: SoakOptions, result: SoakResult): string {
  const { faults, convergedMs, pings, growth, failures } = result
  return [
    row('fault', 'times'),
    ...[...faults].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => row(`  ${name}`, count)),
    row('all', total(faults)),
    '',
    row('quiet moments, ms to exact tables', 'count', 'median', 'worst'),
    row('', convergedMs.length, median(convergedMs), Math.max(0, ...convergedMs)),
    '',
    row('agents never restarted', 'MiB 3rd q', 'MiB 4th q', 'growth', 'fds half', 'fds end'),
    ...growth.map(growthRow),
    '',
    ...failures.map((text) => `FAILED: ${text}`),
    `seed ${seed}: ${failures.length === 0 ? 'held' : 'DID NOT HOLD'}; ` +
      `${total(faults)} faults, ${pings.received} of ${pings.sent} pings`,
  ].join('\n')
}

/** The same for a program. */
export function json({ seed, minutes, hosts }: SoakOptions, result: SoakResult): string {
  const { faults, convergedMs, pings, growth, failures } = result
  const converged = { count: convergedMs.length, medianMs: median(convergedMs), worstMs: Math.max(0, ...convergedMs) }
  return JSON.stringify({
    ok: failures.length === 0,
    seed,
    minutes,
    hosts,
    faults: Object.fromEntries(faults),
    converged,
    pings,
    growth,
    failures,
  })
}
