import type { HistogramReading } from '../counts/histogram.ts'

export type Labels = Readonly<Record<string, string>>

/** One series of a metric now. What is not known, or not there, is left out of the answer: null or undefined. */
export interface Sample {
  readonly labels?: Labels
  readonly value: number | null | undefined
}

export interface HistogramSample {
  readonly labels?: Labels
  readonly histogram: HistogramReading | undefined
}

interface Named {
  /** By Prometheus' conventions: the unit, in base units, behind the name, `_total` behind counters. */
  readonly name: string
  readonly help: string
  /** Names of labels; the values of each are few, whoever writes leases. */
  readonly labels: readonly string[]
}

/** One with a value for each series. */
export type PlainDefinition<R> = Named & {
  readonly type: 'gauge' | 'counter'
  readonly read: (readings: R) => Iterable<Sample>
}

/** A metric: what it is called, and how it is read from what the agent knows. */
export type Definition<R> =
  | PlainDefinition<R>
  | (Named & { readonly type: 'histogram'; readonly read: (readings: R) => Iterable<HistogramSample> })

/** The series of something that is in exactly one of a few states: 1 for the one that it is in. */
export const oneOf = (label: string, states: readonly string[], state: string): readonly Sample[] =>
  states.map((one) => ({ labels: { [label]: one }, value: one === state ? 1 : 0 }))

export const asNumber = (is: boolean | null | undefined): number | undefined =>
  is === null || is === undefined ? undefined : Number(is)
