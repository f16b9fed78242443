/** Drawn upon the character before them. */
const COMBINING = /^[\p{Mn}\p{Me}]$/u
/** Drawn two columns wide: scripts of East Asia, their full-width forms, and pictures (Unicode UAX 11, UTS 51). */
const WIDE =
  /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]$/u
const ASCII = /^[ -~]*$/

const widthOf = (character: string): number => (COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1)

/** Columns that a text takes on a terminal; it has no control characters (see text/printable.ts). */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  let width = 0
  for (const character of text) width += widthOf(character)
  return width
}

/** The text, cut to so many columns; what is cut off is marked. */
export function shortened(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let [kept, used] = ['', 1]
  for (const character of text) {
    used += widthOf(character)
    if (used > width) break
    kept += character
  }
  return `${kept}…`
}

/** Lines no wider than this, unless a single word is; further ones begin with `indent`. */
export function wrapped(text: string, width: number, indent = ''): readonly string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    const isFirst = line === '' || line === indent
    if (!isFirst && displayWidth(line) + 1 + displayWidth(word) > width) lines.push(`${indent}${word}`)
    else lines[lines.length - 1] = isFirst ? `${line}${word}` : `${line} ${word}`
  }
  return lines
}
