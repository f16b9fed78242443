import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { subnetFits, type OverlayNetwork } from '../../src/config/network.ts'
import { choosingSubnet } from '../../src/lease/acquire/allocate.ts'
import { atOnce } from '../../src/time/slices.ts'
import { prefixCovers, prefixesOverlap, prefixOf, subnetAt, subnetCount, type Prefix } from '../../src/net/prefix.ts'
import { ipOf } from './arbitraries.ts'

/** Small enough a network to look at every subnet of it: between 4 and 256. */
const overlay: fc.Arbitrary<OverlayNetwork> = fc
  .tuple(ipOf(4), fc.integer({ min: 0, max: 22 }), fc.integer({ min: 2, max: 8 }), fc.nat(255), fc.nat(255))
  .map(([address, length, bits, first, second]) => {
    const network = prefixOf(address, length)
    const subnetLength = length + bits
    const [from, to] = [first % 2 ** bits, second % 2 ** bits].toSorted((a, b) => a - b)
    const bound = (index = 0) => subnetAt(network, subnetLength, BigInt(index)).base
    return { family: 4, network, subnetLength, subnetMin: bound(from), subnetMax: bound(to) }
  })

/** Subnets in and around the network, of its own size and of others. */
const takenIn = ({ network, subnetLength }: OverlayNetwork): fc.Arbitrary<readonly Prefix[]> =>
  fc.array(
    fc.tuple(fc.nat(300), fc.integer({ min: -3, max: 3 })).map(([index, more]) => {
      const subnet = subnetAt(network, subnetLength, BigInt(index) % subnetCount(network, subnetLength))
      return prefixOf(subnet.base, Math.max(0, Math.min(32, subnetLength + more)))
    }),
    { maxLength: 40 },
  )

const case_ = overlay.chain((of) =>
  fc.record({
    overlay: fc.constant(of),
    taken: takenIn(of),
    avoid: takenIn(of),
    preferred: fc.option(
      takenIn(of).map(([first]) => first),
      { nil: undefined },
    ),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  }),
)

/** All free subnets, found by looking at each. */
function freeSubnets(of: OverlayNetwork, taken: readonly Prefix[]): readonly string[] {
  const all = Array.from({ length: Number(subnetCount(of.network, of.subnetLength)) }, (_, index) =>
    subnetAt(of.network, of.subnetLength, BigInt(index)),
  )
  return all
    .filter((subnet) => subnetFits(of, subnet) && !taken.some((other) => prefixesOverlap(other, subnet)))
    .map(({ text }) => text)
}

describe('choosingSubnet', () => {
  it('gives a subnet that fits and nothing overlaps, among the first hundred, whenever there is one', () => {
    fc.assert(
      fc.property(case_, ({ overlay: of, taken, avoid, preferred, random }) => {
        const clear = avoid.filter((avoided) => !prefixCovers(avoided, of.network))
        const free = freeSubnets(of, [...taken, ...clear])
        const wish = { preferred: preferred === undefined ? [] : [preferred] }
        const chosen = atOnce(choosingSubnet(of, { taken, avoid }, wish, () => random))?.text
        if (preferred !== undefined && free.includes(preferred.text)) expect(chosen).toBe(preferred.text)
        else if (free.length === 0) expect(chosen).toBeUndefined()
        else expect(free.slice(0, 100)).toContain(chosen)
      }),
      { numRuns: 500 },
    )
  })
})
