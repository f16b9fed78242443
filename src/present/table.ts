import type { Hue, Paint } from './paint.ts'
import { displayWidth, shortened } from './width.ts'

/** What stands in one field: text without control characters, and what it is. */
export type Cell = string | { readonly text: string; readonly hue: Hue | undefined }

export interface Column<Row> {
  readonly title: string
  cell(row: Row): Cell
  readonly isRight?: boolean
  /** Where the terminal is narrow, it may be cut down to so many columns; never, where it does not say. */
  readonly least?: number
  /** Wider than this it never is, also where nothing limits the table: what stands in it may be others' to choose. {@link WIDEST}, where it does not say. */
  readonly most?: number
  /** Where that is not enough, it is left out; those with the highest number first. Never, where it does not say. */
  readonly spare?: number
}

export interface Looks {
  readonly paint: Paint
  /** Columns of the terminal; undefined: as wide as it gets, for scripts and files. */
  readonly width: number | undefined
  readonly indent?: string
}

const GAP = '  '

/** Of a column that says nothing else: a host name has 64 characters at most (HOST_NAME_MAX of Linux), and so do two subnets. */
const WIDEST = 64
/** Of a column of sentences. */
export const WIDEST_SENTENCE = 160

/** A table with a heading, each line without blanks at its end; nothing for no rows. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], looks: Looks): string {
  if (rows.length === 0) return ''
  const { paint, width = Infinity, indent = '' } = looks
  const all = columns.map((column) => ({ column, cells: rows.map((row) => column.cell(row)) }))
  const fitted = fit(all.map(measured), width - displayWidth(indent))
  const heading = line(
    fitted.map((one) => padded(one.column.title, one, (text) => paint('bold', text))),
    indent,
  )
  const lines = rows.map((_, at) =>
    line(
      fitted.map((one) => field(one, one.cells[at] ?? '', paint)),
      indent,
    ),
  )
  return [heading, ...lines].join('')
}

interface Filled<Row> {
  readonly column: Column<Row>
  readonly cells: readonly Cell[]
}
interface Measured<Row> extends Filled<Row> {
  readonly width: number
}

const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text)

function measured<Row>({ column, cells }: Filled<Row>): Measured<Row> {
  let width = displayWidth(column.title)
  for (const cell of cells) width = Math.max(width, displayWidth(textOf(cell)))
  return { column, cells, width: Math.min(width, column.most ?? WIDEST) }
}

const total = (columns: readonly { readonly width: number }[]): number =>
  columns.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length)

/** First the widest of those that may be cut gives way, then those that can be spared go. */
function fit<Row>(columns: readonly Measured<Row>[], most: number): readonly Measured<Row>[] {
  const cut = columns.map((column) => ({ ...column }))
  for (let over = total(cut) - most; over > 0; over = total(cut) - most) {
    const [widest] = cut
      .filter(({ column, width }) => column.least !== undefined && width > leastOf(column))
      .sort((a, b) => b.width - a.width)
    if (widest === undefined) break
    widest.width = Math.max(leastOf(widest.column), widest.width - over)
  }
  if (total(cut) <= most) return cut
  const spared = [...columns].sort((a, b) => (b.column.spare ?? 0) - (a.column.spare ?? 0))[0]
  if (spared?.column.spare === undefined) return cut
  return fit(
    columns.filter((one) => one !== spared),
    most,
  )
}

const leastOf = ({ least = Infinity, title }: Column<never>): number => Math.max(least, displayWidth(title))

function field<Row>(column: Measured<Row>, cell: Cell, paint: Paint): string {
  const hue = typeof cell === 'string' ? undefined : cell.hue
  return padded(textOf(cell), column, (text) => (hue === undefined ? text : paint(hue, text)))
}

/** Padding stays out of the paint, so that it can be taken off the end of a line. */
function padded<Row>(text: string, { column, width }: Measured<Row>, painted: (text: string) => string): string {
  const shown = shortened(text, width)
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(shown)))
  return column.isRight === true ? `${blanks}${painted(shown)}` : `${painted(shown)}${blanks}`
}

const line = (fields: readonly string[], indent: string): string => `${indent}${fields.join(GAP)}`.trimEnd() + '\n'
