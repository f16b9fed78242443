import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './mutant.ts'

/** A mutant that behaves as the original does, so that no test can notice it. */
export interface Equivalent {
  readonly file: string
  readonly original: string
  readonly mutated: string
  readonly reason: string
}

const FILE = 'test/mutate/equivalent.json'

export const readEquivalents = (root: string): readonly Equivalent[] =>
  JSON.parse(readFileSync(join(root, FILE), 'utf8')) as readonly Equivalent[]

export const keyOf = ({ file, original, mutated }: Pick<Mutant, 'file' | 'original' | 'mutated'>): string =>
  JSON.stringify([file, original, mutated])
