import type { Labels, PlainDefinition } from './definition.ts'

/** Lines that are made at once. */
const LINES_IN_PIECE = 100

/**
 * Gauges with as many series as there are peers, written piece by piece: whoever reads them keeps the agent from nothing else meanwhile. Both
 * formats write them alike.
 */
export function* inPieces<R>(definitions: readonly PlainDefinition<R>[], readings: R): Generator<string> {
  for (const { name, help, type, read } of definitions) {
    let lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
    for (const { labels = {}, value } of read(readings)) {
      if (typeof value !== 'number' || Number.isNaN(value)) continue
      lines.push(`${name}{${labelsInText(labels)}} ${value}`)
      if (lines.length < LINES_IN_PIECE) continue
      yield `${lines.join('\n')}\n`
      lines = []
    }
    if (lines.length > 0) yield `${lines.join('\n')}\n`
  }
}

const labelsInText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, escaped)}"`)
    .join(',')

const escaped = (character: string): string => (character === '\n' ? '\\n' : `\\${character}`)
