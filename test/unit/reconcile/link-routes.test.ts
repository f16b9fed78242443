import { describe, expect, it } from 'vitest'
import type { RouteState } from '../../../src/kernel/kernel.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { RouteEntry } from '../../../src/reconcile/entries.ts'
import { LinkRoutes } from '../../../src/reconcile/link-routes.ts'

const LINK = 7
const [A, B] = [ip('192.168.0.3'), ip('192.168.0.4')]
const row = (gateway = A): RouteEntry => ({
  ...{ destination: prefix('10.20.0.0/20'), gateway, metric: 0, protocol: '70', onlink: false },
})
const state = (fields: Partial<RouteState> = {}): RouteState => ({
  ...{ ...row(), scope: 'global', type: 'unicast', table: 'main', linkIndex: LINK },
  ...fields,
})

/** Routes of a link on which everything with our protocol is ours. */
const linkRoutes = (...wanted: readonly RouteEntry[]): LinkRoutes => {
  const routes = new LinkRoutes({ routesOnly: true, isOwnRoute: ({ protocol }) => protocol === '70' }, () => 0.5)
  routes.change('peer', [], wanted)
  return routes
}
const gateways = (rows: readonly RouteEntry[]): readonly unknown[] => rows.map(({ gateway }) => gateway?.text)

describe('a route with several next hops', () => {
  const route = state({ furtherHops: [{ linkIndex: LINK, gateway: B }] })

  it('is as many routes of ours where nobody wants it', () => {
    expect(gateways(linkRoutes().ownRows(route, LINK))).toEqual([A.text, B.text])
  })

  it('is the one that is wanted, whose writing ends the others', () => {
    expect(gateways(linkRoutes(row(A)).ownRows(route, LINK))).toEqual([A.text])
    expect(gateways(linkRoutes(row(B)).ownRows(route, LINK))).toEqual([B.text])
  })

  it('is none of ours with another protocol, unless it is wanted', () => {
    const foreign = { ...route, protocol: 'static' } as const
    expect(linkRoutes().ownRows(foreign, LINK)).toEqual([])
  })
})

it('a route may be in the place of one that is wanted to the same destination with the same metric', () => {
  const routes = linkRoutes(row())
  expect(routes.mayBeReplacedBy(state({ linkIndex: 9 }))).toBe(true)
  expect(routes.mayBeReplacedBy(state({ linkIndex: 9, metric: 1 }))).toBe(false)
  expect(routes.mayBeReplacedBy(state({ linkIndex: 9, destination: prefix('10.30.0.0/20') }))).toBe(false)
  routes.change('peer', [row()], [])
  expect(routes.mayBeReplacedBy(state({ linkIndex: 9 }))).toBe(false)
})
