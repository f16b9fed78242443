import { describe, expect, it, onTestFinished } from 'vitest'
import { halves, longs, octets, unsignedWords, withRoom, words } from '../../../src/columns/grow.ts'

/** Whether this Node hands octets on (22 and later); others copy them. */
const MOVES = 'transfer' in ArrayBuffer.prototype

/** As a Node that cannot hand octets on. */
function withoutTransfer(): void {
  const transfer = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'transfer')
  if (transfer === undefined) return
  Object.defineProperty(ArrayBuffer.prototype, 'transfer', { ...transfer, value: undefined })
  onTestFinished(() => {
    Object.defineProperty(ArrayBuffer.prototype, 'transfer', transfer)
  })
}

describe('a column that is too short', () => {
  const cases: readonly (readonly [way: string, prepare: () => void])[] = [
    ['as this Node does it', () => undefined],
    ['where octets cannot be handed on', withoutTransfer],
  ]
  it.each(cases)('keeps its numbers, of whatever width, and has zeros behind them, %s', (_, prepare) => {
    prepare()
    expect([...withRoom(octets(2).fill(0xff), 2, octets)].slice(0, 4)).toEqual([0xff, 0xff, 0, 0])
    expect([...withRoom(halves(2).fill(0xffff), 2, halves)].slice(0, 4)).toEqual([0xffff, 0xffff, 0, 0])
    expect([...withRoom(words(2).fill(-7), 2, words)].slice(0, 4)).toEqual([-7, -7, 0, 0])
    expect([...withRoom(unsignedWords(2).fill(2 ** 32 - 1), 2, unsignedWords)].slice(1, 3)).toEqual([2 ** 32 - 1, 0])
    expect([...withRoom(longs(2).fill(-(2n ** 63n)), 2, longs)].slice(1, 3)).toEqual([-(2n ** 63n), 0n])
  })

  it('grows by a quarter, or up to the number that is asked for', () => {
    expect(withRoom(words(1_000), 1_000, words)).toHaveLength(1_250)
    expect(withRoom(words(1_000), 5_000, words)).toHaveLength(5_001)
    const column = words(1_000)
    expect(withRoom(column, 999, words)).toBe(column)
  })

  it.skipIf(!MOVES)('gives back what it had before at once', () => {
    const before = words(1_000)
    withRoom(before, 1_000, words)
    expect(before).toHaveLength(0)
  })
})
