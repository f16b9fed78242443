import type ts from 'typescript'

/** One change to one file of `src/`: the text from `start` to `end` becomes `text`. */
export interface Mutant {
  /** Below the checkout, such as `src/net/cidr.ts`. */
  readonly file: string
  readonly line: number
  /** What was done, in a word or two: `boundary`, `removed call`. */
  readonly kind: string
  readonly start: number
  readonly end: number
  readonly text: string
  /** A position that runs exactly when the changed code does. */
  readonly probe: number
  /** The whole lines of the change, before and after, with white space collapsed: what a reader sees, and the key of a mutant. */
  readonly original: string
  readonly mutated: string
}

/** What a mutator proposes: `node` (or the span given) becomes `text`. */
export interface Proposal {
  readonly kind: string
  readonly node: ts.Node
  readonly text: string
  readonly probe?: number
}

/** Proposes changes of this very node, not of what is inside it. */
export type Mutator = (node: ts.Node, types: ts.TypeChecker) => readonly Proposal[]

const LONGEST_TEXT = 200

/** White space collapsed; of a long text the begin and the end. */
function shown(text: string): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim()
  if (flat.length <= LONGEST_TEXT) return flat
  return `${flat.slice(0, LONGEST_TEXT / 2)} … ${flat.slice(-LONGEST_TEXT / 2)}`
}

export const mutatedSource = (source: string, { start, end, text }: Pick<Mutant, 'start' | 'end' | 'text'>): string =>
  source.slice(0, start) + text + source.slice(end)

export function mutantOf(source: ts.SourceFile, file: string, proposal: Proposal): Mutant {
  const { node, kind, text } = proposal
  const start = node.getStart(source)
  const end = node.getEnd()
  const code = source.text
  const from = code.lastIndexOf('\n', start - 1) + 1
  const newline = code.indexOf('\n', end)
  const to = newline < 0 ? code.length : newline
  return {
    file,
    kind,
    start,
    end,
    text,
    line: source.getLineAndCharacterOfPosition(start).line + 1,
    probe: proposal.probe ?? start,
    original: shown(code.slice(from, to)),
    mutated: shown(code.slice(from, start) + text + code.slice(end, to)),
  }
}
