import type { StatusDocument, StatusEvent } from '../../status/document.ts'
import { History, type Lane } from '../model/history.ts'
import { duration, SIGNS } from '../model/words.ts'
import { clockTime, el, fill } from './dom.ts'

/** What is shown, in milliseconds: little at first, so that what has been seen is no thin line at the end. */
const SPANS_MS = [15, 60, 240, 1_440].map((minutes) => minutes * 60_000)
const TICKS = 3
/** Of the width: a narrower bar has no words, in percent. */
const WORDS_FROM = 18
const LEVELS = { info: 'none', warn: 'warn', error: 'bad' } as const

/**
 * Node, store, lease and peers over time, and when something happened: bars of text and colour, whose widths are set one by one, since the page
 * has no style that it was not served with.
 */
export class TimelineView {
  readonly #root: HTMLElement
  readonly #history = new History()
  #events: readonly StatusEvent[] = []
  #openedMs: number | undefined

  constructor(root: HTMLElement) {
    this.#root = root
  }

  show(status: StatusDocument, events: readonly StatusEvent[]): void {
    this.#history.note(status)
    this.#events = events
    this.#draw(Date.parse(status.at), status)
  }

  lose(at: string): void {
    this.#history.lose(at)
  }

  #draw(nowMs: number, { store, lease }: StatusDocument): void {
    const { lanes } = this.#history
    this.#openedMs ??= nowMs
    const seenMs = nowMs - this.#openedMs
    const fromMs = nowMs - (SPANS_MS.find((span) => span >= seenMs) ?? seenMs)
    const share = (ms: number): number => (100 * (Math.max(ms, fromMs) - fromMs)) / (nowMs - fromMs)
    const rows = lanes.map((lane) => laneRow(lane, nowMs, fromMs, share))
    const renewed = store.renewedAt === null ? 'never' : clockTime(store.renewedAt)
    const expiresAt = lease?.expiresAt ?? null
    const ends = expiresAt === null ? 'does not expire' : `would expire ${clockTime(expiresAt)}`
    const words = lease === null ? 'There is no lease.' : `The lease was last renewed ${renewed}; it ${ends}.`
    fill(this.#root, ...rows, this.#ticks(share, fromMs), axis(fromMs, nowMs), el('p.note', {}, words))
    for (const element of this.#root.querySelectorAll<HTMLElement>('[data-from]')) {
      element.style.left = `${element.dataset['from'] ?? 0}%`
      if (element.dataset['width'] !== undefined) element.style.width = `${element.dataset['width']}%`
    }
  }

  #ticks(share: (ms: number) => number, fromMs: number): HTMLElement {
    const shown = this.#events.filter(({ at }) => Date.parse(at) >= fromMs)
    const marks = shown.map(({ at, level, text }) =>
      el(`span.tick.${LEVELS[level]}`, {
        'data-from': share(Date.parse(at)).toFixed(2),
        title: `${clockTime(at)} ${text}`,
      }),
    )
    return el('div.lane', {}, el('span.lane-name', {}, 'events'), el('div.bars', { 'aria-hidden': 'true' }, ...marks))
  }
}

function laneRow({ name, turns }: Lane, nowMs: number, fromMs: number, share: (ms: number) => number): HTMLElement {
  const bars = turns.flatMap(({ atMs, level, text }, at) => {
    const endMs = turns[at + 1]?.atMs ?? nowMs
    if (endMs < fromMs) return []
    const [from, to] = [share(atMs), share(endMs)]
    const words = `${text}, since ${clockTime(atMs)}, for ${duration((endMs - atMs) / 1_000)}`
    return [
      el(
        `li.bar.${level}`,
        { 'data-from': from.toFixed(2), 'data-width': Math.max(0.2, to - from).toFixed(2), title: words },
        el('span', { 'aria-hidden': 'true' }, to - from < WORDS_FROM ? '' : `${SIGNS[level]} ${text}`),
        el('span.hidden', {}, words),
      ),
    ]
  })
  return el('div.lane', {}, el('span.lane-name', {}, name), el('ul.bars', { 'aria-label': name }, ...bars))
}

function axis(fromMs: number, nowMs: number): HTMLElement {
  const times = Array.from({ length: TICKS }, (_, at) => {
    const part = at / (TICKS - 1)
    const text = at === TICKS - 1 ? 'now' : clockTime(fromMs + part * (nowMs - fromMs))
    return el('span', {}, text)
  })
  return el('div.lane', { 'aria-hidden': 'true' }, el('span.lane-name'), el('div.axis', {}, ...times))
}
