import { count, number } from '../model/words.ts'
import { el, fill, say } from './dom.ts'

export interface Column<Row> {
  readonly title: string
  /** What is sorted by, and searched in. */
  readonly value: (row: Row) => string | number
  /** What is shown, where it is not that. */
  readonly show?: (row: Row) => HTMLElement | string
  readonly isNumber?: boolean
}

export interface TableOptions<Row> {
  readonly caption: string
  /** One row, in a word. */
  readonly what: string
  readonly columns: readonly Column<Row>[]
  readonly keyOf: (row: Row) => string
  /** What is shown below a row that is opened; rows cannot be opened without. */
  readonly details?: (row: Row) => HTMLElement
  /** Index of the column that is sorted by at first. */
  readonly sortBy?: number
}

const ROWS_PER_PAGE = 50

/** A table of any number of rows, of which a page is in the document: sorted by any column, narrowed by words. */
export class Table<Row> {
  readonly root: HTMLElement
  readonly #options: TableOptions<Row>
  readonly #head = el('tr')
  readonly #body = el('tbody')
  readonly #found = el('p.found', { role: 'status' })
  readonly #pager = el('div.pager')
  readonly #input: HTMLInputElement
  #rows: readonly Row[] = []
  #sortBy: number
  #isReversed = false
  #page = 0
  #open: string | undefined

  constructor(options: TableOptions<Row>) {
    this.#options = options
    this.#sortBy = options.sortBy ?? 0
    this.#input = document.createElement('input')
    this.#input.type = 'search'
    this.#input.autocomplete = 'off'
    this.#input.placeholder = 'name, address, state …'
    this.#input.addEventListener('input', () => {
      this.#page = 0
      this.#draw()
    })
    const filter = el('label.filter', {}, `Only ${options.what}s with `, this.#input)
    const table = el('table', {}, el('caption', {}, options.caption), el('thead', {}, this.#head), this.#body)
    this.root = el(
      'div.table',
      {},
      el('div.tools', {}, filter, this.#found, this.#pager),
      el('div.scroll', { tabindex: 0, role: 'region', 'aria-label': options.caption }, table),
    )
    this.#drawHead()
  }

  show(rows: readonly Row[]): void {
    this.#rows = rows
    this.root.hidden = rows.length === 0
    this.#draw()
  }

  /** Opens the row with this key, and goes to it. */
  open(key: string): void {
    this.#open = key
    this.#input.value = ''
    const at = this.#shown().findIndex((row) => this.#options.keyOf(row) === key)
    if (at < 0) return
    this.#page = Math.floor(at / ROWS_PER_PAGE)
    this.#draw()
    const row = this.#body.querySelector<HTMLElement>('tr[aria-current]')
    row?.scrollIntoView({ block: 'nearest' })
    row?.querySelector('button')?.focus({ preventScroll: true })
  }

  #drawHead(): void {
    const cells = this.#options.columns.map(({ title, isNumber = false }, at) => {
      const isSorted = at === this.#sortBy
      const sort = isSorted ? (this.#isReversed ? 'descending' : 'ascending') : undefined
      const arrow = isSorted ? (this.#isReversed ? ' ▼' : ' ▲') : ''
      const button = el(
        'button',
        { type: 'button', 'data-key': title },
        title,
        el('span', { 'aria-hidden': 'true' }, arrow),
      )
      button.addEventListener('click', () => {
        this.#isReversed = isSorted && !this.#isReversed
        this.#sortBy = at
        this.#drawHead()
        this.#head.querySelectorAll('button')[at]?.focus()
        this.#draw()
      })
      return el(isNumber ? 'th.number' : 'th', { scope: 'col', 'aria-sort': sort }, button)
    })
    this.#head.replaceChildren(...cells)
  }

  /** Those that are looked for, in order. */
  #shown(): readonly Row[] {
    const { columns } = this.#options
    const words = this.#input.value.toLowerCase().split(/\s+/).filter(Boolean)
    const textOf = (row: Row): string =>
      columns
        .map(({ value }) => value(row))
        .join('\n')
        .toLowerCase()
    const wanted =
      words.length === 0
        ? [...this.#rows]
        : this.#rows.filter((row) => {
            const text = textOf(row)
            return words.every((word) => text.includes(word))
          })
    const value = columns[this.#sortBy]?.value
    if (value === undefined) return wanted
    const sign = this.#isReversed ? -1 : 1
    return wanted.sort((a, b) => sign * compare(value(a), value(b)))
  }

  #draw(): void {
    const shown = this.#shown()
    const pages = Math.max(1, Math.ceil(shown.length / ROWS_PER_PAGE))
    this.#page = Math.min(this.#page, pages - 1)
    const first = this.#page * ROWS_PER_PAGE
    const rows = shown.slice(first, first + ROWS_PER_PAGE)
    fill(this.#body, ...rows.flatMap((row) => this.#rowsOf(row)))
    const { what } = this.#options
    const all = shown.length === this.#rows.length
    say(this.#found, all ? count(shown.length, what) : `${number(shown.length)} of ${count(this.#rows.length, what)}`)
    this.#drawPager(pages)
  }

  #rowsOf(row: Row): readonly HTMLElement[] {
    const { columns, keyOf, details } = this.#options
    const key = keyOf(row)
    const isOpen = details !== undefined && key === this.#open
    const cells = columns.map(({ show, value, isNumber = false }, at) => {
      const content = show?.(row) ?? String(value(row))
      if (at === 0)
        return el('th', { scope: 'row' }, details === undefined ? content : this.#opener(key, isOpen, content))
      return el(isNumber ? 'td.number' : 'td', {}, content)
    })
    const line = el('tr', { 'aria-current': isOpen ? 'true' : undefined }, ...cells)
    return isOpen ? [line, el('tr.details', {}, el('td', { colspan: columns.length }, details(row)))] : [line]
  }

  #opener(key: string, isOpen: boolean, content: HTMLElement | string): HTMLElement {
    return el('button.opener', { type: 'button', 'aria-expanded': String(isOpen), 'data-key': key }, content)
  }

  /** Rows come and go; who clicks is found by what is clicked. */
  listen(): this {
    this.#body.addEventListener('click', ({ target }) => {
      const key = target instanceof Element ? target.closest<HTMLElement>('button.opener')?.dataset['key'] : undefined
      if (key === undefined) return
      this.#open = this.#open === key ? undefined : key
      this.#draw()
    })
    this.#pager.addEventListener('click', ({ target }) => {
      const step = target instanceof Element ? target.closest<HTMLElement>('button')?.dataset['step'] : undefined
      if (step === undefined) return
      this.#page += Number(step)
      this.#draw()
    })
    return this
  }

  #drawPager(pages: number): void {
    this.#pager.hidden = pages === 1
    const button = (step: number, name: string, isOff: boolean): HTMLElement =>
      el('button', { type: 'button', 'data-step': step, 'data-key': name, disabled: isOff }, name)
    fill(
      this.#pager,
      button(-1, 'Previous page', this.#page === 0),
      el('span', {}, `page ${this.#page + 1} of ${number(pages)}`),
      button(1, 'Next page', this.#page === pages - 1),
    )
  }
}

const COLLATOR = new Intl.Collator('en', { numeric: true })

const compare = (a: string | number, b: string | number): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : COLLATOR.compare(String(a), String(b))
