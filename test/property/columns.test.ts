import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IpColumn } from '../../src/columns/ip-column.ts'
import { MacColumn } from '../../src/columns/mac-column.ts'
import { NumberQueue } from '../../src/columns/number-queue.ts'
import { Numbering, type KeyColumn } from '../../src/columns/numbering.ts'
import { ip, type Ip } from '../../src/net/ip.ts'
import { mac, type Mac } from '../../src/net/mac.ts'
import { anyIp, anyMac } from './arbitraries.ts'

/** Puts and takes away keys, many or few of them. */
const turns = <K>(key: fc.Arbitrary<K>): fc.Arbitrary<readonly { readonly adds: boolean; readonly key: K }[]> =>
  fc
    .array(key, { minLength: 1, maxLength: 200, size: 'max' })
    .chain((keys) =>
      fc.array(fc.record({ adds: fc.boolean(), key: fc.constantFrom(...keys) }), { maxLength: 400, size: 'max' }),
    )

function check<K>(
  column: KeyColumn<K>,
  all: readonly { readonly adds: boolean; readonly key: K }[],
  textOf: (key: K) => string,
): void {
  const numbering = new Numbering(column)
  const numbers = new Map<string, number>()
  for (const { adds, key } of all) {
    const known = numbers.get(textOf(key))
    expect(numbering.find(key)).toBe(known ?? -1)
    if (adds) numbers.set(textOf(key), numbering.add(key))
    else if (known !== undefined) {
      numbering.remove(known)
      numbers.delete(textOf(key))
    }
    if (adds && known !== undefined) expect(numbers.get(textOf(key))).toBe(known)
  }
  expect(numbering.size).toBe(numbers.size)
  expect(new Set(numbers.values()).size).toBe(numbers.size)
  for (const { key } of all) expect(numbering.find(key)).toBe(numbers.get(textOf(key)) ?? -1)
  for (const at of numbers.values()) expect(at).toBeLessThan(numbering.end)
}

describe('keys by number', () => {
  it('are found for as long as they are there, whatever comes and goes around them', () => {
    fc.assert(
      fc.property(turns<Ip>(anyIp), (all) => {
        check<Ip>(new IpColumn(), all, ({ text }) => text)
      }),
      { numRuns: 30 },
    )
    fc.assert(
      fc.property(turns<Mac>(anyMac), (all) => {
        check(new MacColumn(), all, String)
      }),
      { numRuns: 30 },
    )
  })

  it('are found among others of the same hash', () => {
    const column = new IpColumn()
    const alike: KeyColumn<Ip> = {
      hash: ({ word0 }) => word0 & 1,
      hashAt: (at) => column.at(at).word0 & 1,
      isAt: (at, key) => column.isAt(at, key),
      set: (at, key) => {
        column.set(at, key)
      },
    }
    const few = fc.nat(30).map((last) => ip(`10.0.0.${last}`))
    fc.assert(
      fc.property(turns(few), (all) => {
        check(alike, all, ({ text }) => text)
      }),
      { numRuns: 50 },
    )
  })
})

describe('a column', () => {
  it('holds addresses of both families, and none', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(300), fc.option(anyIp, { nil: undefined }))), (puts) => {
        const column = new IpColumn()
        const held = new Map<number, Ip | undefined>()
        for (const [at, address] of puts) {
          column.set(at, address)
          held.set(at, address)
        }
        for (const [at, address] of held) {
          expect(column.get(at)?.text).toBe(address?.text)
          expect(column.isAt(at, address)).toBe(true)
          expect(column.hashAt(at)).toBe(column.hash(address))
          for (const other of held.values()) expect(column.isAt(at, other)).toBe(other?.text === address?.text)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('says that there is no address, rather than make one up', () => {
    expect(() => new IpColumn().at(7)).toThrow(RangeError)
  })

  it('holds Ethernet addresses', () => {
    fc.assert(
      fc.property(anyMac, anyMac, fc.nat(300), (address, other, at) => {
        const column = new MacColumn()
        column.set(at, address)
        expect(column.get(at)).toBe(address)
        expect([column.isAt(at, address), column.isAt(at, other)]).toEqual([true, other === address])
      }),
    )
    expect(new MacColumn().isAt(3, mac('00:00:00:00:00:00'))).toBe(false)
  })
})

describe('a queue of numbers', () => {
  it('holds what a set holds, in its order, whatever comes and goes', () => {
    const turn = fc.record({ adds: fc.boolean(), number: fc.integer({ min: 0, max: 150 }) })
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 1_000, size: 'max' }), (turns) => {
        const [queue, set] = [new NumberQueue(), new Set<number>()]
        for (const { adds, number } of turns) {
          for (const each of [queue, set]) if (adds) each.add(number)
          for (const each of [queue, set]) if (!adds) each.delete(number)
          expect([queue.size, queue.has(number)]).toEqual([set.size, adds])
        }
        expect([...queue]).toEqual([...set])
        for (const number of [...set]) queue.delete(number)
        expect([queue.size, [...queue]]).toEqual([0, []])
      }),
      { numRuns: 100 },
    )
  })
})
