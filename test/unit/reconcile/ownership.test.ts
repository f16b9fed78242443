import { describe, expect, it } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { RouteEntry } from '../../../src/reconcile/entries.ts'
import type { RouteState } from '../../../src/kernel/kernel.ts'
import { isOwnRoute, ownFdb, ownNeighbour, routesOn } from '../../../src/reconcile/ownership.ts'
import { fdbRules, neighbourRules, routeRules } from '../../../src/reconcile/table-rules.ts'

const MAC = mac('02:00:00:00:00:01')
const [A, B] = [ip('192.168.0.1'), ip('192.168.0.2')] as const
const SUBNET = prefix('10.15.64.0/20')
const ROUTE = { destination: SUBNET, gateway: SUBNET.base, metric: 245, protocol: '70', onlink: true } as const

it('a row is named for people by what it leads to, also a route without a gateway', () => {
  expect(routeRules.describe(ROUTE)).toBe('route 10.15.64.0/20 via 10.15.64.0 metric 245')
  expect(routeRules.describe({ ...ROUTE, gateway: undefined })).toBe('route 10.15.64.0/20 via nothing metric 245')
})

describe('a neighbour', () => {
  it('is keyed by its address and compared by its MAC', () => {
    expect(neighbourRules.key({ ip: A, mac: MAC })).toBe('192.168.0.1')
    expect(neighbourRules.same({ ip: A, mac: MAC }, { ip: A, mac: mac('02:00:00:00:00:02') })).toBe(false)
  })

  it('is ours when it is permanent and has a MAC', () => {
    expect(ownNeighbour({ ip: A, mac: MAC, permanent: true })).toEqual({ ip: A, mac: MAC })
    expect(ownNeighbour({ ip: A, mac: MAC, permanent: false })).toBeUndefined()
    expect(ownNeighbour({ ip: A, mac: undefined, permanent: true })).toBeUndefined()
  })
})

describe('an fdb row', () => {
  it('is keyed by its MAC and compared by its destination', () => {
    expect(fdbRules.key({ mac: MAC, remote: A })).toBe('02:00:00:00:00:01')
    expect(fdbRules.same({ mac: MAC, remote: A }, { mac: MAC, remote: ip('192.168.0.1') })).toBe(true)
    expect(fdbRules.same({ mac: MAC, remote: A }, { mac: MAC, remote: B })).toBe(false)
  })

  it('is erased with whatever destination it has', () => {
    expect(fdbRules.erase(5, { mac: MAC, remote: A })).toEqual({ op: 'fdb.delete', linkIndex: 5, mac: MAC })
  })

  it('is ours when it is permanent and leads somewhere', () => {
    expect(ownFdb({ mac: MAC, remote: A, permanent: true })).toEqual({ mac: MAC, remote: A })
    expect(ownFdb({ mac: MAC, remote: A, permanent: false })).toBeUndefined()
    expect(ownFdb({ mac: MAC, remote: undefined, permanent: true })).toBeUndefined()
  })
})

describe('a route row', () => {
  const state: RouteState = {
    destination: SUBNET,
    gateway: SUBNET.base,
    metric: 0,
    protocol: 'boot',
    scope: 'global',
    onlink: true,
    type: 'unicast',
    table: 'main',
    linkIndex: 5,
  }
  const isOurs = (change: Partial<RouteState>): boolean => {
    const [row] = routesOn({ ...state, ...change }, 5)
    return row !== undefined && isOwnRoute(row)
  }

  it.each<[string, Partial<RouteEntry>]>([
    ['metric', { metric: 0 }],
    ['gateway', { gateway: A }],
    ['missing gateway', { gateway: undefined }],
    ['protocol', { protocol: 'boot' }],
  ])('of another %s is another row, as the kernel can have both', (_, change) => {
    expect(routeRules.key({ ...ROUTE, ...change })).not.toBe(routeRules.key(ROUTE))
  })

  it.each<[string, Partial<RouteState>, string]>([
    ['a source address', { extras: ['src'] }, 'src'],
    ['metrics and an encapsulation', { extras: ['metrics', 'encap'] }, 'metrics,encap'],
    ['another scope', { scope: 'site' }, 'scope'],
    ['a second next hop', { furtherHops: [{ linkIndex: 9, gateway: A }] }, 'nexthop'],
  ])('with %s is altered, and still the same row', (_, change, alterations) => {
    const [plain, altered, none] = [{}, change].flatMap((fields) =>
      routesOn({ ...state, metric: 245, protocol: '70', ...fields }, 5),
    )
    if (plain === undefined || altered === undefined) throw new Error('no rows')
    expect([plain.alterations, altered.alterations?.join()]).toEqual([undefined, alterations])
    expect(routeRules.key(altered)).toBe(routeRules.key(ROUTE))
    expect([routeRules.same(ROUTE, plain), routeRules.same(ROUTE, altered)]).toEqual([true, false])
    expect(none).toBeUndefined()
  })

  it('is one for each next hop on the link', () => {
    const furtherHops = [A, SUBNET.base].map((gateway, at) => ({ linkIndex: 5 + at, gateway }))
    const gateways = (link: number): readonly unknown[] =>
      routesOn({ ...state, furtherHops }, link).map(({ gateway }) => gateway)
    expect([gateways(5), gateways(6), gateways(7)]).toEqual([[SUBNET.base, A], [SUBNET.base], []])
  })

  it('needs the scope of its kind to be plain: that of the link without a gateway, none in IPv6', () => {
    const scopes: readonly Partial<RouteState>[] = [
      { gateway: undefined, scope: 'link' },
      { gateway: undefined, scope: 'global' },
      { gateway: undefined, scope: 'global', destination: prefix('fd00:5::/64') },
    ]
    const altered = scopes.flatMap((change) => routesOn({ ...state, ...change }, 5)).map((row) => row.alterations)
    expect(altered).toEqual([undefined, ['scope'], undefined])
  })

  it('is compared by onlink', () => {
    expect(routeRules.key(ROUTE)).toBe('10.15.64.0/20 via 10.15.64.0 metric 245 proto 70')
    expect(routeRules.same(ROUTE, { ...ROUTE })).toBe(true)
    expect(routeRules.same(ROUTE, { ...ROUTE, onlink: false })).toBe(false)
  })

  it('is written onlink, with our protocol and its metric', () => {
    expect(routeRules.write(5, ROUTE)).toEqual({
      op: 'route.replace',
      type: 'unicast',
      linkIndex: 5,
      destination: SUBNET,
      gateway: SUBNET.base,
      metric: 245,
      protocol: '70',
      onlink: true,
    })
  })

  it('is erased by metric, gateway and protocol, so that nobody else loses one like it', () => {
    expect(routeRules.erase(5, { ...ROUTE, metric: 0, protocol: 'boot' })).toMatchObject({
      op: 'route.delete',
      linkIndex: 5,
      destination: SUBNET,
      gateway: SUBNET.base,
      metric: 0,
      protocol: 'boot',
    })
  })

  it('is ours by our protocol, whatever its shape', () => {
    expect(isOurs({ protocol: '70', onlink: false, gateway: undefined })).toBe(true)
  })

  it("is ours by upstream's shape: boot, onlink, gateway at the base of its subnet", () => {
    expect(isOurs({})).toBe(true)
  })

  it.each<[string, Partial<RouteState>]>([
    ['another protocol', { protocol: 'static' }],
    ['no onlink', { onlink: false }],
    ['another gateway', { gateway: A }],
    ['no gateway', { gateway: undefined }],
    ['another table', { table: '100', protocol: '70' }],
    ['another type', { type: 'blackhole', protocol: '70' }],
  ])('is foreign with %s', (_, change) => {
    expect(isOurs(change)).toBe(false)
  })
})
