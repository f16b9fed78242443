import { describe, expect, it } from 'vitest'
import { readAddress } from '../../src/netlink/codec/address.ts'
import { readAcknowledgement } from '../../src/netlink/conversation.ts'
import { readLink } from '../../src/netlink/codec/link.ts'
import { readNeighbour } from '../../src/netlink/codec/neighbour.ts'
import { Attributes } from '../../src/netlink/codec/reader.ts'
import { readLookup, readRoute } from '../../src/netlink/codec/route.ts'
import { NLMSG } from '../../src/netlink/codec/uapi.ts'
import { readAnswer, realDatagrams, recording, walk } from './golden.ts'

const FLANNEL = 4

describe('the answers the kernel gave to iproute2 are understood', () => {
  it('links of every kind', () => {
    const links = readAnswer('links', readLink)
    expect(links.map(({ name, kind }) => [name, kind])).toEqual([
      ['lo', undefined],
      ['under1', 'veth'],
      ['under0', 'veth'],
      ['flannel.100', 'vxlan'],
      ['vx8', 'vxlan'],
      ['br0', 'bridge'],
    ])
    expect(links[0]).toMatchObject({ loopback: true, up: true, mtu: 65_536 })
  })

  it('all other names of a link', () => {
    const links = readAnswer('links', readLink).map(({ name, altNames }) => [name, altNames])
    expect(links.filter(([, names]) => names !== undefined)).toEqual([
      ['under0', ['uplink', 'a-name-that-is-longer-than-fifteen']],
    ])
  })

  it('a VXLAN device with all its settings', () => {
    const [link] = readAnswer('link by name', readLink)
    expect(link).toEqual({
      index: FLANNEL,
      name: 'flannel.100',
      mac: '02:00:00:00:00:02',
      mtu: 1400,
      up: true,
      carrier: true,
      loopback: false,
      kind: 'vxlan',
      alias: undefined,
      master: undefined,
      vxlan: {
        vni: 100,
        local: expect.objectContaining({ text: '192.0.2.1' }) as unknown,
        underlayIndex: 3,
        port: 8472,
        learning: false,
        gbp: false,
        ttl: 0,
        udpChecksum: true,
        external: false,
      },
    })
    const vx8 = readAnswer('links', readLink).find(({ name }) => name === 'vx8')
    expect(vx8).toMatchObject({
      master: 7,
      vxlan: { local: { text: '2001:db8::1' }, learning: true, udpChecksum: false },
    })
  })

  it('addresses', () => {
    const addresses = readAnswer('addresses', readAddress).map(
      (a) => `${a.linkIndex} ${a.ip.text}/${a.prefixLength} ${a.scope}`,
    )
    expect(addresses).toEqual(
      expect.arrayContaining([
        '1 127.0.0.1/8 host',
        '3 192.0.2.1/24 global',
        '4 10.1.0.0/32 global',
        '1 ::1/128 host',
        '4 fd00::1/128 global',
      ]),
    )
  })

  it('neighbours, with those that are not permanent told apart', () => {
    const found = readAnswer('neighbours', readNeighbour).flatMap((entry) =>
      entry.kind === 'neighbour' ? [entry] : [],
    )
    const permanent = found.filter(({ neighbour }) => neighbour.permanent)
    expect(permanent.map(({ linkIndex, neighbour }) => [linkIndex, neighbour.ip.text, neighbour.mac])).toEqual([
      [FLANNEL, '10.16.0.0', '02:00:00:00:aa:01'],
      [FLANNEL, 'fd00:16::', '02:00:00:00:aa:01'],
    ])
    expect(found.length).toBeGreaterThan(permanent.length)
  })

  it("fdb entries of VXLAN devices, without a bridge's own about its ports", () => {
    const found = readAnswer('fdb', readNeighbour).flatMap((entry) => (entry.kind === 'fdb' ? [entry] : []))
    const remotes = found.filter(({ entry }) => entry.remote !== undefined)
    expect(
      remotes.map(({ linkIndex, entry }) => `${linkIndex} ${entry.mac} ${entry.remote?.text ?? ''} ${entry.permanent}`),
    ).toEqual(
      expect.arrayContaining([
        '4 02:00:00:00:aa:01 192.0.2.9 true',
        '4 00:00:00:00:00:00 192.0.2.77 true',
        '6 02:00:00:00:aa:02 2001:db8::9 true',
      ]),
    )
  })

  it('fdb entries that lead to another port, VNI or link, told apart', () => {
    const found = readAnswer('fdb', readNeighbour).flatMap((entry) => (entry.kind === 'fdb' ? [entry.entry] : []))
    const astray = found.filter((entry) => entry.astray === true)
    expect(astray.map(({ mac, remote }) => [mac, remote?.text])).toEqual([['02:00:00:00:aa:03', '192.0.2.9']])
  })

  it('routes: default, onlink, blackhole, several next hops, a gateway of the other family; other tables left out', () => {
    const routes = readAnswer('routes IPv4', readRoute)
    const show = (text: string) => {
      const route = routes.find(({ destination }) => destination.text === text)
      return route && { via: route.gateway?.text, dev: route.linkIndex, type: route.type, onlink: route.onlink }
    }
    expect(show('0.0.0.0/0')).toEqual({ via: '192.0.2.254', dev: 3, type: 'unicast', onlink: false })
    expect(show('10.18.0.0/20')).toEqual({ via: undefined, dev: undefined, type: 'blackhole', onlink: false })
    expect(show('10.20.0.0/16')).toEqual({ via: '192.0.2.7', dev: 3, type: 'unicast', onlink: false })
    expect(show('10.21.0.0/16')).toEqual({ via: 'fe80::1', dev: 3, type: 'unicast', onlink: false })
    expect(routes.every(({ table }) => table === 'main')).toBe(true)
    const six = readAnswer('routes IPv6', readRoute).find(({ destination }) => destination.text === 'fd00:16::/64')
    expect(six).toMatchObject({
      gateway: { text: 'fd00:16::' },
      metric: 4242,
      protocol: '70',
      onlink: true,
      linkIndex: FLANNEL,
    })
  })

  it('what a route says beyond that: all its next hops, and extras; routes for a type of service left out', () => {
    const routes = [...readAnswer('routes IPv4', readRoute), ...readAnswer('routes IPv6', readRoute)]
    const show = (text: string) => {
      const { extras, furtherHops } = routes.find(({ destination }) => destination.text === text) ?? {}
      return [extras, furtherHops?.map(({ linkIndex, gateway }) => `${linkIndex ?? 0} ${gateway?.text ?? ''}`)]
    }
    expect(show('10.16.0.0/20')).toEqual([undefined, undefined])
    expect(show('fd00:16::/64')).toEqual([undefined, undefined])
    expect(show('10.20.0.0/16')).toEqual([undefined, ['3 192.0.2.8']])
    expect(show('10.22.0.0/16')).toEqual([['src', 'metrics', 'realm'], undefined])
    expect(show('10.23.0.0/16')).toEqual([['encap'], undefined])
    expect(routes.map(({ destination }) => destination.text)).not.toContain('10.24.0.0/16')
    expect(show('fd00:25::/64')).toEqual([['expires'], undefined])
    expect(show('fd00:26::/64')).toEqual([undefined, [`${FLANNEL} fd00:27::`]])
  })

  it('a lookup', () => {
    expect(readAnswer('a lookup', readLookup)).toMatchObject([
      { linkIndex: FLANNEL, gateway: { text: '10.16.0.0' }, source: { text: '10.1.0.0' } },
    ])
  })

  it('a refusal, in the words of the kernel', () => {
    const refusals: unknown[] = []
    const answer = recording.answers.find(({ name }) => name === 'refusal')
    walk(
      (answer?.datagrams ?? []).map((hex) => Buffer.from(hex, 'hex')),
      (message) => {
        if (message.type === NLMSG.ERROR) refusals.push(readAcknowledgement(message))
      },
    )
    expect(refusals).toEqual([{ errno: 101, explanation: 'Nexthop has invalid gateway' }])
  })

  it('attribute by attribute, those unknown to us included', () => {
    const HEADER_OF_LINK = 16
    const counts: number[] = []
    walk(realDatagrams, (message) => {
      if (message.type !== 16) return
      const attributes = message.attributes(HEADER_OF_LINK)
      const again = [...attributes].reduce((size, [, payload]) => size + ((4 + payload.length + 3) & ~3), 0)
      expect(again).toBe(((message.end + 3) & ~3) - message.payload - HEADER_OF_LINK)
      expect(attributes).toBeInstanceOf(Attributes)
      counts.push([...attributes].length)
    })
    expect(Math.max(...counts)).toBeGreaterThanOrEqual(40)
  })
})
