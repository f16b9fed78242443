import { basename, dirname } from 'node:path'
import type { Host } from './host.ts'
import { mutatedSource, type Mutant } from './mutant.ts'
import type { TestReach } from './reach.ts'

export type Verdict = 'killed' | 'timed out' | 'survived'

export interface Trial {
  readonly verdict: Verdict
  /** The test that noticed, with its file; empty for a survivor. */
  readonly by: string
  readonly durationMs: number
  /** How many test files were run. */
  readonly files: number
}

/** What a file may take beyond what it took before, and how many times that. */
const LIMITS = { core: { extraMs: 15_000, times: 4 }, lab: { extraMs: 40_000, times: 3 } }

function limitFor({ project, durationMs }: TestReach): number {
  const { extraMs, times } = project === 'core' ? LIMITS.core : LIMITS.lab
  return extraMs + times * durationMs
}

const stem = (path: string): string => basename(path).replace(/(\.test)?\.ts$/, '')
const room = (path: string): string => basename(dirname(path))

/** Tries the tests first that are the most likely to notice at little cost. */
export class Order {
  readonly #kills = new Map<string, number>()

  noticed(file: string, test: string): void {
    const key = `${file} ${test}`
    this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1)
  }

  of(file: string, tests: readonly TestReach[]): readonly TestReach[] {
    const rank = (test: TestReach): number => {
      const kills = this.#kills.get(`${file} ${test.file}`) ?? 0
      const likeness = stem(test.file) === stem(file) ? 3 : room(test.file) === room(file) ? 2 : 1
      return test.durationMs / (likeness + 3 * kills) + (test.usesBundle ? 1_000 : 0)
    }
    return tests.toSorted((a, b) => rank(a) - rank(b))
  }
}

/** Tries mutants, one at a time, in the tree of one host. */
export class Bench {
  readonly #host: Host
  readonly #order: Order
  readonly #sourceOf: (file: string) => string
  /** The file that vitest has read with a change that is no longer there. */
  #stale: readonly string[] = []
  /** The mutant that the bundle was made with. */
  #bundled: Mutant | undefined

  constructor(host: Host, order: Order, sourceOf: (file: string) => string) {
    this.#host = host
    this.#order = order
    this.#sourceOf = sourceOf
  }

  async try(mutant: Mutant, tests: readonly TestReach[]): Promise<Trial> {
    const { tree } = this.#host
    const startedAt = performance.now()
    tree.write(mutant.file, mutatedSource(this.#sourceOf(mutant.file), mutant))
    const result = await this.#run(mutant, this.#order.of(mutant.file, tests))
    tree.write(mutant.file, this.#sourceOf(mutant.file))
    this.#stale = [mutant.file]
    return { ...result, durationMs: Math.round(performance.now() - startedAt) }
  }

  async #run(mutant: Mutant, tests: readonly TestReach[]): Promise<Omit<Trial, 'durationMs'>> {
    let changed = [...this.#stale, mutant.file]
    for (const [at, test] of tests.entries()) {
      const files = at + 1
      if (!this.#bundleFor(mutant, test)) return { verdict: 'killed', by: 'the bundle, which cannot be made', files }
      const ended = await this.#host.run(test.file, changed, limitFor(test))
      changed = []
      if (ended.how === 'passed') continue
      if (ended.how === 'timed out' && !(await this.#passesWithout(mutant, test))) {
        changed = [mutant.file]
        continue
      }
      this.#order.noticed(mutant.file, test.file)
      if (ended.how === 'timed out') return { verdict: 'timed out', by: test.file, files }
      return { verdict: 'killed', by: `${test.file}: ${ended.test || ended.message}`, files }
    }
    return { verdict: 'survived', by: '', files: tests.length }
  }

  /** Whether a test ends in time without the mutant: on a busy machine it may not either, and then says nothing. */
  async #passesWithout(mutant: Mutant, test: TestReach): Promise<boolean> {
    const { tree } = this.#host
    tree.write(mutant.file, this.#sourceOf(mutant.file))
    const made = !test.usesBundle || tree.bundle()
    this.#bundled = undefined
    const ended = await this.#host.run(test.file, [mutant.file], 2 * limitFor(test))
    tree.write(mutant.file, mutatedSource(this.#sourceOf(mutant.file), mutant))
    return made && ended.how === 'passed'
  }

  /** Has the bundle made anew for a test that runs it. */
  #bundleFor(mutant: Mutant, { usesBundle }: TestReach): boolean {
    if (!usesBundle || this.#bundled === mutant) return true
    this.#bundled = mutant
    return this.#host.tree.bundle()
  }
}
