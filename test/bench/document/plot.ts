import { shortNumber } from '../report.ts'
import type { Panel, Points } from './series.ts'

/** Of a panel without its labels, in pixels. */
const [WIDTH, HEIGHT] = [250, 220]
const [LEFT, TOP, GAP, BELOW] = [60, 50, 70, 80]
const COLOURS = ['#0969da', '#0969da', '#9a6700', '#cf222e'] as const

/** A scale of powers of ten: where a value lies, from 0 to 1. */
class LogScale {
  readonly #from: number
  readonly #to: number

  constructor(values: readonly number[]) {
    this.#from = Math.floor(Math.log10(Math.min(...values)))
    this.#to = Math.max(this.#from + 1, Math.ceil(Math.log10(Math.max(...values))))
  }

  at(value: number): number {
    return (Math.log10(value) - this.#from) / (this.#to - this.#from)
  }

  get ticks(): readonly number[] {
    return Array.from({ length: this.#to - this.#from + 1 }, (_, at) => 10 ** (this.#from + at))
  }
}

const tickText = (value: number): string => (value >= 1_000 ? `${value / 1_000}k` : shortNumber(value))

const text = (x: number, y: number, content: string, anchor = 'middle'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content}</text>`

/** One panel at a place: axes, lines, points. */
function panelText({ title, unit, series }: Panel, left: number): readonly string[] {
  const all = series.flatMap(({ points }) => [...points])
  const [across, up] = [new LogScale(all.map(([peers]) => peers)), new LogScale(all.map(([, value]) => value))]
  const x = (peers: number): number => left + across.at(peers) * WIDTH
  const y = (value: number): number => TOP + (1 - up.at(value)) * HEIGHT
  const line = (points: Points): string =>
    [...points]
      .sort(([a], [b]) => a - b)
      .map(([peers, value]) => `${x(peers).toFixed(1)},${y(value).toFixed(1)}`)
      .join(' ')
  return [
    `<g><text class="title" x="${left + WIDTH / 2}" y="${TOP - 14}" text-anchor="middle">${title}, ${unit}</text>`,
    ...up.ticks.flatMap((tick) => [
      `<line class="grid" x1="${left}" x2="${left + WIDTH}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>`,
      text(left - 6, y(tick) + 4, tickText(tick), 'end'),
    ]),
    ...across.ticks.flatMap((tick) => [
      `<line class="grid" x1="${x(tick).toFixed(1)}" x2="${x(tick).toFixed(1)}" y1="${TOP}" y2="${TOP + HEIGHT}"/>`,
      text(x(tick), TOP + HEIGHT + 16, tickText(tick)),
    ]),
    text(left + WIDTH / 2, TOP + HEIGHT + 34, 'peers'),
    ...series.flatMap(({ points, isBound }, at) => seriesText(points, line(points), x, y, at, isBound === true)),
    '</g>',
  ]
}

function seriesText(
  points: Points,
  line: string,
  x: (peers: number) => number,
  y: (value: number) => number,
  at: number,
  isBound: boolean,
): readonly string[] {
  const colour = COLOURS[at] ?? '#000'
  const dashes = isBound ? ' stroke-dasharray="3 4"' : ''
  const lines = [`<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`]
  if (isBound) return lines
  const marks = [...points].map(
    ([peers, value]) =>
      `<circle cx="${x(peers).toFixed(1)}" cy="${y(value).toFixed(1)}" r="3.5" fill="${colour}"><title>${shortNumber(value)}</title></circle>`,
  )
  return [...lines, ...marks]
}

function legend(panels: readonly Panel[]): readonly string[] {
  const y = TOP + HEIGHT + 62
  return (panels[0]?.series ?? []).flatMap(({ name, isBound }, at) => {
    const x = LEFT + at * 160
    const dashes = isBound === true ? ' stroke-dasharray="3 4"' : ''
    const colour = COLOURS[at] ?? '#000'
    return [
      `<line x1="${x}" x2="${x + 26}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"${dashes}/>`,
      text(x + 32, y + 4, name, 'start'),
    ]
  })
}

const STYLE =
  'text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.grid{stroke:#d0d7de;stroke-width:1}'

/** A picture of all panels beside each other, both axes in powers of ten. */
export function plotOf(panels: readonly Panel[]): string {
  const width = LEFT + panels.length * (WIDTH + GAP) - GAP + 30
  const height = TOP + HEIGHT + BELOW
  const label = panels.map(({ title }) => title).join(', ')
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}, by number of peers">`,
    `<style>${STYLE}</style>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...panels.flatMap((panel, at) => panelText(panel, LEFT + at * (WIDTH + GAP))),
    ...legend(panels),
    '</svg>',
  ].join('\n')}\n`
}
