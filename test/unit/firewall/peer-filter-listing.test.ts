import { describe, expect, it } from 'vitest'
import { parseObjects, readListing, render } from '../../../src/firewall/peer-filter-listing.ts'
import { elements, installation, tableObjects, transaction } from '../../../src/firewall/peer-filter-rules.ts'
import { ip } from '../../../src/net/ip.ts'

const OVERLAY = { vni: 100, port: 8472 }
const PEERS = [ip('192.0.2.1'), ip('2001:db8::1')]

describe('the commands', () => {
  it('make nothing empty: addresses come in the transaction that replaces the table', () => {
    const commands = installation(OVERLAY, PEERS)
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
  const listed = (objects = tableObjects(OVERLAY)): ReturnType<typeof readListing> =>
    readListing(parseObjects(transaction(objects)))

  it('is the same whatever handles and counts the kernel gives', () => {
    const objects = tableObjects(OVERLAY).map((object) =>
      Object.fromEntries(
        Object.entries(object).map(([kind, value]) => [
          kind,
          Object.assign({ handle: 7, packets: 3, bytes: 90 }, value),
        ]),
      ),
    )
    expect(listed(objects).rendering).toBe(render(tableObjects(OVERLAY)))
    expect(listed(objects).dropped).toBe(3)
  })

  it.each(tableObjects(OVERLAY).map((object, at) => [at, Object.keys(object)[0]]))(
    'is another without object %i, a %s',
    (at) => {
      const rest = tableObjects(OVERLAY).filter((_, index) => index !== at)
      expect(listed(rest).rendering).not.toBe(render(tableObjects(OVERLAY)))
    },
  )

  it('is another with rules in another order, another VNI or another port', () => {
    const all = tableObjects(OVERLAY)
    expect(render([...all].reverse())).not.toBe(render(all))
    expect(render(tableObjects({ ...OVERLAY, vni: 101 }))).not.toBe(render(all))
    expect(render(tableObjects({ ...OVERLAY, port: 4789 }))).not.toBe(render(all))
  })

  it('tells addresses from whatever else a set may hold', () => {
    const set = { set: { family: 'inet', table: 'flannel-peers', name: 'peers4', elem: ['192.0.2.1', { elem: {} }] } }
    expect(listed([set])).toMatchObject({ peers: [ip('192.0.2.1')], hasOddElements: true })
  })

  it.each(['', '{}', '[]', 'null', '{"nftables":1}'])('is refused when it is %j', (text) => {
    expect(() => parseObjects(text)).toThrow(SyntaxError)
  })
})
