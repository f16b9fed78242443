import { describe, expect, it } from 'vitest'
import { inColours, paintFor, plainly } from '../../../src/present/paint.ts'
import { table, type Column } from '../../../src/present/table.ts'
import { displayWidth, shortened, wrapped } from '../../../src/present/width.ts'

interface Row {
  readonly name: string
  readonly count: number
}
const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', cell: ({ name }) => name, least: 6 },
  { title: 'COUNT', cell: ({ count }) => ({ text: String(count), hue: 'bad' }), isRight: true },
  { title: 'MORE', cell: () => 'something', spare: 1 },
]
const ROWS: readonly Row[] = [
  { name: 'a-very-long-name', count: 7 },
  { name: 'b', count: 12_345 },
]
const widest = (text: string): number => Math.max(...text.split('\n').map(displayWidth))

describe('a table', () => {
  it('is as wide as its longest fields, without blanks at the end of a line', () => {
    expect(table(COLUMNS, ROWS, { paint: plainly, width: undefined })).toBe(
      [
        'NAME              COUNT  MORE',
        'a-very-long-name      7  something',
        'b                 12345  something',
        '',
      ].join('\n'),
    )
  })

  it.each([33, 28, 25, 20, 14])('fits into %i columns: first names are cut, then what can be spared goes', (width) => {
    const text = table(COLUMNS, ROWS, { paint: plainly, width })
    expect(widest(text)).toBeLessThanOrEqual(width)
    expect(text).toContain('12345')
    expect(text.includes('…')).toBe(width < 35)
    expect(text.includes('MORE')).toBe(width >= 24)
  })

  it('says everything that cannot be spared, however narrow it is', () => {
    expect(table(COLUMNS, ROWS, { paint: plainly, width: 5 })).toContain('12345')
  })

  it('colours the field and not the blanks around it, and is otherwise the same', () => {
    const text = table(COLUMNS, ROWS, { paint: inColours, width: undefined })
    expect(text).toContain('    \u001b[31m7\u001b[0m')
    expect(text.replaceAll(/\u001b\[\d+m/g, '')).toBe(table(COLUMNS, ROWS, { paint: plainly, width: undefined }))
  })

  it('cuts a field that others chose, also where nothing limits its width, and as far as the column says', () => {
    const columns: readonly Column<Row>[] = [
      { title: 'NAME', cell: ({ name }) => name },
      { title: 'WHY', cell: ({ name }) => name, most: 100 },
    ]
    const text = table(columns, [{ name: 'n'.repeat(600), count: 1 }], { paint: plainly, width: undefined })
    expect(text.split('\n')[1]).toBe(`${'n'.repeat(63)}…  ${'n'.repeat(99)}…`)
  })

  it('of nothing is nothing', () => {
    expect(table(COLUMNS, [], { paint: plainly, width: 80 })).toBe('')
  })
})

describe('text on a terminal', () => {
  it('is as wide as it is drawn', () => {
    expect(['abc', '漢字', 'e\u0301', '😀'].map(displayWidth)).toEqual([3, 4, 1, 2])
    expect(shortened('漢字漢字', 5)).toBe('漢字…')
    expect(shortened('abc', 3)).toBe('abc')
  })

  it('goes over several lines, and is never cut within a word', () => {
    expect(wrapped('one two three', 8, '  ')).toEqual(['one two', '  three'])
    expect(wrapped('incomprehensible', 4)).toEqual(['incomprehensible'])
  })
})

describe('colours', () => {
  it.each([
    ['auto', true, {}, true],
    ['auto', false, {}, false],
    ['auto', true, { NO_COLOR: '1' }, false],
    ['auto', true, { NO_COLOR: '' }, true],
    ['auto', true, { TERM: 'dumb' }, false],
    ['always', false, { NO_COLOR: '1' }, true],
    ['never', true, {}, false],
  ] as const)('%s, on a terminal %j, with %j: %j', (choice, isTerminal, environment, expected) => {
    expect(paintFor(choice, isTerminal, environment)('good', 'x') !== 'x').toBe(expected)
  })
})
