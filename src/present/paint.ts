/** What something is, for the eye; what it is must stand in the text as well. */
export type Hue = 'good' | 'warn' | 'bad' | 'dim' | 'bold'

/** Colours text, or leaves it as it is. */
export type Paint = (hue: Hue, text: string) => string

/** Select Graphic Rendition (ECMA-48 §8.3.117): green, yellow, red, faint, bold. */
const CODES: Readonly<Record<Hue, number>> = { good: 32, warn: 33, bad: 31, dim: 2, bold: 1 }

export const plainly: Paint = (_, text) => text

export const inColours: Paint = (hue, text) => (text === '' ? '' : `\u001b[${CODES[hue]}m${text}\u001b[0m`)

/** When to colour: `auto` on a terminal that can, unless NO_COLOR (no-color.org) is set. */
export type ColourChoice = 'auto' | 'always' | 'never'

export function paintFor(
  choice: ColourChoice,
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): Paint {
  if (choice !== 'auto') return choice === 'always' ? inColours : plainly
  const isUnwanted = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb'
  return isTerminal && !isUnwanted ? inColours : plainly
}
