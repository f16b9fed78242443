import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figure, Missing } from '../figure.ts'
import { ROOT } from '../programs.ts'
import { columnsOf, summaryOf } from '../report.ts'
import type { Result } from '../result.ts'
import { plotOf } from './plot.ts'
import { panelsOf } from './series.ts'

export const DOCUMENT = join(ROOT, 'docs/performance.md')
export const PICTURE = join(ROOT, 'docs/images/performance.svg')
/** The figures that the document shows, for whoever draws them anew. */
export const FIGURES = join(ROOT, 'docs/performance.json')

const [BEGIN, END] = ['<!-- figures -->', '<!-- end of the figures -->']

const cells = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`

/** A table in Markdown, without columns that say what another does. */
function markdownTable(figures: readonly (Figure | Missing)[]): string {
  const rows = figures.map(columnsOf).map(({ row, ...rest }) => ({ row: `\`${row ?? ''}\``, ...rest }))
  const names = Object.keys(rows[0] ?? {})
  const lines: readonly Readonly<Record<string, string>>[] = rows
  return [
    cells(names),
    cells(names.map(() => '---')),
    ...lines.map((line) => cells(names.map((name) => (line[name] ?? '').replaceAll('|', '\\|')))),
  ].join('\n')
}

function machineText({ machine, tookSeconds }: Result): string {
  const { processors, processor, memoryGB, kernel, node, etcd, iproute2 } = machine
  return `Of one run of ${Math.round(tookSeconds / 60)} minutes: ${processors} processors (${processor}), ${memoryGB} GB of memory, Linux ${kernel}, Node ${node}, etcd ${etcd}, ${iproute2}.`
}

/** The document with the figures of this run in the place of those it has. @throws {Error} when it has no place for them */
export function documented(text: string, result: Result): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`there is no "${BEGIN}" in the document, with "${END}" behind it`)
  const { figures } = result
  const shown = [machineText(result), '', markdownTable(figures), '', `${summaryOf(figures)}.`].join('\n')
  return `${text.slice(0, from)}${BEGIN}\n\n${shown}\n\n${text.slice(to)}`
}

/** Writes the figures of a run, as a table, a picture and for machines, into docs/. */
export function writeDocument(result: Result): void {
  writeFileSync(FIGURES, `${JSON.stringify(result, undefined, 2)}\n`)
  writeFileSync(PICTURE, plotOf(panelsOf(result.figures)))
  writeFileSync(DOCUMENT, documented(readFileSync(DOCUMENT, 'utf8'), result))
}
