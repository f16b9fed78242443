import type { Bound, Figure, Missing } from './figure.ts'
import type { Spread } from './statistics.ts'

/** Three figures that mean something, and no more. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value)
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  const text = value.toFixed(Math.min(digits, 6))
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

const spreadText = ({ median, low, high, runs }: Spread): string =>
  runs === 1 || low === high
    ? shortNumber(median)
    : `${shortNumber(median)} (${shortNumber(low)} to ${shortNumber(high)})`

function boundText({ of, most, least }: Bound): string {
  const limits = [
    ...(least === undefined ? [] : [`at least ${shortNumber(least)}`]),
    ...(most === undefined ? [] : [`at most ${shortNumber(most)}`]),
  ].join(', ')
  const what = { value: '', ratio: ' times the reference', difference: ' above the reference' }[of]
  return `${limits}${what}`
}

/** The texts of one figure, by the heading that they stand under. */
export function columnsOf(figure: Figure | Missing): Readonly<Record<string, string>> {
  const { row, what, peers } = figure
  const head = { row, figure: what, peers: peers === undefined ? '' : String(peers) }
  if (!('value' in figure))
    return { ...head, measured: '', reference: '', compared: '', bound: '', verdict: `not measured: ${figure.note}` }
  const { value, unit, reference, ratio, difference, bound, verdict } = figure
  const compared = bound?.of === 'difference' ? difference : ratio
  return {
    ...head,
    measured: `${spreadText(value)} ${unit}`.trim(),
    reference: reference ? `${reference.name}: ${spreadText(reference.value)}` : '',
    compared: compared ? `${spreadText(compared)}${bound?.of === 'difference' ? ` ${unit}` : ''}` : '',
    bound: bound ? boundText(bound) : '',
    verdict: figure.note === undefined ? verdict : `${verdict}; ${figure.note}`,
  }
}

/** A table for people. */
export function tableOf(figures: readonly (Figure | Missing)[]): string {
  const rows = figures.map(columnsOf)
  const names = Object.keys(rows[0] ?? {})
  const lines = [Object.fromEntries(names.map((name) => [name, name])), ...rows]
  const widths = names.map((name) => Math.max(...lines.map((line) => (line[name] ?? '').length)))
  return lines
    .map((line) =>
      names
        .map((name, at) => (line[name] ?? '').padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** How many of all kept to their bounds. */
export function summaryOf(figures: readonly (Figure | Missing)[]): string {
  const count = (verdict: string): number => figures.filter((figure) => figure.verdict === verdict).length
  return `${count('met')} met, ${count('MISSED')} MISSED, ${count('without a bound')} without a bound, ${count('not measured')} not measured`
}
