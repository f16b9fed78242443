/** Of a text that somebody else has chosen, in UTF-16 units: so much is shown. */
export const LONGEST_TEXT = 1_024

/** What ends a line: one space stands for any number of them. */
const LINE_ENDS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g

/**
 * What nobody sees, or what moves the cursor or turns text around: control and format characters, surrogates without their other half, what is
 * for private use or not assigned (Unicode, general category C), and what is ignored where it cannot be drawn (Default_Ignorable_Code_Point),
 * with the one that is drawn as nothing.
 */
const INVISIBLE = /[\p{C}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** Nothing but what ASCII prints: nearly every text, of which ten thousand may be shown at once. */
const PLAIN = /^[ -~]*$/

/**
 * Text that others have chosen (who writes into etcd, who answers on the network), as it can be shown to people: in one line, with nothing
 * that is invisible in it, and not without end. It can neither forge a line of its own nor talk to the terminal.
 * @param most UTF-16 units of the text that are shown; what is cut off is said
 */
export function printable(text: string, most = LONGEST_TEXT): string {
  if (text.length <= most && PLAIN.test(text)) return text
  const shown = text.length > most ? `${text.slice(0, most)}… (${text.length} characters)` : text
  return visible(shown.replace(LINE_ENDS, ' '))
}

/** Text of several lines of which each is to stand for itself, as what a program has said: those that are not empty, each {@link printable}. */
export const linesOf = (text: string): readonly string[] =>
  text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => printable(line))

/** The same as {@link printable}, of text whose length and lines are known: invisible characters as `\u{…}`. */
export const visible = (text: string): string =>
  text.replace(INVISIBLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
