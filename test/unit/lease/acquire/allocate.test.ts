import { describe, expect, it } from 'vitest'
import { candidatesAt, choosingSubnet } from '../../../../src/lease/acquire/allocate.ts'
import { atOnce } from '../../../../src/time/slices.ts'
import { prefix, type Prefix } from '../../../../src/net/prefix.ts'
import { overlayOf } from '../../../fake/samples.ts'

const WALKTHROUGH = overlayOf('{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0"}')
/** Three subnets to give: .64, .128, .192. */
const SMALL = overlayOf('{"Network":"10.1.1.0/24"}')
const lowest = (): number => 0
const highest = (): number => 0.999_999

const choose = (
  taken: readonly string[],
  options: { overlay?: typeof SMALL; preferred?: Prefix; random?: () => number; avoid?: readonly string[] } = {},
): string | undefined =>
  atOnce(
    choosingSubnet(
      options.overlay ?? SMALL,
      { taken: taken.map(prefix), avoid: (options.avoid ?? []).map(prefix) },
      { preferred: options.preferred === undefined ? [] : [options.preferred] },
      options.random ?? lowest,
    ),
  )?.text

describe('choosingSubnet', () => {
  it('never gives the first subnet of the network, and does give SubnetMin', () => {
    expect(choose([])).toBe('10.1.1.64/26')
    expect(choose([], { overlay: WALKTHROUGH })).toBe('10.10.0.0/20')
  })

  it('gives SubnetMax, and then no more', () => {
    const taken = ['10.1.1.64/26', '10.1.1.128/26']
    expect(choose(taken)).toBe('10.1.1.192/26')
    expect(choose([...taken, '10.1.1.192/26'])).toBeUndefined()
  })

  it('gives the one subnet there is when SubnetMin is SubnetMax', () => {
    const overlay = overlayOf('{"Network":"10.1.1.0/24","SubnetMin":"10.1.1.128","SubnetMax":"10.1.1.128"}')
    expect(choose([], { overlay, random: highest })).toBe('10.1.1.128/26')
    expect(choose(['10.1.1.128/26'], { overlay })).toBeUndefined()
  })

  it('picks among the first 100 free ones', () => {
    expect(choose([], { overlay: WALKTHROUGH, random: highest })).toBe('10.16.48.0/20')
    expect(choose(['10.10.0.0/20'], { overlay: WALKTHROUGH, random: highest })).toBe('10.16.64.0/20')
  })

  it('reaches every free one', () => {
    const values = Array.from({ length: 30 }, (_, step) => choose([], { random: () => step / 30 }))
    expect(new Set(values)).toEqual(new Set(['10.1.1.64/26', '10.1.1.128/26', '10.1.1.192/26']))
  })

  it('goes round larger and smaller subnets left from another configuration', () => {
    expect(choose(['10.1.1.64/28'])).toBe('10.1.1.128/26')
    expect(choose(['10.1.1.0/25'])).toBe('10.1.1.128/26')
    expect(choose(['10.1.1.0/24'])).toBeUndefined()
    expect(choose(['10.0.0.0/8'])).toBeUndefined()
  })

  it('is not misled by subnets outside the network', () => {
    expect(choose(['10.2.2.64/26', '192.168.0.0/16'])).toBe('10.1.1.64/26')
  })

  it("takes the previous run's subnet again while it is free, whatever chance says", () => {
    const preferred = prefix('10.1.1.192/26')
    expect(choose([], { preferred })).toBe('10.1.1.192/26')
    expect(choose(['10.1.1.192/26'], { preferred })).toBe('10.1.1.64/26')
    expect(choose(['10.1.1.192/30'], { preferred })).toBe('10.1.1.64/26')
  })

  it.each(['10.1.1.0/26', '10.1.1.192/27', '10.1.1.128/25', '10.2.2.64/26', 'fd00::/64'])(
    "leaves the previous run's %s when it no longer fits",
    (text) => {
      expect(choose([], { preferred: prefix(text) })).toBe('10.1.1.64/26')
    },
  )

  it('finds the last free subnet of a large network in no time', () => {
    const overlay = overlayOf('{"Network":"10.0.0.0/8","SubnetLen":24}')
    const taken = Array.from({ length: 65_534 }, (_, index) =>
      prefix(`10.${(index + 1) >> 8}.${(index + 1) & 255}.0/24`),
    )
    const chosen = atOnce(choosingSubnet(overlay, { taken, avoid: [] }, { preferred: [] }, lowest))
    expect(chosen?.text).toBe('10.255.255.0/24')
  })

  it('does not count its way through a huge network of which somebody claims the whole', () => {
    const overlay = overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/16"}')
    expect(choose(['fd00::/16'], { overlay })).toBeUndefined()
    expect(choose(['fd00::/17'], { overlay })).toBe('fd00:8000::/64')
  })

  it('keeps clear of addresses and networks of the underlay, the previous subnet included', () => {
    expect(choose([], { avoid: ['10.1.1.65/32'] })).toBe('10.1.1.128/26')
    expect(choose([], { avoid: ['10.1.1.0/25'] })).toBe('10.1.1.128/26')
    expect(choose([], { avoid: ['10.1.1.129/32'], preferred: prefix('10.1.1.128/26') })).toBe('10.1.1.64/26')
    expect(choose(['10.1.1.64/26', '10.1.1.192/26'], { avoid: ['10.1.1.129/32'] })).toBeUndefined()
  })

  it('does not mind an underlay within which the whole overlay was put', () => {
    expect(choose([], { avoid: ['10.1.0.0/16', '0.0.0.0/0', '10.1.1.0/24'] })).toBe('10.1.1.64/26')
  })

  it('goes round the addresses of ten thousand peers in no time', () => {
    const overlay = overlayOf('{"Network":"10.0.0.0/8","SubnetLen":24}')
    const avoid = Array.from({ length: 60_000 }, (_, index) => `10.${(index + 1) >> 8}.${(index + 1) & 255}.7/32`)
    expect(choose([], { overlay, avoid })).toBe('10.234.97.0/24')
  })
})

describe('candidatesAt', () => {
  /** Nodes that want a subnet each at the same moment, again and again until all have one, each time the losers of the time before. */
  function attemptsOf(nodes: number): { readonly rounds: number; readonly each: number } {
    let [rounds, all] = [0, 0]
    for (let left = nodes; left > 0; rounds++) {
      all += left
      const chosen = Array.from({ length: left }, () => Math.floor(Math.random() * candidatesAt(rounds + 1)))
      left -= new Set(chosen).size
    }
    return { rounds, each: all / nodes }
  }

  it('lets ten thousand nodes that start at once have a subnet each after four attempts on average, none after more than ten', () => {
    expect(candidatesAt(1)).toBe(100)
    const { rounds, each } = attemptsOf(10_000)
    expect(each).toBeLessThan(4)
    expect(rounds).toBeLessThanOrEqual(10)
  })
})
