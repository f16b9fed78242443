import { SeededRandom } from '../soak/random.ts'
import { mutatedSource, type Mutant } from './mutant.ts'
import { mutantsOf } from './mutators/index.ts'
import type { ReachIndex, TestReach } from './reach.ts'
import type { Sources } from './sources.ts'

export interface Candidate {
  readonly mutant: Mutant
  readonly tests: readonly TestReach[]
}

/** What came up before as many candidates were found as were asked for. */
export interface Sample {
  readonly candidates: readonly Candidate[]
  readonly notCompiled: readonly Mutant[]
  readonly notReached: readonly Mutant[]
  /** How many mutants there are to choose from. */
  readonly all: number
}

const isIn = (file: string, places: readonly string[]): boolean =>
  places.length === 0 || places.some((place) => file === place || file.startsWith(`${place}/`))

export const allMutants = (sources: Sources, places: readonly string[]): readonly Mutant[] =>
  sources.files
    .filter((file) => isIn(file, places))
    .flatMap((file) => mutantsOf(sources.source(file), file, sources.types))

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], seed: number): readonly T[] {
  const random = new SeededRandom(seed)
  const left = [...items]
  return items.flatMap(() => {
    const at = random.between(0, left.length - 1)
    const last = left.pop()
    const chosen = at === left.length ? last : left[at]
    if (last !== undefined && at < left.length) left[at] = last
    return chosen === undefined ? [] : [chosen]
  })
}

export interface SampleInput {
  readonly sources: Sources
  readonly mutants: readonly Mutant[]
  readonly reach: ReachIndex
  readonly seed: number
  readonly count: number
}

/** Takes mutants as a seed has them, until enough compile and are reached by a test. */
export function drawSample({ sources, mutants, reach, seed, count }: SampleInput): Sample {
  const candidates: Candidate[] = []
  const notCompiled: Mutant[] = []
  const notReached: Mutant[] = []
  for (const mutant of shuffled(mutants, seed)) {
    if (candidates.length >= count) break
    const tests = reach.testsOf(mutant)
    const text = mutatedSource(sources.source(mutant.file).text, mutant)
    if (!sources.compiles(mutant.file, text)) notCompiled.push(mutant)
    else if (tests.length === 0) notReached.push(mutant)
    else candidates.push({ mutant, tests })
  }
  return { candidates, notCompiled, notReached, all: mutants.length }
}
