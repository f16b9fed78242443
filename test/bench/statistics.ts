/** Several measurements of one thing. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
  /** How many there were. */
  readonly runs: number
}

const ascending = (values: readonly number[]): readonly number[] => [...values].sort((a, b) => a - b)

/** The value below which this share of all lie, by the nearest rank; NaN of none. @param share from 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = ascending(values)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

/** The one in the middle, or halfway between the two there; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values)
  const [below, above] = [sorted[(sorted.length - 1) >> 1] ?? NaN, sorted[sorted.length >> 1] ?? NaN]
  return (below + above) / 2
}

export const spreadOf = (values: readonly number[]): Spread => ({
  median: median(values),
  low: Math.min(...values),
  high: Math.max(...values),
  runs: values.length,
})
