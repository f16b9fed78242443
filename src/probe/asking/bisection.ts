/** A size is said not to pass when so many questions of it, one after the other, were not answered. */
const TRIES = 3

/** The search for the largest packet that passes, in octets. Immutable. */
export interface Bisection {
  readonly full: number
  /** The largest that has passed, and the smallest that has not. */
  readonly passes: number
  readonly fails: number
  /** What is asked now, and how often it was in vain. */
  readonly asking: number
  readonly misses: number
}

/** Begins with the full size itself: it may have been loss that it seemed not to pass. */
export const beginBisection = (passes: number, full: number): Bisection => ({
  full,
  passes,
  fails: full + 1,
  asking: full,
  misses: 0,
})

export const isDone = ({ passes, fails }: Bisection): boolean => fails - passes <= 1

export const onPassed = (search: Bisection): Bisection => narrowed(search, search.asking, search.fails)

/** @param hint what a router says does pass, in octets */
export function onMissed(search: Bisection, hint?: number): Bisection {
  const misses = search.misses + 1
  if (misses < TRIES && hint === undefined) return { ...search, misses }
  const next = narrowed(search, search.passes, search.asking)
  const isOfUse = hint !== undefined && hint > next.passes && hint < next.fails
  return isOfUse ? { ...next, asking: hint } : next
}

const narrowed = ({ full }: Bisection, passes: number, fails: number): Bisection => ({
  full,
  passes,
  fails,
  asking: Math.floor((passes + fails) / 2),
  misses: 0,
})
