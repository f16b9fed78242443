import { describe, expect, it, test } from 'vitest'
import { parseObjects, readListing, render } from '../../../../src/firewall/peer-filter/listing.ts'
import { elements, installation, tableObjects, transaction } from '../../../../src/firewall/peer-filter/filter-rules.ts'
import { ip } from '../../../../src/net/ip.ts'

const OVERLAY = { vni: 100, port: 8472 }
const PEERS = [ip('192.0.2.1'), ip('2001:db8::1')]

describe('the commands', () => {
  it('make nothing empty: addresses come in the transaction that replaces the table', () => {
    const commands = installation(OVERLAY, PEERS, 'both')
    expect(commands.slice(0, 2).map((command) => Object.keys(command)[0])).toEqual(['add', 'delete'])
    expect(JSON.stringify(commands)).toContain('"name":"peers4","elem":["192.0.2.1"]')
    expect(JSON.stringify(commands)).toContain('"name":"peers6","elem":["2001:db8::1"]')
  })

  it('name no set for which there is no address', () => {
    expect(elements('delete', PEERS.slice(0, 1))).toHaveLength(1)
    expect(elements('add', [])).toEqual([])
  })
})

describe('a listing', () => {
  const listed = (objects = tableObjects(OVERLAY, 'both, tracked')): ReturnType<typeof readListing> =>
    readListing(parseObjects(transaction(objects)))

  it('is the same whatever handles and counts the kernel gives', () => {
    const objects = tableObjects(OVERLAY, 'both, tracked').map((object) =>
      Object.fromEntries(
        Object.entries(object).map(([kind, value]) => [
          kind,
          Object.assign({ handle: 7, packets: 3, bytes: 90 }, value),
        ]),
      ),
    )
    expect(listed(objects).rendering).toBe(render(tableObjects(OVERLAY, 'both, tracked')))
    expect(listed(objects).drops).toEqual({ packets: 3, forged: 3 })
  })

  it.each(tableObjects(OVERLAY, 'both, tracked').map((object, at) => [at, Object.keys(object)[0]]))(
    'is another without object %i, a %s',
    (at) => {
      const rest = tableObjects(OVERLAY, 'both, tracked').filter((_, index) => index !== at)
      expect(listed(rest).rendering).not.toBe(render(tableObjects(OVERLAY, 'both, tracked')))
    },
  )

  it('is another with rules in another order, another VNI or another port', () => {
    const all = tableObjects(OVERLAY, 'both, tracked')
    expect(render([...all].reverse())).not.toBe(render(all))
    expect(render(tableObjects({ ...OVERLAY, vni: 101 }, 'both, tracked'))).not.toBe(render(all))
    expect(render(tableObjects({ ...OVERLAY, port: 4789 }, 'both, tracked'))).not.toBe(render(all))
  })

  it('tells addresses from whatever else a set may hold', () => {
    const set = { set: { family: 'inet', table: 'flannel-peers', name: 'peers4', elem: ['192.0.2.1', { elem: {} }] } }
    expect(listed([set])).toMatchObject({ peers: [ip('192.0.2.1')], hasOddElements: true })
  })

  it.each(['', '{}', '[]', 'null', '{"nftables":1}'])('is refused when it is %j', (text) => {
    expect(() => parseObjects(text)).toThrow(SyntaxError)
  })
})

/** As `nft -j list table inet flannel-peers` of nft 1.0.6 prints it, but for handles and counts (libnftables-json(5)). */
test('the table takes VXLAN of our VNI from peers alone, and leaves all else to others', () => {
  const table = { family: 'inet', table: 'flannel-peers' }
  const saddr = (protocol: string) => ({ payload: { protocol, field: 'saddr' } })
  const vni = { payload: { base: 'th', offset: 96, len: 24 } }
  const rule = (chain: string, comment: string, op: string, left: object, right: unknown, ...verdict: object[]) => ({
    rule: { ...table, chain, comment, expr: [{ match: { op, left, right } }, ...verdict] },
  })
  const drop = [{ counter: 'strangers' }, { drop: null }]
  const leave = { return: null }
  expect(tableObjects(OVERLAY, 'in')).toEqual([
    { table: { family: 'inet', name: 'flannel-peers' } },
    { counter: { ...table, name: 'strangers' } },
    { set: { ...table, name: 'peers4', type: 'ipv4_addr' } },
    { set: { ...table, name: 'peers6', type: 'ipv6_addr' } },
    { chain: { ...table, name: 'input', type: 'filter', hook: 'input', prio: -300, policy: 'accept' } },
    { chain: { ...table, name: 'overlay' } },
    rule('input', 'VXLAN', '==', { payload: { protocol: 'udp', field: 'dport' } }, 8472, {
      jump: { target: 'overlay' },
    }),
    rule('overlay', 'peers', '==', saddr('ip'), '@peers4', leave),
    rule('overlay', 'peers', '==', saddr('ip6'), '@peers6', leave),
    rule('overlay', 'not from a peer', '==', vni, 100, ...drop),
    rule('overlay', 'other networks', '!=', vni, 100, leave),
    rule('overlay', 'VNI hidden in a later fragment', '==', { exthdr: { name: 'frag' } }, true, ...drop),
  ])
})
