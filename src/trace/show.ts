import { displayWidth, wrapped } from '../present/width.ts'
import type { Looks } from '../present/table.ts'
import { printable } from '../text/printable.ts'
import type { Step, TracedPeer } from './facts.ts'

const MARKS = { right: ['ok   ', 'good'], wrong: ['WRONG', 'bad'], unknown: ['?    ', 'dim'] } as const
const NAME_WIDTH = 10

/** `flanneld trace`, for people: each step, the first wrong one with its cure, and a last line that says what is wrong. */
export function showTrace({ name, family }: TracedPeer, steps: readonly Step[], looks: Looks): string {
  const first = steps.find(({ is }) => is === 'wrong')
  const head = looks.paint('bold', `The way to ${printable(name)} over IPv${family}`)
  const lines = steps.map((step) => stepLines(step, step === first, looks)).join('')
  const end =
    first === undefined
      ? looks.paint('good', 'nothing is wrong')
      : `${looks.paint('bad', `the first thing wrong is: ${first.name}`)}; what comes after it may be wrong because of it`
  return `${head}\n${lines}${end}\n`
}

function stepLines({ name, is, found, cure }: Step, isFirst: boolean, { paint, width }: Looks): string {
  const [mark, hue] = MARKS[is]
  const head = `  ${paint(hue, mark)}  ${name.padEnd(NAME_WIDTH)} `
  const left = ' '.repeat(displayWidth(`  ${mark}  `) + NAME_WIDTH + 1)
  const text = printable(found)
  const lines = width === undefined ? [text] : wrapped(text, Math.max(20, width - left.length))
  const cures = isFirst ? cure.map((line) => `${left}→ ${printable(line)}\n`) : []
  return [...lines.map((line, at) => `${at === 0 ? head : left}${line}\n`), ...cures].join('')
}
