import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { buildPage } from '../../../packaging/page/page.mjs'
import { pageFile } from '../../../src/page/page-file.ts'

const STYLE = readFileSync(join(import.meta.dirname, '../../../src/page/view/page.css'), 'utf8')
const SHOWN = { light: /:root \{([^}]*)\}/, dark: /dark\) \{\s*:root \{([^}]*)\}/ }
/** For text of any size (WCAG 2.2, 1.4.3), and for pictures (1.4.11). */
const [TEXT, PICTURE] = [4.5, 3]

function coloursIn(pattern: RegExp): ReadonlyMap<string, string> {
  const [, block = ''] = pattern.exec(STYLE) ?? []
  return new Map(Array.from(block.matchAll(/--([\w-]+): (#\w+);/g), ([, name = '', value = '']) => [name, value]))
}

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const digits =
    colour.length === 4 ? Array.from(colour.slice(1), (digit) => digit + digit) : colour.slice(1).match(/../g)
  const [red = 0, green = 0, blue = 0] = (digits ?? []).map((pair) => {
    const part = parseInt(pair, 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((one, other) => other - one)
  return (light + 0.05) / (dark + 0.05)
}

const PAIRS: readonly (readonly [string, string, number])[] = [
  ...['ink', 'dim', 'good', 'warn', 'bad', 'unknown', 'ours'].map((name) => [name, 'card', TEXT] as const),
  ...['ink', 'dim', 'bad'].map((name) => [name, 'page', TEXT] as const),
  ...['good-soft', 'warn-soft', 'bad-soft', 'none-soft'].map((name) => ['ink', name, TEXT] as const),
  ...['good', 'warn', 'bad', 'unknown'].map((name) => ['on-mark', name, TEXT] as const),
  ['dim', 'none-soft', TEXT],
  ['on-reached', 'reached', TEXT],
  ...['reached', 'leased', 'focus'].map((name) => [name, 'card', PICTURE] as const),
]

describe.each(Object.entries(SHOWN))('the colours in %s', (_, pattern) => {
  const colours = coloursIn(pattern)

  it.each(PAIRS)('%s on %s can be read (%f)', (front, back, least) => {
    expect(contrast(colours.get(front) ?? '', colours.get(back) ?? '')).toBeGreaterThanOrEqual(least)
  })
})

describe('the page', () => {
  it('runs the script and the style that stand in it, by their hashes, and nothing else', async () => {
    const { text } = await buildPage()
    const policy = pageFile(text).headers['content-security-policy'] ?? ''
    const [, script = ''] = /<script type="module">([^]*?)<\/script>/.exec(text) ?? []
    expect(script.length).toBeGreaterThan(10_000)
    expect(policy).toContain(`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}';`)
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+'; connect-src 'self';/)
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
  })

  it('names no place outside, and makes no markup of text', async () => {
    const { text } = await buildPage()
    expect(text.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\/|@import|url\(/)
    expect(text).not.toMatch(/insertAdjacentHTML|outerHTML|document\.write|\beval\(|innerHTML\s*=[^=]|\sstyle="/)
  })

  it('is the same whenever it is made', async () => {
    expect((await buildPage()).text).toBe((await buildPage()).text)
  })
})
