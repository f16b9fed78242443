import { sourceLines } from './source-lines.ts'

/** A node of a CPU profile, as far as it is read (Chrome DevTools Protocol, Profiler.ProfileNode). */
interface ProfileNode {
  readonly id: number
  readonly children?: readonly number[]
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

/** Chrome DevTools Protocol, Profiler.Profile: `samples` are ids of nodes, `timeDeltas` microseconds before each. */
export interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Where time went, in milliseconds. */
export interface Spent {
  readonly name: string
  readonly milliseconds: number
}

export interface CpuSummary {
  /** Of everything but idling. */
  readonly busyMs: number
  readonly collectorMs: number
  /** By function, what takes longest first; what it calls is not counted. */
  readonly functions: readonly Spent[]
  /** The same by source file. */
  readonly files: readonly Spent[]
}

const COLLECTOR = '(garbage collector)'
const IDLE = '(idle)'

const ranked = (spent: ReadonlyMap<string, number>): readonly Spent[] =>
  [...spent].map(([name, us]) => ({ name, milliseconds: us / 1_000 })).sort((a, b) => b.milliseconds - a.milliseconds)

/** Microseconds by node of the profile. */
function selfTimes({ samples, timeDeltas }: Profile): ReadonlyMap<number, number> {
  const times = new Map<number, number>()
  for (const [at, id] of samples.entries()) times.set(id, (times.get(id) ?? 0) + (timeDeltas[at + 1] ?? 0))
  return times
}

/** A function as people are shown it, with its source file. */
export function nameOf({ callFrame }: ProfileNode, sourceOf: (line: number) => string): string {
  const { functionName, url, lineNumber } = callFrame
  const file = url.endsWith('flanneld.cjs') ? sourceOf(lineNumber) : url
  return `${functionName || '(anonymous)'} ${file}`.trim()
}

/** @param json of a .cpuprofile @param bundle the program's text, by whose comments lines are told apart by source file */
export function summarizeCpu(json: string, bundle: string): CpuSummary {
  const profile = JSON.parse(json) as Profile
  const sourceOf = sourceLines(bundle)
  const [functions, files] = [new Map<string, number>(), new Map<string, number>()]
  const add = (to: Map<string, number>, name: string, us: number): void => {
    to.set(name, (to.get(name) ?? 0) + us)
  }
  const times = selfTimes(profile)
  for (const node of profile.nodes) {
    const us = times.get(node.id) ?? 0
    const { functionName, url, lineNumber } = node.callFrame
    if (us === 0 || functionName === IDLE) continue
    const file = url.endsWith('flanneld.cjs') ? sourceOf(lineNumber) : url
    add(functions, nameOf(node, sourceOf), us)
    add(files, file === '' ? functionName || '(native)' : file, us)
  }
  const busyMs = [...files.values()].reduce((sum, us) => sum + us, 0) / 1_000
  return {
    busyMs,
    collectorMs: (files.get(COLLECTOR) ?? 0) / 1_000,
    functions: ranked(functions),
    files: ranked(files),
  }
}
