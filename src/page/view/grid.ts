import { colour, el, say } from './dom.ts'

/** How one cell is drawn: never by its colour alone. */
export interface Paint {
  /** Names of colours in the style sheet; no fill: hollow. */
  readonly fill: string | undefined
  readonly line?: string | undefined
  readonly shape?: 'whole' | 'lower' | 'corner' | 'dot'
  readonly cross?: boolean
  /** Where there is room for it. */
  readonly text?: string | undefined
  readonly ink?: string
}

/** Cells in columns and rows, each with a number or none. */
export interface Cells {
  readonly columns: number
  readonly rows: number
  /** In CSS pixels. */
  readonly cellWidth: number
  readonly cellHeight: number
  readonly numberAt: (column: number, row: number) => number | undefined
  readonly placeOf: (cell: number) => readonly [column: number, row: number]
  /** The cells that are drawn: 0 to this. */
  readonly count: number
  readonly paint: (cell: number) => Paint
  /** What a cell is, in words. */
  readonly describe: (cell: number) => string
  /** Of all, in words, for those who do not see them. */
  readonly summary: string
}

/** From this size on a cell has a gap to its neighbours, in CSS pixels. */
const GAP_FROM = 5
const TEXT_FROM = 60

const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

/**
 * A picture of many cells that can be walked through: with the pointer, or with the arrow keys once it has the focus. A line below says what
 * the cell in question is.
 */
export class Grid {
  readonly root: HTMLElement
  readonly #canvas: HTMLCanvasElement
  readonly #cursor = el('div.cursor', { hidden: true })
  readonly #readout = el('p.readout', { 'aria-live': 'polite' })
  readonly #frame: HTMLElement
  readonly #layout: (width: number) => Cells | undefined
  readonly #onChoose: (cell: number) => void
  #cells: Cells | undefined
  #at: number | undefined
  #width = 0

  /** @param layout what there is to draw on this width; undefined for nothing */
  constructor(name: string, layout: (width: number) => Cells | undefined, onChoose: (cell: number) => void) {
    this.#layout = layout
    this.#onChoose = onChoose
    this.#canvas = document.createElement('canvas')
    this.#canvas.tabIndex = 0
    this.#canvas.setAttribute('role', 'application')
    this.#canvas.setAttribute('aria-roledescription', name)
    this.#frame = el('div.frame', {}, this.#canvas, this.#cursor)
    this.root = el('div.grid', {}, this.#frame, this.#readout)
    this.#listen()
    new ResizeObserver(() => {
      if (this.root.clientWidth !== this.#width) this.draw()
    }).observe(this.root)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.draw()
    })
  }

  draw(): void {
    const width = this.root.clientWidth
    this.#width = width
    if (width === 0) return
    this.#cells = this.#layout(width)
    const cells = this.#cells
    this.root.hidden = cells === undefined
    if (cells === undefined) return
    const [across, down] = [cells.columns * cells.cellWidth, cells.rows * cells.cellHeight]
    const context = this.#prepare(across, down)
    this.#canvas.setAttribute('aria-label', `${cells.summary} The arrow keys go from one to the next.`)
    const brush = new Brush(context, cells)
    for (let cell = 0; cell < cells.count; cell++) brush.draw(cell)
    this.#show(this.#at)
  }

  #prepare(width: number, height: number): CanvasRenderingContext2D {
    const context = this.#canvas.getContext('2d')
    if (context === null) throw new Error('this browser draws nothing')
    const ratio = Math.min(devicePixelRatio, 3)
    this.#canvas.width = Math.round(width * ratio)
    this.#canvas.height = Math.round(height * ratio)
    this.#canvas.style.width = `${width}px`
    this.#canvas.style.height = `${height}px`
    context.scale(ratio, ratio)
    return context
  }

  #listen(): void {
    const canvas = this.#canvas
    canvas.addEventListener('pointermove', (event) => {
      this.#show(this.#under(event))
    })
    canvas.addEventListener('pointerleave', () => {
      this.#show(undefined)
    })
    canvas.addEventListener('click', (event) => {
      const cell = this.#under(event)
      this.#show(cell)
      if (cell !== undefined) this.#onChoose(cell)
    })
    canvas.addEventListener('focus', () => {
      this.#show(this.#at ?? 0)
    })
    canvas.addEventListener('blur', () => {
      this.#show(undefined)
    })
    canvas.addEventListener('keydown', (event) => {
      if (this.#key(event.key)) event.preventDefault()
    })
  }

  /** @returns whether the key meant something */
  #key(key: string): boolean {
    const cells = this.#cells
    if (cells === undefined) return false
    const at = this.#at ?? 0
    const move = MOVES[key]
    if (move !== undefined) {
      const [column, row] = cells.placeOf(at)
      this.#show(cells.numberAt(column + move[0], row + move[1]) ?? at)
    } else if (key === 'Home') this.#show(0)
    else if (key === 'End') this.#show(cells.count - 1)
    else if (key === 'Enter') this.#onChoose(at)
    else return false
    return true
  }

  #under(event: MouseEvent): number | undefined {
    const cells = this.#cells
    if (cells === undefined) return undefined
    const [column, row] = [Math.floor(event.offsetX / cells.cellWidth), Math.floor(event.offsetY / cells.cellHeight)]
    return cells.numberAt(column, row)
  }

  #show(cell: number | undefined): void {
    const cells = this.#cells
    const isThere = cells !== undefined && cell !== undefined && cell < cells.count
    this.#at = isThere ? cell : undefined
    this.#cursor.hidden = !isThere
    say(this.#readout, isThere ? cells.describe(cell) : (cells?.summary ?? ''))
    if (!isThere) return
    const [column, row] = cells.placeOf(cell)
    const { style } = this.#cursor
    style.width = `${cells.cellWidth}px`
    style.height = `${cells.cellHeight}px`
    style.transform = `translate(${column * cells.cellWidth}px, ${row * cells.cellHeight}px)`
  }
}

/** Draws cells in the colours of the style sheet. */
class Brush {
  readonly #context: CanvasRenderingContext2D
  readonly #cells: Cells
  readonly #colours = new Map<string, string>()
  readonly #gap: number

  constructor(context: CanvasRenderingContext2D, cells: Cells) {
    this.#context = context
    this.#cells = cells
    this.#gap = Math.min(cells.cellWidth, cells.cellHeight) >= GAP_FROM ? 1 : 0
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`
    context.textBaseline = 'middle'
  }

  draw(cell: number): void {
    const context = this.#context
    const { cellWidth, cellHeight, placeOf, paint } = this.#cells
    const { fill, line, shape = 'whole', cross = false, text, ink = '--ink' } = paint(cell)
    const [column, row] = placeOf(cell)
    const [x, y] = [column * cellWidth, row * cellHeight]
    const [width, height] = [cellWidth - this.#gap, cellHeight - this.#gap]
    if (fill !== undefined) {
      context.fillStyle = this.#colour(fill)
      fillShape(context, shape, x, y, width, height)
    }
    if (line !== undefined) {
      context.strokeStyle = this.#colour(line)
      context.lineWidth = 1
      context.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1)
    }
    if (cross) this.#cross(x, y, width, height)
    if (text !== undefined && cellWidth >= TEXT_FROM) this.#text(text, ink, x, y, width, height)
  }

  #cross(x: number, y: number, width: number, height: number): void {
    const context = this.#context
    const size = Math.min(width, height)
    const inset = size / 4
    const left = x + width - size + inset
    context.strokeStyle = this.#colour('--on-mark')
    context.lineWidth = Math.max(1, Math.min(2, size / 8))
    context.beginPath()
    context.moveTo(left, y + inset)
    context.lineTo(x + width - inset, y + height - inset)
    context.moveTo(x + width - inset, y + inset)
    context.lineTo(left, y + height - inset)
    context.stroke()
  }

  #text(text: string, ink: string, x: number, y: number, width: number, height: number): void {
    const context = this.#context
    context.save()
    context.beginPath()
    context.rect(x, y, width - height * 0.6, height)
    context.clip()
    context.fillStyle = this.#colour(ink)
    context.fillText(text, x + 6, y + height / 2)
    context.restore()
  }

  #colour(name: string): string {
    let known = this.#colours.get(name)
    if (known === undefined) this.#colours.set(name, (known = colour(name)))
    return known
  }
}

function fillShape(
  context: CanvasRenderingContext2D,
  shape: NonNullable<Paint['shape']>,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  if (shape === 'whole') context.fillRect(x, y, width, height)
  else if (shape === 'lower') context.fillRect(x, y + height / 2, width, height / 2)
  else if (shape === 'dot') context.fillRect(x + width / 3, y + height / 3, width / 3, height / 3)
  else {
    context.beginPath()
    context.moveTo(x, y)
    context.lineTo(x + width, y + height)
    context.lineTo(x, y + height)
    context.fill()
  }
}
