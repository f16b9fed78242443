import { expect, it } from 'vitest'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import { subnetUse } from '../../../src/lease/subnet-use.ts'
import { prefix } from '../../../src/net/prefix.ts'

const use = (config: string, ...leases: readonly string[]): readonly ReturnType<typeof subnetUse>[] =>
  parseNetworkConfig(config).overlays.map((overlay) => subnetUse(overlay, leases.map(prefix)))

const SMALL = '{"Network":"10.1.0.0/16","SubnetLen":20,"SubnetMin":"10.1.32.0","SubnetMax":"10.1.224.0"}'

it('counts the subnets from SubnetMin to SubnetMax, and those of them that a lease spoils', () => {
  expect(use(SMALL)).toEqual([{ all: 13, leased: 0 }])
  expect(use(SMALL, '10.1.32.0/20', '10.1.224.0/20')).toEqual([{ all: 13, leased: 2 }])
})

it('counts one once, however many small leases lie in it, and none outside of what may be had', () => {
  expect(use(SMALL, '10.1.32.0/24', '10.1.33.0/24', '10.1.32.0/20')).toEqual([{ all: 13, leased: 1 }])
  expect(use(SMALL, '10.1.0.0/20', '10.2.32.0/20')).toEqual([{ all: 13, leased: 0 }])
})

it('counts all that a larger lease covers, and never more than there are', () => {
  expect(use(SMALL, '10.1.128.0/18')).toEqual([{ all: 13, leased: 4 }])
  expect(use(SMALL, '10.1.0.0/17', '10.1.128.0/17')).toEqual([{ all: 13, leased: 13 }])
})

it('counts each family by itself', () => {
  const both = '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48"}'
  const [four, six] = use(both, '10.1.1.0/24', 'fd00:0:0:1::/64', 'fd00:0:0:2::/64')
  expect(four?.leased).toBe(1)
  expect(six).toEqual({ all: 65_535, leased: 2 })
})
