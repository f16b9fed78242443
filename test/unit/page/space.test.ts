import { describe, expect, it } from 'vitest'
import {
  cellText,
  freeRanges,
  holdersIn,
  spaceOf,
  USES,
  type Holder,
  type Space,
} from '../../../src/page/model/space.ts'
import type { NetworkStatus, RejectedStatus } from '../../../src/status/document.ts'
import { documentsOf } from '../../fake/page/documents.ts'

const NETWORK: NetworkStatus = {
  ...{ family: 4, network: '10.0.0.0/20', subnetLength: 24 },
  ...{ firstSubnet: '10.0.1.0', lastSubnet: '10.0.14.0' },
}

const holder = (use: Holder['use'], subnet: string): Holder => ({
  ...{ use, subnet, name: subnet, reach: undefined, reason: undefined },
})

function space(holders: readonly Holder[], network = NETWORK, mostBits = 14): Space {
  const made = spaceOf(network, holders, mostBits)
  if (made === undefined) throw new Error('no space')
  return made
}

const uses = ({ uses: numbers }: Space): readonly string[] => Array.from(numbers, (use) => USES[use] ?? '')

describe('the address space', () => {
  it('has a cell for each subnet, and says what it is used for', () => {
    const made = space([holder('ours', '10.0.1.0/24'), holder('leased', '10.0.3.0/24'), holder('rejected', '10.0.4.0/24')]) // prettier-ignore
    expect(uses(made).slice(0, 6)).toEqual(['outside', 'ours', 'free', 'leased', 'rejected', 'free'])
    expect(uses(made).at(-1)).toBe('outside')
    expect(cellText(made, 3)).toBe('10.0.3.0/24')
  })

  it('counts what is free among what is handed out; a rejected lease takes nothing', () => {
    const made = space([holder('ours', '10.0.1.0/24'), holder('reserved', '10.0.2.0/24'), holder('rejected', '10.0.3.0/24')]) // prettier-ignore
    expect(made.handedOut).toBe(14n)
    expect(made.free).toBe(12n)
  })

  it('has several subnets in a cell where there are more than can be shown', () => {
    const made = space([holder('leased', '10.0.5.0/24'), holder('ours', '10.0.4.0/24')], NETWORK, 2)
    expect(made.subnetsPerCell).toBe(4n)
    expect(uses(made)).toEqual(['free', 'ours', 'free', 'free'])
    expect(made.holders.get(1)).toHaveLength(2)
    expect(cellText(made, 1)).toBe('10.0.4.0/22')
  })

  it('marks all cells of a subnet that is larger than one, and nothing beyond the network', () => {
    const made = space([holder('leased', '10.0.2.0/23'), holder('leased', '10.0.15.0/16'), holder('leased', '11.0.0.0/24')]) // prettier-ignore
    expect(uses(made)).toEqual(Array.from({ length: 16 }, () => 'leased'))
    expect(made.holders.size).toBe(16)
    expect(space([holder('leased', '11.0.0.0/24'), holder('leased', '9.0.0.0/8')]).holders.size).toBe(0)
  })

  it('holds IPv6 networks of any size', () => {
    const network: NetworkStatus = {
      ...{ family: 6, network: 'fd00::/16', subnetLength: 64 },
      ...{ firstSubnet: 'fd00::', lastSubnet: 'fd00:ffff:ffff:ffff::' },
    }
    const made = space([holder('ours', 'fd00:8000::/64')], network)
    expect(made.uses[2 ** 13]).toBe(USES.indexOf('ours'))
    expect(made.handedOut).toBe(2n ** 48n)
    expect(made.free).toBe(2n ** 48n - 1n)
  })

  it('names the largest free ranges first', () => {
    const made = space([holder('leased', '10.0.4.0/24')])
    expect(freeRanges(made)).toEqual([
      { first: 5, cells: 10 },
      { first: 1, cells: 3 },
    ])
  })

  it.each(['nonsense', '10.0.0.0', '10.0.0.0/99', ''])('does without a network that is none: %j', (network) => {
    expect(spaceOf({ ...NETWORK, network }, [], 14)).toBeUndefined()
  })

  it('takes no claim for one that is no subnet', () => {
    const { status, peers } = documentsOf({ peers: 3, network: '10.0.0.0/20', subnetLength: 24 })
    const rejected: RejectedStatus[] = [
      { key: 'a', subnet: null, publicIp: null, name: null, reason: 'no subnet', code: 'malformed' },
      { key: 'b', subnet: 'nonsense', publicIp: null, name: null, reason: 'nonsense', code: 'malformed' },
      { key: 'c', subnet: '10.0.2.0/24', publicIp: null, name: null, reason: 'taken', code: 'malformed' },
    ]
    const found = holdersIn(NETWORK, { status, peers, rejected })
    expect(found.map(({ use }) => use).sort()).toEqual(['leased', 'leased', 'leased', 'ours', 'rejected'])
    expect(found.find(({ use }) => use === 'rejected')).toMatchObject({ name: 'c', reason: 'taken' })
  })
})
