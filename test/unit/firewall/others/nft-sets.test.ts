import { describe, expect, it } from 'vitest'
import { readNftChains } from '../../../../src/firewall/nft-chains.ts'
import { elementsOf, portSetsIn, withElements } from '../../../../src/firewall/others/nft-sets.ts'
import { tableFromNft } from '../../../../src/firewall/others/nft-tables.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import type { Traffic } from '../../../../src/firewall/others/traffic.ts'

const dport = { payload: { protocol: 'udp', field: 'dport' } }
const place = { family: 'inet', table: 'filter' }
const chains = readNftChains(
  JSON.stringify({
    nftables: [
      { chain: { ...place, name: 'input', type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
      ...[
        { match: { op: '==', left: dport, right: '@services' } },
        { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '@hosts' } },
        { match: { op: '==', left: dport, right: 53 } },
      ].map((match, at) => ({ rule: { ...place, chain: 'input', handle: at + 2, expr: [match, { accept: null }] } })),
    ],
  }),
)

describe('sets of ports', () => {
  it('are those that rules compare a destination port with, by name', () => {
    expect(portSetsIn(chains)).toEqual(['services'])
  })

  it('are read with ranges and elements that have comments', () => {
    const elem = [53, { range: [1000, 2000] }, { elem: { val: 8472, comment: 'overlay' } }]
    expect(elementsOf(JSON.stringify({ nftables: [{ metainfo: {} }, { set: { name: 'services', elem } }] }))).toEqual(
      elem,
    )
    expect(elementsOf(JSON.stringify({ nftables: [{ set: { name: 'empty' } }] }))).toEqual([])
    expect(elementsOf(JSON.stringify({ nftables: [] }))).toBeUndefined()
  })

  it.each([
    [[53, 8472], 'yes'],
    [[{ range: [8000, 9000] }], 'yes'],
    [[{ elem: { val: 8472, comment: 'overlay' } }], 'yes'],
    [[53, { range: [1, 1023] }], 'no'],
    [[], 'no'],
    [undefined, 'maybe'],
  ])('with %j say of the port of the overlay: %s', (elements, expected) => {
    const known = withElements(chains, new Map(elements === undefined ? [] : [['services', elements]]))
    const [rule] = tableFromNft('inet', 'filter', known).chains.get('input')?.rules ?? []
    const traffic: Traffic = {
      ...{ family: 4, input: 'eth0', output: undefined, protocol: 'udp', destinationPort: 8472 },
      ...{ source: { within: prefix('0.0.0.0/0') }, destination: { within: prefix('192.168.205.10/32') } },
    }
    expect(rule?.conditions.map((condition) => condition(traffic))).toEqual([expected])
  })
})
