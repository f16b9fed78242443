import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HashChains } from '../../src/lease/packed/hash-chains.ts'
import { fuzzRuns } from './fuzz-runs.ts'

/** Few of each, so that chains are shared and slots have several hashes. */
const [slot, hash] = [fc.nat(12), fc.constantFrom(0, 1, 16, 17, -1, 0x7fffffff, -0x80000000, 0xffffffff)]
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ slot, hash }) },
  { weight: 1, arbitrary: fc.record({ slot }) },
  { weight: 1, arbitrary: fc.record({ slot: fc.integer({ min: 13, max: 200 }), hash }) },
)

it('HashChains knows of each hash the slots that have it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
      const chains = new HashChains()
      let model: { readonly slot: number; readonly hash: number }[] = []
      for (const { slot: at, ...what } of steps)
        if ('hash' in what) {
          chains.add(at, what.hash)
          model.push({ slot: at, hash: what.hash | 0 })
        } else {
          chains.delete(at)
          model = model.filter((one) => one.slot !== at)
        }
      for (const wanted of [0, 1, 16, 17, -1, 0x7fffffff, -0x80000000, 5]) {
        const found: number[] = []
        expect(chains.some(wanted, (one) => found.push(one) < 0)).toBe(false)
        const expected = model.filter((one) => one.hash === wanted).map((one) => one.slot)
        expect(found.toSorted()).toEqual(expected.toSorted())
        expect(chains.some(wanted, () => true)).toBe(expected.length > 0)
      }
    }),
    { numRuns: fuzzRuns(500) },
  )
})
