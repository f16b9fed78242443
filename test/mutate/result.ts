import { dirname } from 'node:path'
import type { Mutant } from './mutant.ts'
import type { Trial, Verdict } from './trial.ts'

export type Outcome = Verdict | 'equivalent' | 'not compiled' | 'not reached'

/** What became of one mutant. */
export interface Entry {
  readonly file: string
  readonly line: number
  readonly kind: string
  readonly original: string
  readonly mutated: string
  readonly outcome: Outcome
  /** Of a killed one, the test that noticed; of an equivalent one, why it is. */
  readonly note: string
  readonly durationMs: number
  readonly testFiles: number
}

export interface Result {
  readonly seed: number
  readonly projects: readonly string[]
  readonly places: readonly string[]
  /** How many mutants there were to choose from. */
  readonly all: number
  /** Test files that fail without any mutant. */
  readonly broken: readonly string[]
  readonly entries: readonly Entry[]
}

export const entryOf = (mutant: Mutant, outcome: Outcome, note = ''): Entry => ({
  file: mutant.file,
  line: mutant.line,
  kind: mutant.kind,
  original: mutant.original,
  mutated: mutant.mutated,
  outcome,
  note,
  durationMs: 0,
  testFiles: 0,
})

export const triedEntry = (mutant: Mutant, { verdict, by, durationMs, files }: Trial): Entry => ({
  ...entryOf(mutant, verdict, by),
  durationMs,
  testFiles: files,
})

const count = (entries: readonly Entry[], outcome: Outcome): number =>
  entries.filter((entry) => entry.outcome === outcome).length

/** Percentage of those that a test noticed, among those that one could have; a mutant that hangs is noticed. Undefined for none. */
export function killedShare(entries: readonly Entry[]): number | undefined {
  const noticed = count(entries, 'killed') + count(entries, 'timed out')
  const tried = noticed + count(entries, 'survived')
  return tried === 0 ? undefined : (100 * noticed) / tried
}

const COLUMNS: readonly Outcome[] = ['killed', 'timed out', 'survived', 'equivalent', 'not reached', 'not compiled']

const share = (entries: readonly Entry[]): string => {
  const percent = killedShare(entries)
  return percent === undefined ? '' : `${percent.toFixed(1)} %`
}

const row = (name: string, entries: readonly Entry[]): readonly string[] => [
  name,
  ...COLUMNS.map((outcome) => String(count(entries, outcome))),
  share(entries),
]

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0))) ?? []
  const pad = (cell: string, at: number): string =>
    at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)
  return rows.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n')
}

/** Counts by folder, and over all. */
export function tableOf(entries: readonly Entry[]): string {
  const folders = [...new Set(entries.map(({ file }) => dirname(file)))].sort()
  const rows = folders.map((folder) =>
    row(
      folder,
      entries.filter(({ file }) => dirname(file) === folder),
    ),
  )
  return aligned([['folder', ...COLUMNS, 'killed'], ...rows, row('all', entries)])
}

const byPlace = (a: Entry, b: Entry): number => a.file.localeCompare(b.file) || a.line - b.line

/** Each with its place, and the lines before and after. */
export function listOf(entries: readonly Entry[], outcome: Outcome): string {
  return entries
    .filter((entry) => entry.outcome === outcome)
    .toSorted(byPlace)
    .map(({ file, line, kind, original, mutated }) => `${file}:${line}  ${kind}\n  - ${original}\n  + ${mutated}`)
    .join('\n')
}

/** The whole report for people. */
export function reportOf({ entries, projects }: Result): string {
  const part = (title: string, outcome: Outcome): readonly string[] =>
    count(entries, outcome) === 0 ? [] : [`\n${title}:`, listOf(entries, outcome)]
  return [
    tableOf(entries),
    ...part('Survived', 'survived'),
    ...part(`Reached by no test of ${projects.join(', ')}`, 'not reached'),
  ].join('\n')
}
