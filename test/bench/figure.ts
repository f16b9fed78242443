import { spreadOf, type Spread } from './statistics.ts'

/** What a figure must keep to, in its own unit; `of` says what is held against it. */
export interface Bound {
  readonly of: 'value' | 'ratio' | 'difference'
  readonly most?: number
  readonly least?: number
}

export type Verdict = 'met' | 'MISSED' | 'without a bound' | 'not measured'

/** One figure of the bench: what was measured, beside what, and whether it is what was promised. */
export interface Figure {
  /** Name of the row that it belongs to, as `--only` takes it. */
  readonly row: string
  readonly what: string
  /** How many peers there were; undefined where it is no matter of peers. */
  readonly peers?: number
  readonly unit: string
  readonly value: Spread
  /** What was measured in turn with it in the same run. */
  readonly reference?: { readonly name: string; readonly value: Spread }
  /** Ours to the reference's, run by run. */
  readonly ratio?: Spread
  /** Ours less the reference's, run by run, in the figure's unit. */
  readonly difference?: Spread
  readonly bound?: Bound
  readonly verdict: Verdict
  readonly note?: string
}

/** A figure that this machine, or this way of calling the bench, does not give. */
export interface Missing {
  readonly row: string
  readonly what: string
  readonly peers?: number
  readonly verdict: 'not measured'
  readonly note: string
}

interface Measured {
  readonly row: string
  readonly what: string
  readonly peers?: number
  readonly unit: string
  /** Of each run. */
  readonly values: readonly number[]
  /** Of the same runs, in the same order. */
  readonly reference?: { readonly name: string; readonly values: readonly number[] }
  readonly bound?: Bound
  readonly note?: string
}

const isWithin = (value: number, { most = Infinity, least = -Infinity }: Bound): boolean =>
  value <= most && value >= least

const pairwise = (
  ours: readonly number[],
  theirs: readonly number[],
  compare: (our: number, their: number) => number,
): Spread => spreadOf(ours.map((value, at) => compare(value, theirs[at] ?? NaN)))

const verdictOn = (judged: Spread | undefined, bound: Bound): Verdict =>
  judged !== undefined && isWithin(judged.median, bound) ? 'met' : 'MISSED'

/** What several runs say together. @throws {Error} when nothing was measured, or something that is no number */
export function figureOf({ values, reference, bound, ...told }: Measured): Figure {
  if (values.length === 0 || [...values, ...(reference?.values ?? [])].some((value) => !Number.isFinite(value)))
    throw new Error(`no figure of ${told.row}, ${told.what}: ${[...values, ...(reference?.values ?? [])].join(' ')}`)
  const compared = {
    value: spreadOf(values),
    ...(reference && {
      ratio: pairwise(values, reference.values, (our, their) => our / their),
      difference: pairwise(values, reference.values, (our, their) => our - their),
    }),
  }
  return {
    ...told,
    ...compared,
    ...(reference && { reference: { name: reference.name, value: spreadOf(reference.values) } }),
    ...(bound && { bound }),
    verdict: bound ? verdictOn(compared[bound.of], bound) : 'without a bound',
  }
}

export const missing = (row: string, what: string, note: string, peers?: number): Missing => ({
  row,
  what,
  ...(peers !== undefined && { peers }),
  verdict: 'not measured',
  note,
})
