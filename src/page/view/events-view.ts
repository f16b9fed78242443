import type { StatusEvent } from '../../status/document.ts'
import { SIGNS, type Level } from '../model/words.ts'
import { byId, clockTime, el, mark } from './dom.ts'

const LEVELS: Readonly<Record<StatusEvent['level'], Level>> = { info: 'none', warn: 'warn', error: 'bad' }
/** As many as the agent keeps. */
const MOST_SHOWN = 200

/** What happens, as it happens, the newest first. */
export class EventsView {
  readonly #list = byId('events-list')
  #events: readonly StatusEvent[] = []

  /** In the order they happened. */
  get events(): readonly StatusEvent[] {
    return this.#events
  }

  add(events: readonly StatusEvent[]): void {
    this.#events = [...this.#events, ...events].slice(-MOST_SHOWN)
    this.#list.prepend(...events.map(line).reverse())
    while (this.#list.children.length > MOST_SHOWN) this.#list.lastElementChild?.remove()
  }

  clear(): void {
    this.#events = []
    this.#list.replaceChildren()
  }
}

const line = ({ at, level, text, fields }: StatusEvent): HTMLElement =>
  el(
    'li',
    {},
    el('time', { datetime: at }, clockTime(at)),
    mark(LEVELS[level], SIGNS[LEVELS[level]], level),
    el(
      'span.text',
      {},
      text,
      ...Object.entries(fields).map(([key, value]) => el('span.field', {}, ` ${key}=${String(value)}`)),
    ),
  )
