import { describe, expect, it } from 'vitest'
import { linesOf, printable, visible } from '../../../src/text/printable.ts'

describe('printable', () => {
  it.each([
    ['plain', 'node-1.example (Ü 漢)', 'node-1.example (Ü 漢)'],
    ['control characters', 'a\u0007b\u001b[31mc\u009b', 'a\\u{7}b\\u{1b}[31mc\\u{9b}'],
    ['what ends a line', 'a\r\n\tb\u2028c\u0085d', 'a b c d'],
    ['what turns text around', 'a\u202eb\u2066c', 'a\\u{202e}b\\u{2066}c'],
    ['what has no width', 'a\u200bb\u200dc\ufeff', 'a\\u{200b}b\\u{200d}c\\u{feff}'],
    ['what is drawn as nothing', 'a\u3164b\u2800c\u{e0101}d\u034f', 'a\\u{3164}b\\u{2800}c\\u{e0101}d\\u{34f}'],
    ['half a character', 'a\ud83d', 'a\\u{d83d}'],
    ['what is for private use', 'a\ue000', 'a\\u{e000}'],
  ])('shows %s', (_, text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  it('cuts what is long, and says how long it was', () => {
    expect(printable('x'.repeat(2_000))).toBe(`${'x'.repeat(1_024)}… (2000 characters)`)
    expect(printable('abcdef', 3)).toBe('abc… (6 characters)')
    expect(printable('abc', 3)).toBe('abc')
  })

  it('of several lines leaves each by itself, and none without words', () => {
    expect(linesOf('one\r\n \ntwo\u001b[2J\n')).toEqual(['one', 'two\\u{1b}[2J'])
  })

  it('lets no character of the general category C through, whichever it is', () => {
    const all = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code)).join('')
    expect(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/u.test(visible(all))).toBe(false)
  })
})
