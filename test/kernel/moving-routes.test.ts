import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ip, type Family } from '../../src/net/ip.ts'
import { locallyAdministeredMac } from '../../src/net/mac.ts'
import { prefix } from '../../src/net/prefix.ts'
import { NO_ROWS, type PeerEntries } from '../../src/reconcile/entries.ts'
import type { RouteState } from '../../src/kernel/kernel.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { ChangeRecorder, isChange } from '../contract/change-recorder.ts'
import { makeVxlan } from './peers.ts'
import { ipJson, realKernel, tool, type RealHarness } from './real-kernel.ts'

const { signal } = new AbortController()
const WORKER = process.pid % 250
/** So many that their operations do not fit what is sent while our own subscription listens. */
const MANY = 1_200

let harness: RealHarness
let underlay: { readonly name: string; readonly index: number }
let device: number

beforeEach(async () => {
  harness = realKernel()
  const name = `m${WORKER}`
  tool('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `p${name}`)
  for (const link of [name, `p${name}`]) tool('ip', 'link', 'set', link, 'up')
  tool('ip', 'address', 'add', `12.${WORKER}.0.1/24`, 'dev', name)
  tool('ip', 'address', 'add', `2001:db8:${WORKER}::1/64`, 'dev', name, 'nodad')
  underlay = { name, index: (await harness.other.link(name, signal))?.index ?? 0 }
  device = await makeVxlan(harness)
})

afterEach(async () => {
  tool('ip', 'link', 'delete', underlay.name)
  await harness.dispose()
})

/** Peer number `n` of either family, through the tunnel and without it. */
function peerOf(family: Family, n = 0): { readonly tunnelled: PeerEntries; readonly direct: PeerEntries } {
  const [high, low] = [n >> 4, (n & 0xf) << 4]
  const destination = prefix(
    family === 4 ? `13.${WORKER}.${high}.${low}/28` : `fd00:${WORKER}:0:${n.toString(16)}::/64`,
  )
  const gateway = ip(family === 4 ? `12.${WORKER}.0.9` : `2001:db8:${WORKER}::9`)
  const route = { destination, metric: 5 + n, protocol: '70' } as const
  const peerMac = locallyAdministeredMac(Uint8Array.of(2, 0, 0, 8, n >> 8, n & 0xff))
  return {
    tunnelled: {
      onUnderlay: [],
      onDevice: {
        neighbours: [{ ip: destination.base, mac: peerMac }],
        fdb: [{ mac: peerMac, remote: ip(`12.${WORKER}.0.9`) }],
        routes: [{ ...route, gateway: destination.base, onlink: true }],
      },
    },
    direct: { onDevice: NO_ROWS, onUnderlay: [{ ...route, gateway, onlink: false }] },
  }
}

function makeReconciler(family: Family): Reconciler {
  const clock = { monotonicMs: () => performance.now(), sleep: () => Promise.resolve() }
  const reconciler = new Reconciler(harness.kernel, [family], clock, () => 0.5)
  reconciler.attach(device)
  reconciler.attachUnderlay(underlay.index, {
    network: prefix(family === 4 ? '13.0.0.0/8' : 'fd00::/16'),
    subnetLength: 64,
  })
  reconciler.allowPruning()
  return reconciler
}

async function settle(reconciler: Reconciler): Promise<void> {
  for (let passes = 0; passes < 3; passes++)
    expect((await reconciler.pass(signal)).failures.map(({ error }) => error.message)).toEqual([])
}

describe.each([4, 6] as const)('a peer of IPv%i that moves between tunnel and underlay', (family) => {
  it('has one route, put in the place of the other', async () => {
    const { tunnelled, direct } = peerOf(family)
    const destination = (tunnelled.onDevice.routes[0]?.destination ?? prefix('::/0')).text
    const reconciler = makeReconciler(family)
    reconciler.setPeer('peer', tunnelled)
    await settle(reconciler)
    const recorder = new ChangeRecorder(harness.other.changes(() => [device, underlay.index], signal))
    const isGone = isChange('route', ({ route, gone }) => gone && route.destination.text === destination)
    for (const [entries, dev] of [
      [direct, underlay.name],
      [tunnelled, harness.device(0).name],
      [direct, underlay.name],
    ] as const) {
      reconciler.setPeer('peer', entries)
      await settle(reconciler)
      expect(reconciler.pending).toBe(0)
      const routes = ipJson(family === 4 ? '-4' : '-6', 'route', 'show', destination)
      expect(routes.map((route) => [route['dev'], route['metric'], route['protocol']])).toEqual([[dev, 5, '70']])
    }
    const isNew = (route: RouteState): boolean => route.destination.text === destination
    await recorder.first(
      'route',
      isChange('route', ({ route }) => isNew(route) && route.linkIndex === device),
    )
    expect(recorder.seen.filter(isGone)).toEqual([])
    expect(ipJson(family === 4 ? '-4' : '-6', 'route', 'show', 'proto', '70')).toHaveLength(1)
  })
})

describe.each([4, 6] as const)('very many peers of IPv%i that move at once', (family) => {
  it('have a route each all the time, and nothing is left behind', { timeout: 60_000 }, async () => {
    const moving = Array.from({ length: MANY }, (_, n) => ({ key: `peer ${n}`, ...peerOf(family, n) }))
    const reconciler = makeReconciler(family)
    for (const { key, tunnelled } of moving) reconciler.setPeer(key, tunnelled)
    await settle(reconciler)
    const recorder = new ChangeRecorder(harness.other.changes(() => [device, underlay.index], signal))
    const left = (): readonly unknown[] => recorder.seen.filter(isChange('route', ({ gone }) => gone))
    const routesOn = (link: string): number =>
      ipJson(family === 4 ? '-4' : '-6', 'route', 'show', 'dev', link, 'proto', '70').length
    const { name } = harness.device(0)
    for (const { key, direct } of moving) reconciler.setPeer(key, direct)
    await settle(reconciler)
    expect([routesOn(name), routesOn(underlay.name), reconciler.pending, left()]).toEqual([0, MANY, 0, []])
    expect((await harness.other.snapshot(device, [family], signal)).fdb).toEqual([])
    for (const { key, tunnelled } of moving) reconciler.setPeer(key, tunnelled)
    await settle(reconciler)
    const gateways =
      family === 6 ? isChange('route', ({ gone, route }) => gone && route.gateway === undefined) : () => false
    expect([routesOn(name), routesOn(underlay.name), reconciler.pending]).toEqual([MANY, 0, 0])
    expect(recorder.seen.filter(isChange('route', (change) => change.gone && !gateways(change)))).toEqual([])
  })
})
