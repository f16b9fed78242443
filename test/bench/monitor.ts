import type { Place } from '../lab/namespace.ts'
import { LineProgram } from './line-program.ts'

/** A burst of changes, as `monitor.c` tells of it. */
export interface Burst {
  /** When the last change was read, on the monotonic clock. */
  readonly endNs: bigint
  readonly changes: number
  readonly overflows: number
}

export function burstOf(line: string): Burst {
  const [endNs = '0', changes = '0', overflows = '0'] = line.split(' ')
  return { endNs: BigInt(endNs), changes: Number(changes), overflows: Number(overflows) }
}

/** Starts `monitor.c` in a namespace. @param isQuiet it tells of bursts in place of single changes */
export const startMonitor = (place: Place, program: string, isQuiet = false): Promise<LineProgram> =>
  LineProgram.start(place.line(program, isQuiet ? ['quiet'] : []))

/** Calls with every change that adds or replaces something: what, and when it was read on the monotonic clock. */
export function hearAdditions(monitor: LineProgram, saw: (what: string, atNs: bigint) => void): void {
  monitor.hear((line) => {
    const [, atNs, what] = /^(\d+) \+ (.*)$/.exec(line) ?? []
    if (atNs !== undefined && what !== undefined) saw(what, BigInt(atNs))
  })
}

/** Bursts from now on, one by one, until `isLast` says that one was. */
export async function lastBurst(monitor: LineProgram, isLast: (burst: Burst) => Promise<boolean>): Promise<Burst> {
  for (;;) {
    const burst = await new Promise<Burst>((resolve) => {
      monitor.hear((line) => {
        resolve(burstOf(line))
      })
    })
    if (await isLast(burst)) return burst
  }
}
