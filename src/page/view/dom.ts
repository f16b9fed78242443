type Child = Node | string | undefined
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/**
 * An element. Text becomes text and never markup, whoever has written it; attributes that are false or undefined are left out.
 * @param name as in `tr`, or with a class as in `p.detail`
 */
export function el(name: string, attributes: Attributes = {}, ...children: readonly Child[]): HTMLElement {
  const [tag = 'div', ...classes] = name.split('.')
  const element = document.createElement(tag)
  if (classes.length > 0) element.className = classes.join(' ')
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : String(value))
  element.append(...children.filter((child) => child !== undefined))
  return element
}

/** The element that page.html has under this id. @throws {Error} when it has none */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`page.html has no #${id}`)
  return element
}

/** Says something in an element, and leaves it alone where it says that already: a reader would read it again. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Puts children in the place of what is there, unless they look the same: what somebody has selected or focused stays. */
export function fill(element: HTMLElement, ...children: readonly Child[]): void {
  const fresh = el('div', {}, ...children)
  if (fresh.innerHTML === element.innerHTML) return
  const focused = keyOf(document.activeElement)
  element.replaceChildren(...fresh.childNodes)
  if (focused !== undefined) element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus()
}

const keyOf = (element: Element | null): string | undefined =>
  element instanceof HTMLElement ? element.dataset['key'] : undefined

/** A sign and a word: nobody has to tell colours apart. */
export const mark = (level: string, sign: string, ...words: readonly Child[]): HTMLElement =>
  el(`span.mark.${level}`, {}, el('span.sign', { 'aria-hidden': 'true' }, sign), ...words)

/** A colour of the style sheet, such as `--bad`, for a canvas. */
export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** The time of day of an ISO time, in the reader's own zone; with the date where that is another one. */
export function clockTime(iso: string | number): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return '–'
  const time = date.toLocaleTimeString('en-GB')
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString('en-CA')} ${time}`
}
