import type { Figure, Missing } from '../figure.ts'

/** Values of one thing by number of peers. */
export type Points = ReadonlyMap<number, number>

/** What is drawn in one panel. */
export interface Panel {
  readonly title: string
  readonly unit: string
  readonly series: readonly { readonly name: string; readonly points: Points; readonly isBound?: true }[]
}

/** Of flanneld 0.28 and of our 0.1.0, whole processes on one machine with two processors, by number of peers. */
const MEASURED_BEFORE = {
  wall: { upstream: [0.155, 0.8, 7.8, 215], first: [0.39, 0.65, 1.6, 6.35] },
  processor: { upstream: [0.04, 0.49, 5.1, 198], first: [0.38, 0.75, 2, 6.6] },
  memory: { upstream: [7, 11, 20, 59], first: [30, 61, 147, 470] },
} as const
const SIZES = [1, 1_000, 10_000, 60_000] as const

const before = (values: readonly number[]): Points => new Map(SIZES.map((size, at) => [size, values[at] ?? NaN]))

/** The panels of the plot, out of the figures of a run. */
export function panelsOf(figures: readonly (Figure | Missing)[]): readonly Panel[] {
  const measured = figures.filter((figure): figure is Figure => 'value' in figure)
  const panel = (
    title: string,
    unit: string,
    what: string,
    { upstream, first }: { readonly upstream: readonly number[]; readonly first: readonly number[] },
  ): Panel => {
    const ours = measured.filter((figure) => figure.what === what)
    const points = (pick: (figure: Figure) => number | undefined): Points =>
      new Map(ours.flatMap((figure) => pairOf(figure.peers, pick(figure))))
    return {
      title,
      unit,
      series: [
        { name: 'this version', points: points(({ value }) => value.median) },
        { name: 'to keep to', points: points(limitOf), isBound: true },
        { name: '0.1.0', points: before(first) },
        { name: 'flanneld 0.28', points: before(upstream) },
      ],
    }
  }
  return [
    panel('Start until all are programmed', 's', START, MEASURED_BEFORE.wall),
    panel('Processor time of it', 's', PROCESSOR, MEASURED_BEFORE.processor),
    panel('Anonymous memory at rest', 'MB', MEMORY, MEASURED_BEFORE.memory),
  ]
}

const START = 'start until all are programmed and subnet.env stands'
const PROCESSOR = 'processor time of that start'
const MEMORY = 'anonymous memory of dist/flanneld'

const pairOf = (peers: number | undefined, value: number | undefined): readonly (readonly [number, number])[] =>
  peers === undefined || value === undefined ? [] : [[peers, value]]

/** What the value itself has to keep to. */
function limitOf({ bound, reference }: Figure): number | undefined {
  if (bound?.most === undefined) return undefined
  return bound.of === 'difference' ? bound.most + (reference?.value.median ?? NaN) : bound.most
}
