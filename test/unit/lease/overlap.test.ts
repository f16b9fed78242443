import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatLeaseKey } from '../../../src/lease/codec.ts'
import { isComplete, newcomersAmong, overlaps } from '../../../src/lease/overlap.ts'
import { prefix, prefixesOverlap, prefixOf, type Prefix } from '../../../src/net/prefix.ts'
import { ipOf } from '../../property/arbitraries.ts'

const list = (count: number) => ({
  clusterId: '1',
  revision: 7n,
  records: Array.from({ length: count }, (_, index) => ({
    key: `key ${index}`,
    value: '',
    etcdLeaseId: '0',
    createRevision: 1n,
    modRevision: 1n,
  })),
})

/** etcd's default for `--max-txn-ops`, which counts comparisons; one is that of the key itself. */
const MOST_TXN_OPS = 128

const isNamed = (subnets: readonly Prefix[], key: string): boolean => {
  const { within } = newcomersAmong(subnets, list(0))
  return within === 'everywhere' || within.some(({ from, to }) => key >= from && key < to)
}

/** Two IPv4 subnets near each other, so that half of them overlap. */
const pair = fc
  .tuple(ipOf(4), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 3 }))
  .map(([address, length, other, flips]) => {
    const near = { ...address, bytes: address.bytes.map((octet, at) => (at === flips ? octet ^ 1 : octet)) }
    return [prefixOf(address, length), prefix(`${near.bytes.join('.')}/${other}`)] as const
  })

describe('newcomersAmong', () => {
  it('names whoever could overlap an IPv4 subnet, alone or with an IPv6 one, whatever its length', () => {
    let overlapping = 0
    fc.assert(
      fc.property(pair, ([ours, theirs]) => {
        const keys = [formatLeaseKey([theirs]), formatLeaseKey([theirs, prefix('fd00:1::/64')])]
        if (!prefixesOverlap(ours, theirs)) return
        overlapping += 1
        for (const key of keys) {
          expect(overlaps([ours], key)).toBe(true)
          expect(isNamed([ours], key), `${key} beside ${ours.text}`).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
    expect(overlapping).toBeGreaterThan(400)
  })

  it.each([
    ['10.15.64.0/20', ['10.16.64.0-20', '10.1.0.0-20', '10.150.0.0-20', 'junk']],
    ['10.15.64.0/20', ['10.15.48.0-20', '10.15.80.0-20', '10.15.6.0-20', '10.15.128.0-17', '10.15.96.0-19']],
    ['10.15.64.64/26', ['10.15.64.0-26', '10.15.64.128-26', '10.15.64.6-31']],
    ['10.15.64.0/24', ['10.15.65.0-24', '10.15.6.0-24', '10.15.0.0-20&fd00::-64']],
    ['10.15.64.4/30', ['10.15.65.0-30', '10.15.60.0-22']],
  ])('does not mind who is faster elsewhere: %s', (ours, keys) => {
    expect(keys.filter((key) => isNamed([prefix(ours)], key))).toEqual([])
  })

  it('takes everybody into account for an IPv6 subnet, up to a thousand leases', () => {
    const subnets = [prefix('10.15.64.0/20'), prefix('fd00:10:0:1::/64')]
    expect(newcomersAmong(subnets, list(1_000))).toEqual({ after: 7n, within: 'everywhere' })
    const beyond = newcomersAmong(subnets, list(1_001))
    expect(beyond.within).toContainEqual({ from: '10.15.79.', to: '10.15.79/' })
    expect([newcomersAmong(subnets, list(1_000)), beyond].map((unless) => isComplete(unless, subnets))).toEqual([
      true,
      false,
    ])
    expect(isComplete(beyond, subnets.slice(0, 1))).toBe(true)
  })

  it('asks etcd for no more than it takes in a transaction, whatever the length', () => {
    for (let length = 1; length <= 30; length++) {
      const { within } = newcomersAmong([prefixOf(prefix('10.15.64.0/24').base, length)], list(0))
      expect(within === 'everywhere' ? 1 : within.length).toBeLessThan(MOST_TXN_OPS)
    }
  })
})

describe('overlaps', () => {
  it.each([
    ['10.15.64.0-24', true],
    ['10.8.0.0-13', true],
    ['10.15.80.0-20', false],
    ['10.15.80.0-20&fd00:10:0:1::-64', true],
    ['10.15.80.0-20&fd00:10::-48', true],
    ['10.15.80.0-20&fd00:10:0:2::-64', false],
    ['no key', false],
  ])('sees %s: %s', (key, expected) => {
    expect(overlaps([prefix('10.15.64.0/20'), prefix('fd00:10:0:1::/64')], key)).toBe(expected)
  })
})
