import { describe, expect, it } from 'vitest'
import { ip, type Ip } from '../../../../src/net/ip.ts'
import { PeerAddresses } from '../../../../src/agent/peer-filter/peer-addresses.ts'

const A = ip('192.0.2.1')
const B = ip('192.0.2.2')
const C = ip('2001:db8::3')
const texts = (addresses: readonly Ip[]): readonly string[] => addresses.map(({ text }) => text).sort()

/** A filter that does as it is told. */
function settle(addresses: PeerAddresses): void {
  addresses.changed({ added: addresses.missing(), removed: addresses.surplus() })
}

describe('addresses of the peers', () => {
  it('are asked for once each, of both families', () => {
    const addresses = new PeerAddresses()
    addresses.setPeer('a', [A, C])
    addresses.setPeer('b', [B])
    expect(texts(addresses.missing())).toEqual([A.text, B.text, C.text])
    expect(addresses.size).toBe(3)
    settle(addresses)
    expect(addresses.missing()).toEqual([])
    expect(addresses.surplus()).toEqual([])
  })

  it('stay as long as one of two peers with the same address is there', () => {
    const addresses = new PeerAddresses()
    addresses.setPeer('a', [A])
    addresses.setPeer('b', [A])
    settle(addresses)
    addresses.setPeer('a', undefined)
    expect(addresses.surplus()).toEqual([])
    expect(texts(addresses.wanted())).toEqual([A.text])
    addresses.setPeer('b', undefined)
    expect(texts(addresses.surplus())).toEqual([A.text])
    expect(addresses.wanted()).toEqual([])
  })

  it('are neither added nor removed when a peer keeps its address and changes otherwise', () => {
    const addresses = new PeerAddresses()
    addresses.setPeer('a', [A])
    settle(addresses)
    addresses.setPeer('a', [A])
    expect([addresses.missing(), addresses.surplus()]).toEqual([[], []])
    addresses.setPeer('a', undefined)
    expect(texts(addresses.surplus())).toEqual([A.text])
  })

  it('are added before the old one is given up when a peer moves', () => {
    const addresses = new PeerAddresses()
    addresses.setPeer('a', [A])
    settle(addresses)
    addresses.setPeer('a', [B])
    expect([texts(addresses.missing()), texts(addresses.surplus())]).toEqual([[B.text], [A.text]])
    addresses.changed({ added: [B], removed: [] })
    expect([addresses.missing(), texts(addresses.surplus())]).toEqual([[], [A.text]])
  })

  it('that come back before they were removed need nothing', () => {
    const addresses = new PeerAddresses()
    addresses.setPeer('a', [A])
    settle(addresses)
    addresses.setPeer('a', undefined)
    addresses.setPeer('b', [A])
    expect([addresses.missing(), addresses.surplus()]).toEqual([[], []])
  })

  it('tells what others have taken away, and what they have put in', () => {
    const addresses = new PeerAddresses()
    addresses.setPeer('a', [A])
    addresses.setPeer('b', [B])
    settle(addresses)
    expect(addresses.found([A, C])).toBe(1)
    expect([texts(addresses.missing()), texts(addresses.surplus())]).toEqual([[B.text], [C.text]])
  })
})
