import { readFileSync } from 'node:fs'
import { keyOf, readEquivalents } from './equivalent.ts'
import { Host } from './host.ts'
import type { Mutant } from './mutant.ts'
import type { Options } from './options.ts'
import { findReach, ReachIndex } from './reach.ts'
import { entryOf, triedEntry, type Entry, type Result } from './result.ts'
import { allMutants, drawSample, type Candidate, type Sample } from './sample.ts'
import { Sources } from './sources.ts'
import { Tree } from './tree.ts'
import { Bench, Order } from './trial.ts'

/** Progress, line by line. */
export type Say = (line: string) => void

/** Those that survived in a result written before. */
function survivorsIn(path: string): ReadonlySet<string> {
  const { entries } = JSON.parse(readFileSync(path, 'utf8')) as Result
  return new Set(entries.filter(({ outcome }) => outcome === 'survived').map(keyOf))
}

function mutantsFor({ places, again }: Options, sources: Sources): readonly Mutant[] {
  const all = allMutants(sources, places)
  if (again === undefined) return all
  const survivors = survivorsIn(again)
  return all.filter((mutant) => survivors.has(keyOf(mutant)))
}

/** Tries every candidate, by whichever host is free. */
async function tryAll(
  candidates: readonly Candidate[],
  benches: readonly Bench[],
  say: Say,
): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  const queue = candidates.values()
  const work = async (bench: Bench): Promise<void> => {
    for (const { mutant, tests } of queue) {
      const entry = triedEntry(mutant, await bench.try(mutant, tests))
      entries.push(entry)
      const seconds = (entry.durationMs / 1_000).toFixed(1)
      say(
        `${entries.length}/${candidates.length} ${entry.outcome} ${mutant.file}:${mutant.line} ${mutant.kind} ${seconds} s`,
      )
    }
  }
  await Promise.all(benches.map(work))
  return entries
}

function untriedEntries({ notCompiled, notReached }: Sample): readonly Entry[] {
  return [
    ...notCompiled.map((mutant) => entryOf(mutant, 'not compiled')),
    ...notReached.map((mutant) => entryOf(mutant, 'not reached')),
  ]
}

async function runWith(root: string, options: Options, hosts: readonly Host[], say: Say): Promise<Result> {
  const { projects, seed, places } = options
  const sources = new Sources(root)
  say('What every test file reaches …')
  const reach = await findReach({ root, hosts, sources, projects })
  for (const file of reach.broken) say(`${file} fails without any mutant, and is left out`)
  say('Mutants …')
  const mutants = mutantsFor(options, sources)
  const sample = drawSample({ sources, mutants, reach: new ReachIndex(reach), seed, count: options.count })
  const reasons = new Map(readEquivalents(root).map((each) => [keyOf(each), each.reason]))
  const known = sample.candidates.filter(({ mutant }) => reasons.has(keyOf(mutant)))
  const order = new Order()
  const benches = hosts.map((host) => new Bench(host, order, (file) => sources.source(file).text))
  const tried = await tryAll(
    sample.candidates.filter((candidate) => !known.includes(candidate)),
    benches,
    say,
  )
  const equivalent = known.map(({ mutant }) => entryOf(mutant, 'equivalent', reasons.get(keyOf(mutant))))
  const entries = [...tried, ...equivalent, ...untriedEntries(sample)]
  return { seed, projects, places, all: sample.all, broken: reach.broken, entries }
}

/** Draws a sample of mutants and tries each. Nothing in the checkout changes but `.cache/`; what was started ends. */
export async function mutate(root: string, options: Options, say: Say): Promise<Result> {
  const trees: Tree[] = []
  const hosts: Host[] = []
  const cleanUp = (): void => {
    for (const host of hosts) host.kill()
    for (const tree of trees) tree.remove()
  }
  process.once('exit', cleanUp)
  try {
    for (let at = 0; at < options.workers; at++) trees.push(Tree.copyOf(root))
    hosts.push(...trees.map((tree) => new Host(tree, options)))
    return await runWith(root, options, hosts, say)
  } finally {
    await Promise.all(hosts.map((host) => host.close()))
    cleanUp()
    process.off('exit', cleanUp)
  }
}
