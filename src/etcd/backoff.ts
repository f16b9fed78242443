import type { Random } from '../net/clock.ts'

const FIRST_MS = 100
const LONGEST_MS = 5_000

/** Pause before attempt number `failures` + 1: doubling, and between half and all of it so that a thousand agents do not come at once. */
export function backoffMs(failures: number, random: Random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** failures)
  return (ceiling * (1 + random())) / 2
}
