import { nameOf, type Profile } from './cpu-profile.ts'
import { sourceLines } from './source-lines.ts'

/** What `turns.cjs` writes. Times are on one clock, in milliseconds. */
interface Recorded {
  readonly startedMs: number
  readonly count: number
  readonly turns: readonly { readonly fromMs: number; readonly toMs: number; readonly processorMs: number }[]
  readonly pauses: readonly { readonly fromMs: number; readonly ms: number }[]
  readonly profile: Profile & { readonly startTime: number }
}

/** One turn of the event loop that took long. */
export interface LongTurn {
  /** Of the thread. */
  readonly processorMs: number
  /** When it ended, since the process was started. */
  readonly atMs: number
  /** By the clock: on a busy machine a pause is longer than what it takes. */
  readonly collectorMs: number
  /** Functions of ours in which most samples were, with all that they call, the first the most. */
  readonly functions: readonly string[]
}

export interface TurnSummary {
  readonly count: number
  /** The longest first. */
  readonly longest: readonly LongTurn[]
}

const NAMED = 6

/** @param json of `turns.json` @param bundle the program's text */
export function summarizeTurns(json: string, bundle: string, shown: number): TurnSummary {
  const { startedMs, count, turns, pauses, profile } = JSON.parse(json) as Recorded
  const functionsIn = samplesOf(profile, bundle)
  const longest = turns
    .toSorted((a, b) => b.processorMs - a.processorMs)
    .slice(0, shown)
    .map(({ fromMs, toMs, processorMs }) => ({
      ...{ processorMs, atMs: toMs - startedMs, functions: functionsIn(fromMs, toMs).slice(0, NAMED) },
      collectorMs: pauses
        .filter((one) => one.fromMs >= fromMs && one.fromMs < toMs)
        .reduce((sum, { ms }) => sum + ms, 0),
    }))
  return { count, longest }
}

/** Functions of ours that were at work between two moments, by samples in them and what they call. */
function samplesOf(
  { nodes, samples, timeDeltas, startTime }: Recorded['profile'],
  bundle: string,
): (fromMs: number, toMs: number) => readonly string[] {
  const sourceOf = sourceLines(bundle)
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const names = new Map(nodes.map((node) => [node.id, nameOf(node, sourceOf)]))
  function* callersOf(id: number): Generator<string> {
    for (let at: number | undefined = id; at !== undefined && byId.has(at); at = callers.get(at))
      yield names.get(at) ?? ''
  }
  return (fromMs, toMs) => {
    const counts = new Map<string, number>()
    let us = startTime
    for (const [at, id] of samples.entries()) {
      us += timeDeltas[at] ?? 0
      if (us < fromMs * 1_000 || us > toMs * 1_000) continue
      for (const name of new Set(callersOf(id)))
        if (name.includes(' src/')) counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    return [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name)
  }
}
