import { describe, expect, it } from 'vitest'
import {
  addressFlags,
  ROUTE_PROTOCOLS,
  ROUTE_TABLES,
  ROUTE_TYPES,
  SCOPES,
  type Vocabulary,
} from '../../../src/netlink/codec/words.ts'

const OCTETS = Array.from({ length: 256 }, (_, number) => number)

describe("the kernel's words", () => {
  it.each([
    ['unicast', 1, ROUTE_TYPES.word(1)],
    ['blackhole', 6, ROUTE_TYPES.word(6)],
    ['global', 0, SCOPES.word(0)],
    ['link', 253, SCOPES.word(253)],
    ['host', 254, SCOPES.word(254)],
    ['main', 254, ROUTE_TABLES.word(254)],
    ['boot', 3, ROUTE_PROTOCOLS.word(3)],
    ['ra', 9, ROUTE_PROTOCOLS.word(9)],
  ])('%s stands for %i', (word, _, found) => {
    expect(found).toBe(word)
  })

  it.each([
    ['17', ROUTE_TYPES.word(17)],
    ['200000', ROUTE_TABLES.word(200_000)],
    ['70', ROUTE_PROTOCOLS.word(70)],
    ['199', SCOPES.word(199)],
  ])('are digits for what has none: %s', (digits, found) => {
    expect(found).toBe(digits)
  })

  it.each<[string, Vocabulary<string>]>([
    ['types', ROUTE_TYPES],
    ['scopes', SCOPES],
    ['tables', ROUTE_TABLES],
    ['protocols', ROUTE_PROTOCOLS],
  ])('lose no number, and give no word to two: %s', (_, words) => {
    expect(OCTETS.map((octet) => words.number(words.word(octet)))).toEqual(OCTETS)
    expect(new Set(OCTETS.map((octet) => words.word(octet))).size).toBe(OCTETS.length)
  })

  it('name the flags of an address, the lowest first, and keep those that have no name', () => {
    expect(addressFlags(0)).toEqual([])
    expect(addressFlags(0x80)).toEqual(['permanent'])
    expect(addressFlags(0x6f)).toEqual(['temporary', 'nodad', 'optimistic', 'dadfailed', 'deprecated', 'tentative'])
    expect(addressFlags(0x8000_1100)).toEqual(['mngtmpaddr', '0x1000', '0x80000000'])
  })
})
