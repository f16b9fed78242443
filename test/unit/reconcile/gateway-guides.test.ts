import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { PeerEntries, RouteEntry } from '../../../src/reconcile/entries.ts'
import { Reconciler } from '../../../src/reconcile/reconciler.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'
import { deviceSpecOn } from '../../fake/samples.ts'

const SUBNET = prefix('fd00:10:0:5::/64')
const [GATEWAY, PUBLIC_IP] = [SUBNET.base, ip('2001:db8::9')] as const
const MAC = mac('02:00:00:00:00:77')
const ROUTE: RouteEntry = { destination: SUBNET, gateway: GATEWAY, metric: 5, protocol: '70', onlink: true }
const TUNNELLED: PeerEntries = {
  onUnderlay: [],
  onDevice: {
    neighbours: [{ ip: GATEWAY, mac: MAC }],
    fdb: [{ mac: MAC, remote: PUBLIC_IP }],
    routes: [ROUTE],
  },
}

let stop: AbortController
let kernel: FakeKernel
let clock: FakeClock
let reconciler: Reconciler
let underlay: number
let device: number

beforeEach(() => {
  stop = new AbortController()
  kernel = new FakeKernel()
  clock = new FakeClock()
  underlay = kernel.addCard('eth0').index
  kernel.outside({ op: 'address.add', linkIndex: underlay, ip: ip('2001:db8::1'), prefixLength: 64 })
  kernel.outside({ op: 'link.create', spec: deviceSpecOn(underlay) })
  device = kernel.indexOf('flannel.100') ?? 0
  kernel.outside({ op: 'link.set', linkIndex: device, up: true })
})

afterEach(() => {
  stop.abort()
})

function start(): void {
  const started = new Reconciler(kernel, [6], clock, () => 0.5)
  reconciler = started
  started.attach(device)
  started.attachUnderlay(underlay, { network: prefix('fd00:10::/48'), subnetLength: 64 })
  started.allowPruning()
  const changes = kernel.changes(() => started.watchedLinks, stop.signal)
  void (async () => {
    for await (const change of changes) started.observe(change)
  })()
  started.setPeer('peer', TUNNELLED)
}

/** Passes for as long as there is something to do at once. @returns what the kernel has refused for good */
async function settle(): Promise<readonly string[]> {
  const failures: string[] = []
  do failures.push(...(await reconciler.pass(stop.signal)).failures.map(({ error }) => error.code))
  while (reconciler.nextPassInMs() === 0)
  return failures
}

/** Routes of the main table, but for the kernel's own. */
const routes = (): readonly string[] =>
  [...kernel.tables.routes.values()]
    .filter(({ protocol }) => protocol !== 'kernel')
    .map(
      ({ destination, linkIndex, protocol }) =>
        `${destination.text} ${linkIndex === device ? 'device' : 'underlay'} ${protocol}`,
    )

describe('a route of IPv6 whose gateway another link leads to', () => {
  it('is put in the place of the one that somebody else has put in its place', async () => {
    start()
    expect(await settle()).toEqual([])
    const elsewhere = {
      destination: SUBNET,
      gateway: PUBLIC_IP,
      metric: 5,
      protocol: 'static',
      linkIndex: underlay,
    } as const
    for (const turn of ['first', 'second', 'third']) {
      kernel.outside({ op: 'route.replace', type: 'unicast', ...elsewhere })
      await clock.advance(300)
      expect(await settle(), turn).toEqual([])
      expect(routes(), turn).toEqual([`${SUBNET.text} device 70`])
    }
  })

  it('is put in the place of the direct one of an earlier run, at once', async () => {
    const direct = { ...ROUTE, gateway: PUBLIC_IP, onlink: false, linkIndex: underlay }
    kernel.outside({ op: 'route.replace', type: 'unicast', ...direct })
    start()
    expect(await settle()).toEqual([])
    expect(routes()).toEqual([`${SUBNET.text} device 70`])
    expect(reconciler.pending).toBe(0)
  })

  it('is refused, and said to be, when the way to its gateway was not the reason', async () => {
    kernel.faults.refuse = (op) =>
      op.op === 'route.replace' && op.destination.text === SUBNET.text ? 'EINVAL' : undefined
    start()
    expect(await settle()).toEqual(['EINVAL'])
    reconciler.setPeer('peer', undefined)
    expect(await settle()).toEqual([])
    expect(routes()).toEqual([])
  })
})
