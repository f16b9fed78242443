import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ip, ipFromInteger } from '../../../../src/net/ip.ts'
import { prefix, prefixContains, prefixOf } from '../../../../src/net/prefix.ts'
import type { RouteState } from '../../../../src/kernel/kernel.ts'
import { directEntries, DirectReach } from '../../../../src/backend/vxlan/direct-reach.ts'
import { entriesOf } from '../../../fake/overlay-world.ts'

const UNDERLAY = 2

const route = (destination: string, fields: Partial<RouteState> = {}): RouteState => ({
  destination: prefix(destination),
  gateway: undefined,
  metric: 0,
  protocol: 'kernel',
  scope: 'link',
  onlink: false,
  type: 'unicast',
  table: 'main',
  linkIndex: UNDERLAY,
  ...fields,
})

const GATEWAY = { gateway: ip('192.168.205.254') }
const DEFAULT = route('0.0.0.0/0', GATEWAY)
const OWN_NETWORK = route('192.168.205.0/24')

describe('a peer is reached without a gateway', () => {
  it.each<[string, readonly RouteState[], string, boolean]>([
    ['in our own network', [DEFAULT, OWN_NETWORK], '192.168.205.11', true],
    ['not behind the default gateway', [DEFAULT, OWN_NETWORK], '192.168.206.11', false],
    [
      'not where a longer prefix leads to a gateway',
      [OWN_NETWORK, route('192.168.205.11/32', GATEWAY)],
      '192.168.205.11',
      false,
    ],
    ['through a route to the link alone', [DEFAULT, route('172.16.0.0/12')], '172.16.9.9', true],
    ['not over another link', [route('192.168.205.0/24', { linkIndex: 7 })], '192.168.205.11', false],
    [
      'not where packets are dropped',
      [OWN_NETWORK, route('192.168.205.11/32', { type: 'blackhole' })],
      '192.168.205.11',
      false,
    ],
    ['not without any route', [], '192.168.205.11', false],
    [
      'by the lower of two metrics',
      [route('192.168.205.0/24', { ...GATEWAY, metric: 100 }), OWN_NETWORK],
      '192.168.205.11',
      true,
    ],
    [
      'whatever routes of ours say',
      [OWN_NETWORK, route('192.168.205.8/29', { protocol: '70', ...GATEWAY })],
      '192.168.205.11',
      true,
    ],
    ['with IPv6', [route('2001:db8::/64'), route('::/0', { gateway: ip('fe80::1') })], '2001:db8::9', true],
    [
      'not behind an IPv6 gateway',
      [route('2001:db8::/64'), route('::/0', { gateway: ip('fe80::1') })],
      '2001:db9::9',
      false,
    ],
  ])('%s', (_, routes, address, reached) => {
    expect(new DirectReach(routes, UNDERLAY).reaches(ip(address))).toBe(reached)
    expect(new DirectReach([...routes].reverse(), UNDERLAY).reaches(ip(address))).toBe(reached)
  })

  it('as the longest prefix says, whatever the routes', () => {
    const anIp = fc.integer({ min: 0, max: 255 }).map((n) => ipFromInteger(4, BigInt(0xc0a80000 + n)))
    const aRoute = fc
      .tuple(anIp, fc.integer({ min: 24, max: 32 }), fc.boolean())
      .map(([base, length, via]) => route(prefixOf(base, length).text, via ? GATEWAY : {}))
    fc.assert(
      fc.property(
        fc.uniqueArray(aRoute, { selector: ({ destination }) => destination.text }),
        anIp,
        (routes, address) => {
          const [best] = routes
            .filter(({ destination }) => prefixContains(destination, address))
            .sort((a, b) => b.destination.length - a.destination.length)
          expect(new DirectReach(routes, UNDERLAY).reaches(address)).toBe(
            best !== undefined && best.gateway === undefined,
          )
        },
      ),
    )
  })
})

describe('the entries of a peer', () => {
  const tunnelled = entriesOf(1, 0)
  const remote = tunnelled.onDevice.fdb[0]?.remote ?? ip('0.0.0.0')

  it('are the plain route through its address when it is reached so', () => {
    const entries = directEntries(tunnelled, new DirectReach([route(`${remote.text}/32`)], UNDERLAY))
    expect(entries).toEqual({
      onDevice: { neighbours: [], fdb: [], routes: [] },
      onUnderlay: [{ ...tunnelled.onDevice.routes[0], gateway: remote, onlink: false }],
    })
  })

  it('are those of the tunnel otherwise', () => {
    expect(directEntries(tunnelled, new DirectReach([], UNDERLAY))).toBe(tunnelled)
  })
})
