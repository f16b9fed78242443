import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/host/system-clock.ts'
import { ip, type Family } from '../../src/net/ip.ts'
import { locallyAdministeredMac } from '../../src/net/mac.ts'
import { prefix } from '../../src/net/prefix.ts'
import { NO_ROWS, type LinkRows, type PeerEntries } from '../../src/reconcile/entries.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { waitFor } from '../lab/wait-for.ts'
import { makeVxlan } from './peers.ts'
import { bridgeJson, ipJson, realKernel, tool, type Json, type RealHarness } from './real-kernel.ts'

const WORKER = process.pid % 250

let harness: RealHarness
let underlay: string
let device: string
let reconciler: Reconciler
let stop: AbortController
/** Something was reported that there may be something to do about. */
let isWorthAPass: boolean

beforeAll(async () => {
  stop = new AbortController()
  harness = realKernel()
  underlay = `a${WORKER}`
  tool('ip', 'link', 'add', underlay, 'type', 'veth', 'peer', 'name', `p${underlay}`)
  for (const link of [underlay, `p${underlay}`]) tool('ip', 'link', 'set', link, 'up')
  tool('ip', 'address', 'add', `12.${WORKER}.1.1/24`, 'dev', underlay)
  tool('ip', 'address', 'add', `2001:db8:1${WORKER}::1/64`, 'dev', underlay, 'nodad')
  const linkIndex = await makeVxlan(harness)
  device = harness.device(0).name
  tool('ip', 'address', 'add', `fd01:${WORKER}::/128`, 'dev', device, 'nodad')
  reconciler = new Reconciler(harness.kernel, [4, 6], systemClock, () => 0.5)
  isWorthAPass = false
  void listen()
  reconciler.attach(linkIndex)
  reconciler.attachUnderlay((await harness.other.link(underlay, stop.signal))?.index ?? 0, {
    network: prefix('14.0.0.0/8'),
    subnetLength: 24,
  })
  reconciler.allowPruning()
  for (const family of [4, 6] as const)
    for (let n = 1; n <= ALTERATIONS.length; n++) {
      reconciler.setPeer(`tunnelled ${family} ${n}`, peerOf(family, n))
      reconciler.setPeer(`direct ${family} ${n}`, directPeerOf(family, DIRECT + n))
    }
  for (const family of [4, 6] as const) tool('ip', `-${family}`, 'route', 'add', ...foreignRoute(family).split(' '))
  await settle()
})

afterAll(async () => {
  stop.abort()
  tool('ip', 'link', 'delete', underlay)
  await harness.dispose()
})

async function listen(): Promise<void> {
  const changes = harness.kernel.changes(() => reconciler.watchedLinks, stop.signal)
  for await (const change of changes) if (reconciler.observe(change)) isWorthAPass = true
}

const subnetOf = (family: Family, n: number) =>
  prefix(family === 4 ? `14.${WORKER}.${n}.0/24` : `fd01:${WORKER}:0:${n}::/64`)

/** A host on the underlay's link. */
const neighbourOf = (family: Family) => (family === 4 ? `12.${WORKER}.1.9` : `2001:db8:1${WORKER}::9`)

function rowsOf(family: Family, n: number): LinkRows {
  const destination = subnetOf(family, n)
  const mac = locallyAdministeredMac(Uint8Array.of(2, 0, 0, 9, family, n))
  return {
    neighbours: [{ ip: destination.base, mac }],
    fdb: [{ mac, remote: ip(`192.0.2.${n}`) }],
    routes: [{ destination, gateway: destination.base, metric: n, protocol: '70', onlink: true }],
  }
}

const peerOf = (family: Family, n: number): PeerEntries => ({ onDevice: rowsOf(family, n), onUnderlay: [] })

function directPeerOf(family: Family, n: number): PeerEntries {
  const onUnderlay = rowsOf(family, n).routes.map((route) => ({
    ...route,
    gateway: ip(neighbourOf(family)),
    onlink: false,
  }))
  return { onDevice: NO_ROWS, onUnderlay }
}

/** Passes as the agent does: when something was reported, or is due. */
async function settle(): Promise<{ readonly undone: number; readonly failed: number }> {
  let [undone, failed] = [0, 0]
  await waitFor(
    'settled tables',
    async () => {
      await harness.kernel.catchUp()
      if (isWorthAPass || reconciler.nextPassInMs() === 0) {
        isWorthAPass = false
        const report = await reconciler.pass(stop.signal)
        undone += report.undone
        failed += report.failures.length
      }
      return reconciler.pending === 0 && reconciler.nextPassInMs() === undefined
    },
    { everyMs: 5 },
  )
  return { undone, failed }
}

/** All routes of the main table, and what stands on the device, as iproute2 sees them. */
function state(): Json {
  const [four, six] = ['-4', '-6'].map((family) =>
    ipJson(family, 'route', 'show').filter(({ protocol }) => protocol !== 'kernel'),
  )
  return {
    four,
    six,
    neighbours: ipJson('neighbour', 'show', 'dev', device, 'nud', 'permanent'),
    fdb: bridgeJson('fdb', 'show', 'dev', device),
  }
}

/** How our route to a subnet is written down in iproute2's words. */
interface Words {
  readonly family: Family
  readonly to: string
  readonly via: string
  readonly metric: string
  /** An address of ours. */
  readonly source: string
  /** Another gateway, on the underlay. */
  readonly other: string
}

const ALTERATIONS: readonly (readonly [string, (words: Words) => string])[] = [
  ['a source address', ({ to, via, metric, source }) => `${to} ${via} ${metric} src ${source}`],
  ['an MTU', ({ to, via, metric }) => `${to} ${via} ${metric} mtu 1300`],
  ['a second next hop', ({ to, via, metric, other }) => `${to} ${metric} nexthop ${via} nexthop ${other}`],
  [
    'a second next hop before its own',
    ({ to, via, metric, other }) => `${to} ${metric} nexthop ${other} nexthop ${via}`,
  ],
  [
    'an encapsulation',
    ({ family, to, via, metric, source }) =>
      `${to} encap ${family === 4 ? 'ip' : 'ip6'} id 9 dst ${source} ${via} ${metric}`,
  ],
  ['a blackhole in its place', ({ to, metric }) => `blackhole ${to} ${metric.replace('70', 'static')}`],
  ['one by another way in its place', ({ to, metric, other }) => `${to} ${other} ${metric.replace('70', 'static')}`],
  ['an unreachable one of our protocol in its place', ({ to, metric }) => `unreachable ${to} ${metric}`],
]

/** Peers that are reached without a tunnel are numbered from here. */
const DIRECT = 100

function wordsFor(family: Family, n: number): Words {
  const { text, base } = subnetOf(family, n)
  const gateway = neighbourOf(family)
  const own = family === 4 ? `12.${WORKER}.1.1` : `2001:db8:1${WORKER}::1`
  const isDirect = n > DIRECT
  return {
    family,
    to: text,
    via: isDirect ? `via ${gateway} dev ${underlay}` : `via ${base.text} dev ${device} onlink`,
    metric: `metric ${n} proto 70`,
    source: own,
    other: `via ${gateway.replace(/9$/, '8')} dev ${underlay}`,
  }
}

/** Somebody else's, with everything that ours must not have. */
const foreignRoute = (family: Family): string =>
  `${subnetOf(family, 99).text} via ${neighbourOf(family)} dev ${underlay} proto static src ${wordsFor(family, 1).source} mtu 1280`

describe.each([
  ['IPv4 through the tunnel', 4, 0],
  ['IPv4 on the underlay', 4, DIRECT],
  ['IPv6 through the tunnel', 6, 0],
  ['IPv6 on the underlay', 6, DIRECT],
] as const)('a route of %s', (_, family, offset) => {
  it.each(ALTERATIONS)('that is given %s is as it was, and nothing else has changed', async (what, alteration) => {
    const n = offset + ALTERATIONS.findIndex(([name]) => name === what) + 1
    const before = state()
    tool('ip', `-${family}`, 'route', 'replace', ...alteration(wordsFor(family, n)).split(' '))
    expect(state()).not.toEqual(before)
    const { undone, failed } = await settle()
    expect(state()).toEqual(before)
    expect(undone).toBeGreaterThan(0)
    expect(failed).toBe(0)
  })
})

it('a next hop that is appended to a route of IPv6 goes, and its own stays', async () => {
  const { to, metric } = wordsFor(6, 1)
  const before = state()
  tool(
    'ip',
    '-6',
    'route',
    'append',
    to,
    'via',
    subnetOf(6, 77).base.text,
    'dev',
    device,
    'onlink',
    ...metric.replace('70', 'static').split(' '),
  )
  expect(state()).not.toEqual(before)
  await settle()
  expect(state()).toEqual(before)
})

it.each([1, DIRECT + 1])(
  'a route of IPv4 that stands behind another one like it, number %i, is first again',
  async (n) => {
    const before = state()
    const { to, via, metric, source } = wordsFor(4, n)
    tool('ip', 'route', 'prepend', ...`${to} ${via} ${metric} src ${source}`.split(' '))
    expect(state()).not.toEqual(before)
    expect((await settle()).failed).toBe(0)
    expect(state()).toEqual(before)
    tool('ip', 'route', 'prepend', ...`${to} ${via} ${metric} mtu 1300`.split(' '))
    await harness.kernel.catchUp()
    reconciler.invalidate()
    expect((await settle()).failed).toBe(0)
    expect(state()).toEqual(before)
  },
)

it('a route for one type of service beside ours is left alone', async () => {
  const { to, metric, other } = wordsFor(4, 1)
  const before = state()
  const route = ['route', 'add', to, 'tos', '0x10', ...other.split(' '), ...metric.split(' ')]
  tool('ip', ...route)
  const beside = state()
  reconciler.invalidate()
  await settle()
  expect(state()).toEqual(beside)
  tool('ip', ...route.with(1, 'delete'))
  expect(state()).toEqual(before)
})

it('an fdb entry that is given another port, VNI and link is as it was', async () => {
  const before = state()
  const mac = rowsOf(4, 1).fdb[0]?.mac ?? ''
  const entry = ['fdb', 'replace', mac, 'dev', device, 'dst', '192.0.2.1', 'self', 'permanent']
  for (const astray of ['port 4789', 'vni 7', `via ${underlay}`]) {
    tool('bridge', ...entry, ...astray.split(' '))
    expect(state()).not.toEqual(before)
    expect((await settle()).failed).toBe(0)
    expect(state()).toEqual(before)
  }
})
