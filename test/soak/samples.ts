import { readdir } from 'node:fs/promises'
import type { Machine } from './fault.ts'

/** How long a process must have run for its memory to say something, in milliseconds. */
const SETTLED_AFTER_MS = 20_000
/** Shorter runs are all warming up: growth is shown but not judged. */
const JUDGED_FROM_MS = 10 * 60_000
const MOST_GROWTH = 0.05
const MORE_DESCRIPTORS = 2

export interface Sample {
  readonly atMs: number
  readonly host: string
  readonly pid: number
  readonly rssBytes: number
  readonly descriptors: number
}

export interface Growth {
  readonly host: string
  /** Medians, in bytes. */
  readonly thirdQuarterRss: number
  readonly lastQuarterRss: number
  readonly halfwayDescriptors: number
  readonly endDescriptors: number
  /** Share by which the resident set grew from the third to the last quarter. */
  readonly rssGrowth: number
  readonly isJudged: boolean
  readonly isTooMuch: boolean
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN

/** Resident memory and open descriptors of every agent, over the run. */
export class Samples {
  readonly #startedAtMs = performance.now()
  readonly #all: Sample[] = []
  /** Since when each process has been seen. */
  readonly #seenAtMs = new Map<number, number>()

  get all(): readonly Sample[] {
    return this.#all
  }

  /** Looks at every agent that runs, and has for a while. */
  async take(machines: readonly Machine[]): Promise<void> {
    for (const { host, isDown } of machines) {
      const { pid } = host.agent
      if (pid === undefined || isDown) continue
      const atMs = performance.now()
      const seenAtMs = this.#seenAtMs.get(pid) ?? atMs
      this.#seenAtMs.set(pid, seenAtMs)
      if (atMs - seenAtMs < SETTLED_AFTER_MS && atMs - this.#startedAtMs > SETTLED_AFTER_MS) continue
      const sample = await look(host.agent).catch(() => undefined) // it may have been ended meanwhile
      if (sample) this.#all.push({ atMs: atMs - this.#startedAtMs, host: host.name, pid, ...sample })
    }
  }
}

/** How one host's agent developed over the second half of a run. */
export function growthOf(host: string, samples: readonly Sample[]): Growth {
  const own = samples.filter((sample) => sample.host === host)
  const endMs = own.at(-1)?.atMs ?? 0
  const between = (from: number, to: number): Sample[] =>
    own.filter(({ atMs }) => atMs >= from * endMs && atMs <= to * endMs)
  const rss = (from: number, to: number): number => median(between(from, to).map(({ rssBytes }) => rssBytes))
  const open = (from: number, to: number): number => median(between(from, to).map(({ descriptors }) => descriptors))
  const [third, last] = [rss(0.5, 0.75), rss(0.75, 1)]
  const [halfway, end] = [open(0.45, 0.55), open(0.9, 1)]
  const rssGrowth = last / third - 1
  return {
    host,
    thirdQuarterRss: third,
    lastQuarterRss: last,
    halfwayDescriptors: halfway,
    endDescriptors: end,
    rssGrowth,
    isJudged: endMs >= JUDGED_FROM_MS,
    isTooMuch: rssGrowth > MOST_GROWTH || end > halfway + MORE_DESCRIPTORS,
  }
}

async function look(agent: Machine['host']['agent']): Promise<{ rssBytes: number; descriptors: number }> {
  const open = await readdir(`/proc/${agent.pid ?? 'none'}/fd`)
  return { rssBytes: await agent.residentBytes(), descriptors: open.length }
}
