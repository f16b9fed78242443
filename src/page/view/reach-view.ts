import { REACHES, type Reach } from '../../probe/reach.ts'
import type { PeerStatus } from '../../status/document.ts'
import { count, milliseconds, number, REACH_WORDS } from '../model/words.ts'
import { el, fill } from './dom.ts'
import { Grid, type Cells, type Paint } from './grid.ts'

/** One shape and one colour for each. */
export const REACH_PAINTS: Readonly<Record<Reach, Paint>> = {
  reachable: { fill: '--reached', ink: '--on-reached' },
  lossy: { fill: '--warn', shape: 'corner', line: '--warn' },
  mtu: { fill: '--bad', shape: 'lower', line: '--bad' },
  unreachable: { fill: '--bad', cross: true, ink: '--on-mark' },
  unknown: { fill: undefined, line: '--unknown' },
}

/** What one node says of its peers. */
export interface NodeView {
  readonly name: string
  readonly peers: readonly PeerStatus[]
}

/** Up to this many, each peer has its name in its cell. */
const MOST_NAMED = 48
const NAMED_WIDTH = 150
const NAMED_HEIGHT = 30
const LABEL_WIDTH = 110

const sizeFor = (peers: number): number => {
  if (peers <= 400) return 18
  return peers <= 1_500 ? 12 : 8
}

/**
 * Who reaches whom. Of one node: a cell for each of its peers, in the order of their subnets. Of several: a row for each node that is asked, and
 * a column for each subnet.
 */
export class ReachView {
  readonly #grid: Grid
  readonly #legend = el('ul.legend')
  readonly #labels = el('div.labels', { 'aria-hidden': 'true' })
  readonly #onChoose: (peer: PeerStatus) => void
  #views: readonly NodeView[] = []
  #cells: readonly (readonly (PeerStatus | undefined)[])[] = []

  constructor(into: HTMLElement, onChoose: (peer: PeerStatus) => void) {
    this.#onChoose = onChoose
    this.#grid = new Grid(
      'matrix of reachability',
      (width) => this.#layout(width),
      (cell) => {
        const peer = this.#peerOf(cell)
        if (peer !== undefined) this.#onChoose(peer)
      },
    )
    into.append(this.#legend, el('div.matrix', {}, this.#labels, this.#grid.root))
  }

  show(views: readonly NodeView[]): void {
    this.#views = views
    const subnets = [...new Set(views.flatMap(({ peers }) => peers.map(({ subnet }) => subnet)))]
    const columns = new Map(subnets.map((subnet, at) => [subnet, at]))
    this.#cells = views.map(({ peers }) => {
      const row: (PeerStatus | undefined)[] = subnets.map(() => undefined)
      for (const peer of peers) row[columns.get(peer.subnet) ?? 0] = peer
      return row
    })
    this.#showLegend()
    this.#showLabels()
    this.#grid.draw()
  }

  get #isMatrix(): boolean {
    return this.#views.length > 1
  }

  #peerOf(cell: number): PeerStatus | undefined {
    const columns = this.#cells[0]?.length ?? 0
    return this.#cells[Math.floor(cell / columns)]?.[cell % columns]
  }

  #layout(width: number): Cells | undefined {
    const all = this.#cells[0]?.length ?? 0
    if (all === 0) return undefined
    return this.#isMatrix ? this.#matrix(all, width) : this.#list(all, width)
  }

  #matrix(all: number, width: number): Cells {
    const cellWidth = Math.max(3, Math.min(28, Math.floor(width / all)))
    const placeOf = (cell: number): readonly [number, number] => [cell % all, Math.floor(cell / all)]
    return {
      ...{
        columns: all,
        rows: this.#views.length,
        cellWidth,
        cellHeight: 22,
        count: all * this.#views.length,
        placeOf,
      },
      numberAt: (column, row) =>
        column < 0 || row < 0 || column >= all || row >= this.#views.length ? undefined : row * all + column,
      ...this.#words(false),
    }
  }

  #list(all: number, width: number): Cells {
    const isNamed = all <= MOST_NAMED
    const size = sizeFor(all)
    const columns = Math.max(1, Math.min(all, Math.floor(width / (isNamed ? NAMED_WIDTH : size))))
    const cellWidth = isNamed ? Math.floor(Math.min(width / columns, NAMED_WIDTH * 1.6)) : size
    const numberAt = (column: number, row: number): number | undefined => {
      const cell = row * columns + column
      return column < 0 || row < 0 || column >= columns || cell >= all ? undefined : cell
    }
    return {
      ...{ columns, rows: Math.ceil(all / columns), cellWidth, cellHeight: isNamed ? NAMED_HEIGHT : size, numberAt },
      placeOf: (cell) => [cell % columns, Math.floor(cell / columns)],
      count: all,
      ...this.#words(isNamed),
    }
  }

  #words(isNamed: boolean): Pick<Cells, 'paint' | 'describe' | 'summary'> {
    return {
      paint: (cell) => {
        const peer = this.#peerOf(cell)
        if (peer === undefined) return { fill: '--line', shape: 'dot' }
        return { ...REACH_PAINTS[peer.reach], text: isNamed ? peer.name : undefined }
      },
      describe: (cell) => this.#describe(cell),
      summary: this.#summary(),
    }
  }

  #describe(cell: number): string {
    const peer = this.#peerOf(cell)
    const columns = this.#cells[0]?.length ?? 1
    const from = this.#views[Math.floor(cell / columns)]?.name ?? ''
    if (peer === undefined) return `${from}: itself, or nothing known`
    const path = this.#isMatrix ? `${from} → ${peer.name}` : peer.name
    const rtt = peer.rttMs === null ? '' : `, ${milliseconds(peer.rttMs)}`
    return `${path}, ${peer.subnet} at ${peer.publicIp}: ${REACH_WORDS[peer.reach]}${rtt}`
  }

  #summary(): string {
    const paths = this.#views.reduce((sum, { peers }) => sum + peers.length, 0)
    const parts = this.#counted().map(([reach, many]) => `${number(many)} ${REACH_WORDS[reach]}`)
    return `${count(paths, this.#isMatrix ? 'path' : 'peer')}: ${parts.join(', ') || 'none yet'}.`
  }

  #counted(): readonly (readonly [Reach, number])[] {
    const all = this.#views.flatMap(({ peers }) => peers)
    return REACHES.map((word) => [word, all.filter(({ reach }) => reach === word).length] as const).filter(
      ([, many]) => many > 0,
    )
  }

  #showLegend(): void {
    const items = this.#counted().map(([reach, many]) =>
      el(
        'li',
        {},
        el(`span.swatch.reach-${reach}`, { 'aria-hidden': 'true' }),
        `${REACH_WORDS[reach]} ${number(many)}`,
      ),
    )
    fill(this.#legend, ...items)
  }

  #showLabels(): void {
    this.#labels.hidden = !this.#isMatrix
    this.#labels.style.width = `${LABEL_WIDTH}px`
    fill(this.#labels, ...(this.#isMatrix ? this.#views.map(({ name }) => el('span', {}, name)) : []))
  }
}
