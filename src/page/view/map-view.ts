import type { NetworkStatus } from '../../status/document.ts'
import { indexAt, pointAt, rectangleOf } from '../model/hilbert.ts'
import {
  cellText,
  freeRanges,
  holdersIn,
  spaceOf,
  USES,
  type Claims,
  type Holder,
  type Space,
  type Use,
} from '../model/space.ts'
import { count, number, REACH_WORDS } from '../model/words.ts'
import { el, fill } from './dom.ts'
import { Grid, type Cells, type Paint } from './grid.ts'

const USE_PAINTS: Readonly<Record<Use, Paint>> = {
  ours: { fill: '--ours' },
  rejected: { fill: '--bad', shape: 'corner', line: '--bad' },
  reserved: { fill: '--leased', shape: 'lower', line: '--leased' },
  leased: { fill: '--leased' },
  free: { fill: undefined, line: '--line' },
  outside: { fill: '--outside', shape: 'dot' },
}

const USE_WORDS: Readonly<Record<Use, string>> = {
  ours: 'ours',
  rejected: 'rejected',
  reserved: 'reserved',
  leased: 'leased',
  free: 'free',
  outside: 'not handed out',
}

/** A cell is this large at least, in CSS pixels. */
const LEAST_CELL = 4
const MOST_CELL = 26
const MOST_BITS = 14
const LEAST_BITS = 4
const MOST_RANGES = 8
const MOST_NAMED = 6

/** The address space of one family as a map on which subnets that follow each other stand side by side. */
export class MapView {
  readonly root: HTMLElement
  readonly #title = el('h3')
  readonly #legend = el('ul.legend')
  readonly #ranges = el('ul')
  readonly #grid: Grid
  readonly #network: NetworkStatus
  #holders: readonly Holder[] = []
  #space: Space | undefined

  constructor(network: NetworkStatus, onChoose: (subnet: string) => void) {
    this.#network = network
    this.#grid = new Grid(
      'map of the address space',
      (width) => this.#layout(width),
      (cell) => {
        const [holder] = this.#space?.holders.get(cell) ?? []
        if (holder !== undefined) onChoose(holder.subnet)
      },
    )
    const inWords = el('details', {}, el('summary', {}, 'Largest free ranges'), this.#ranges)
    this.root = el('div.map', {}, this.#title, this.#legend, this.#grid.root, inWords)
  }

  show(claims: Claims): void {
    this.#holders = holdersIn(this.#network, claims)
    this.#grid.draw()
  }

  #layout(width: number): Cells | undefined {
    const mostBits = Math.min(MOST_BITS, Math.max(LEAST_BITS, 2 * Math.floor(Math.log2(width / LEAST_CELL))))
    const space = spaceOf(this.#network, this.#holders, mostBits)
    this.#space = space
    if (space === undefined) return undefined
    this.#showWords(space)
    const { bits } = space
    const { width: columns, height: rows } = rectangleOf(bits)
    const size = Math.min(MOST_CELL, Math.max(LEAST_CELL, Math.floor(width / columns)))
    return {
      ...{ columns, rows, cellWidth: size, cellHeight: size, count: 2 ** bits },
      numberAt: (x, y) => (x < 0 || y < 0 || x >= columns || y >= rows ? undefined : indexAt(bits, { x, y })),
      placeOf: (cell) => {
        const { x, y } = pointAt(bits, cell)
        return [x, y]
      },
      paint: (cell) => paintOf(space, cell, size),
      describe: (cell) => describe(space, cell),
      summary: summaryOf(space),
    }
  }

  #showWords(space: Space): void {
    const { network, subnetLength, subnetsPerCell, counts, free } = space
    const per = subnetsPerCell === 1n ? '' : `, ${number(subnetsPerCell)} in each cell`
    fill(this.#title, `${network.text} `, el('small', {}, `in subnets of /${subnetLength}${per}`))
    const many: Readonly<Record<Use, number | bigint | undefined>> = { ...counts, free, outside: undefined }
    const shown = USES.filter((use) => (use === 'outside' ? space.uses.includes(USES.indexOf(use)) : many[use] !== 0))
    fill(
      this.#legend,
      ...shown.map((use) =>
        el(
          'li',
          {},
          el(`span.swatch.use-${use}`, { 'aria-hidden': 'true' }),
          `${USE_WORDS[use]} ${numberOf(many[use])}`,
        ),
      ),
      el('li', {}, el('span.swatch.use-trouble', { 'aria-hidden': 'true' }), 'broken path'),
    )
    const ranges = freeRanges(space).slice(0, MOST_RANGES)
    fill(
      this.#ranges,
      ...ranges.map(({ first, cells }) =>
        el('li', {}, `from ${cellText(space, first)} on: ${count(BigInt(cells) * subnetsPerCell, 'subnet')}`),
      ),
    )
  }
}

const numberOf = (many: number | bigint | undefined): string => (many === undefined ? '' : number(many))

const isTrouble = ({ reach }: Holder): boolean => reach === 'unreachable' || reach === 'mtu' || reach === 'lossy'

/** Smaller cells have no lines around what is free, which would be all that one sees. */
const LINES_FROM = 7

function paintOf({ uses, holders }: Space, cell: number, size: number): Paint {
  if (holders.get(cell)?.some(isTrouble) === true) return { fill: '--bad', cross: true }
  const use = USES[uses[cell] ?? 0] ?? 'free'
  return use === 'free' && size < LINES_FROM ? { fill: undefined } : USE_PAINTS[use]
}

function describe(space: Space, cell: number): string {
  const held = space.holders.get(cell) ?? []
  const where = cellText(space, cell)
  if (held.length === 0) return `${where}: ${USE_WORDS[USES[space.uses[cell] ?? 0] ?? 'free']}`
  const named = held.slice(0, MOST_NAMED).map((holder) => holderText(holder, held.length > 1))
  const more = held.length > MOST_NAMED ? [`and ${number(held.length - MOST_NAMED)} more`] : []
  return `${where}: ${[...named, ...more].join('; ')}`
}

function holderText({ use, subnet, name, reach, reason }: Holder, isOneOfSeveral: boolean): string {
  const which = isOneOfSeveral ? `${subnet} ` : ''
  const how = [reach && REACH_WORDS[reach], reason].filter((part) => part !== undefined)
  return `${which}${USE_WORDS[use]}, ${name}${how.length > 0 ? ` (${how.join(', ')})` : ''}`
}

function summaryOf({ network, counts, free, handedOut }: Space): string {
  const { leased, reserved, rejected } = counts
  const parts = [
    `${number(leased)} leased by others`,
    ...(reserved > 0 ? [`${number(reserved)} reserved`] : []),
    ...(rejected > 0 ? [`${number(rejected)} rejected`] : []),
    `${number(free)} of ${count(handedOut, 'subnet')} free`,
  ]
  return `Map of ${network.text}: ${parts.join(', ')}.`
}
