import { describe, expect, it } from 'vitest'
import { ip, type Ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { KernelOp, RouteState } from '../../../src/reconcile/kernel.ts'
import {
  fdbRow,
  fdbRules,
  isOwnRoute,
  neighbourRules,
  ownFdb,
  ownNeighbour,
  routeRow,
  routeRowOf,
  routeRules,
} from '../../../src/reconcile/tables.ts'

const MAC = mac('02:00:00:00:00:01')
const [A, B, C] = [ip('192.168.0.1'), ip('192.168.0.2'), ip('192.168.0.3')] as const
const SUBNET = prefix('10.15.64.0/20')
const ROUTE = routeRow({ destination: SUBNET, gateway: SUBNET.base, metric: 245 })

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

/** Destinations of one MAC as the kernel keeps them: replacing changes the first, unless the wanted one is among them (vxlan_fdb_replace). */
function afterFdbOp(remotes: readonly Ip[], op: KernelOp): readonly Ip[] {
  if (op.op === 'fdb.delete') return remotes.filter(({ text }) => op.remote !== undefined && text !== op.remote.text)
  if (op.op !== 'fdb.replace' || remotes.some(({ text }) => text === op.remote.text)) return remotes
  return [op.remote, ...remotes.slice(1)]
}

describe('an fdb row', () => {
  it('is the same only with the same destinations, in any order', () => {
    const row = (...remotes: readonly Ip[]) => ({ mac: MAC, remotes })
    expect(fdbRules.same(row(A, B), row(B, A))).toBe(true)
    expect(fdbRules.same(row(A), row(A, B))).toBe(false)
    expect(fdbRules.same(row(A), row(B))).toBe(false)
  })

  it.each([
    ['nothing', []],
    ['another destination', [B]],
    ['ours and another', [A, B]],
    ['another and ours', [B, A]],
    ['three others', [B, C, ip('192.168.0.4')]],
  ])('is written over %s so that one destination is left', (_, remotes) => {
    const actual = remotes.length === 0 ? undefined : { mac: MAC, remotes }
    const ops = fdbRules.write(5, fdbRow({ mac: MAC, remote: A }), actual)
    expect(ops.reduce(afterFdbOp, remotes).map(({ text }) => text)).toEqual(['192.168.0.1'])
  })

  it('is erased with all its destinations', () => {
    expect(fdbRules.erase(5, { mac: MAC, remotes: [A, B] })).toEqual([{ op: 'fdb.delete', linkIndex: 5, mac: MAC }])
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
    protocol: 3,
    scope: 0,
    onlink: true,
    type: 1,
    table: 254,
    linkIndex: 5,
  }
  const isOurs = (change: Partial<RouteState>): boolean => {
    const row = routeRowOf({ ...state, ...change })
    return row !== undefined && isOwnRoute(row)
  }

  it('is keyed as the kernel keys it: another metric is another route', () => {
    expect(routeRules.key(ROUTE)).toBe('10.15.64.0/20 245')
    expect(routeRules.key({ ...ROUTE, metric: 0 })).not.toBe(routeRules.key(ROUTE))
  })

  it('differs by gateway, protocol and onlink', () => {
    expect(routeRules.same(ROUTE, { ...ROUTE })).toBe(true)
    expect(routeRules.same(ROUTE, { ...ROUTE, gateway: A })).toBe(false)
    expect(routeRules.same(ROUTE, { ...ROUTE, gateway: undefined })).toBe(false)
    expect(routeRules.same(ROUTE, { ...ROUTE, protocol: 3 })).toBe(false)
    expect(routeRules.same(ROUTE, { ...ROUTE, onlink: false })).toBe(false)
  })

  it('is written onlink, with our protocol and its metric', () => {
    expect(routeRules.write(5, ROUTE, undefined)).toEqual([
      {
        op: 'route.replace',
        type: 'unicast',
        linkIndex: 5,
        destination: SUBNET,
        gateway: SUBNET.base,
        metric: 245,
        protocol: 70,
        onlink: true,
      },
    ])
  })

  it('is erased by metric, gateway and protocol, so that nobody else loses one like it', () => {
    expect(routeRules.erase(5, { ...ROUTE, metric: 0, protocol: 3 })).toMatchObject([
      { op: 'route.delete', linkIndex: 5, destination: SUBNET, gateway: SUBNET.base, metric: 0, protocol: 3 },
    ])
  })

  it('is ours by our protocol, whatever its shape', () => {
    expect(isOurs({ protocol: 70, onlink: false, gateway: undefined })).toBe(true)
  })

  it("is ours by upstream's shape: boot, onlink, gateway at the base of its subnet", () => {
    expect(isOurs({})).toBe(true)
  })

  it.each<[string, Partial<RouteState>]>([
    ['another protocol', { protocol: 4 }],
    ['no onlink', { onlink: false }],
    ['another gateway', { gateway: A }],
    ['no gateway', { gateway: undefined }],
    ['another table', { table: 100, protocol: 70 }],
    ['another type', { type: 6, protocol: 70 }],
  ])('is foreign with %s', (_, change) => {
    expect(isOurs(change)).toBe(false)
  })
})
