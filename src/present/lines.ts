import { displayWidth, wrapped } from './width.ts'
import type { Looks } from './table.ts'

/** A name and what is to be said of it, which may go over several lines. */
export type Labelled = readonly [label: string, text: string]

/** Labels in one column, texts in the next, wrapped where the terminal ends. */
export function labelled(rows: readonly Labelled[], { paint, width, indent = '' }: Looks): string {
  const column = Math.max(0, ...rows.map(([label]) => displayWidth(label)))
  const left = `${indent}${' '.repeat(column)}  `
  return rows
    .map(([label, text]) => {
      const lines = width === undefined ? [text] : wrapped(text, Math.max(20, width - left.length))
      const head = `${indent}${paint('bold', label)}${' '.repeat(column - displayWidth(label))}  `
      return lines.map((line, at) => `${at === 0 ? head : left}${line}\n`).join('')
    })
    .join('')
}
