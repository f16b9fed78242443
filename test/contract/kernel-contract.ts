import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ip, type Ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { hostPrefix, prefix, type Prefix } from '../../src/net/prefix.ts'
import type { Kernel, KernelOp, KernelTables, OpResult, VxlanSpec } from '../../src/kernel/kernel.ts'
import type { RouteSelection } from '../../src/kernel/route-selection.ts'
import type { RouteProtocol } from '../../src/kernel/words.ts'
import { ChangeRecorder, isChange } from './change-recorder.ts'

/** A kernel under test, and somebody else who changes it. Names and numbers are the harness's to choose: tests run side by side. */
export interface KernelHarness {
  readonly kernel: Kernel
  /** A VXLAN device name, number `n`, that nobody else uses. */
  device(n: number): { readonly name: string; readonly vni: number; readonly port: number }
  /** An IPv4 /24, number `n` up to 255, that nobody else uses; its base address serves as gateway. */
  subnet(n: number): Prefix
  /** The same changes, made by another party. Throws if they fail. */
  outside(...ops: readonly KernelOp[]): Promise<void>
  /** Another party writes the route again, and gives it something that none of ours has. */
  alter(route: AlteredRoute, how: Alteration): Promise<void>
  dispose(): Promise<void>
}

/** A route through a device, onlink, by the base of its destination; `source` is an address of the device. */
export interface AlteredRoute {
  readonly device: string
  readonly linkIndex: number
  readonly destination: Prefix
  readonly metric: number
  readonly protocol: RouteProtocol
  readonly source: Ip
  /** Another gateway. */
  readonly other: Ip
}

/** `nexthop`: packets are spread over the route's own gateway and the other. */
export const ALTERATIONS = ['src', 'metrics', 'nexthop'] as const
export type Alteration = (typeof ALTERATIONS)[number]

const PEER_MAC = mac('02:00:00:00:aa:01')
const OTHER_MAC = mac('02:00:00:00:aa:02')
const REMOTE = ip('192.0.2.9')
const OTHER_REMOTE = ip('192.0.2.10')
const METRIC = 4242
const PROTOCOL = '70'

type RouteReplace = Extract<KernelOp, { op: 'route.replace' }>

function vxlanSpec(device: ReturnType<KernelHarness['device']>, changed: Partial<VxlanSpec> = {}): VxlanSpec {
  const { name, vni, port } = device
  const vxlan = {
    vni,
    port,
    local: ip('192.0.2.1'),
    underlayIndex: 0,
    learning: false,
    gbp: false,
    ttl: 0,
    udpChecksum: true,
  }
  return { name, mac: mac('02:00:00:00:00:01'), mtu: 1450, alias: 'contract test', vxlan, ...changed }
}

type RouteDelete = Extract<KernelOp, { op: 'route.delete' }>

function peerRoute(linkIndex: number, destination: Prefix, changed: Partial<RouteReplace> = {}): RouteReplace {
  return { ...routeRemoval(linkIndex, destination), op: 'route.replace', onlink: true, ...changed }
}

function routeRemoval(linkIndex: number, destination: Prefix, changed: Partial<RouteDelete> = {}): RouteDelete {
  const route = { destination, type: 'unicast' as const, linkIndex, gateway: destination.base }
  return { op: 'route.delete', ...route, metric: METRIC, protocol: PROTOCOL, ...changed }
}

function peer(linkIndex: number, subnet: Prefix): readonly KernelOp[] {
  return [
    { op: 'neighbour.replace', linkIndex, ip: subnet.base, mac: PEER_MAC },
    { op: 'fdb.replace', linkIndex, mac: PEER_MAC, remote: REMOTE },
    peerRoute(linkIndex, subnet),
  ]
}

function peerRemoval(linkIndex: number, subnet: Prefix): readonly KernelOp[] {
  return [
    routeRemoval(linkIndex, subnet),
    { op: 'fdb.delete', linkIndex, mac: PEER_MAC },
    { op: 'neighbour.delete', linkIndex, ip: subnet.base },
  ]
}

/** What a test wants to compare of the tables, in plain text and in a stable order; the kernel's own entries left out. */
function summary({ neighbours, fdb, routes }: KernelTables): readonly string[] {
  return [
    ...neighbours.filter(({ permanent }) => permanent).map((n) => `neigh ${n.ip.text} ${n.mac ?? 'nobody'}`),
    ...fdb.map((entry) => `fdb ${entry.mac} ${entry.remote?.text ?? 'nowhere'}`),
    ...routes
      .filter(({ protocol }) => protocol !== 'kernel')
      .map((r) => `route ${r.destination.text} via ${r.gateway?.text ?? '-'} metric ${r.metric}`),
  ].sort()
}

const codes = (results: readonly OpResult[]): readonly string[] =>
  results.map((result) => (result.ok ? 'ok' : result.error.code))

/** What the reconciler relies on, for whatever implements {@link Kernel}. */
export function kernelContract(title: string, makeHarness: () => KernelHarness | Promise<KernelHarness>): void {
  describe(`${title} keeps the kernel contract`, () => {
    let harness: KernelHarness
    let kernel: Kernel
    let abort: AbortController
    let signal: AbortSignal

    beforeEach(async () => {
      harness = await makeHarness()
      kernel = harness.kernel
      abort = new AbortController()
      signal = abort.signal
    })

    afterEach(async () => {
      abort.abort()
      await harness.dispose()
    })

    async function succeed(...ops: readonly KernelOp[]): Promise<void> {
      const failed = (await kernel.apply(ops, signal)).flatMap((result) => (result.ok ? [] : [result.error]))
      if (failed[0] !== undefined) throw failed[0]
    }

    /** Device number `n` with address and, unless told otherwise, up. @returns its index */
    async function makeDevice(n = 0, up = true): Promise<number> {
      const spec = vxlanSpec(harness.device(n))
      await succeed({ op: 'link.create', spec })
      const linkIndex = (await kernel.link(spec.name, signal))?.index ?? 0
      await succeed(
        { op: 'link.set', linkIndex, up, addressGeneration: 'none' },
        { op: 'address.add', linkIndex, ip: harness.subnet(200 + n).base, prefixLength: 32 },
      )
      return linkIndex
    }

    const tables = async (linkIndex: number, families: readonly (4 | 6)[] = [4, 6]): Promise<readonly string[]> =>
      summary(await kernel.snapshot(linkIndex, families, signal))

    const record = (watched: number): ChangeRecorder => new ChangeRecorder(kernel.changes(() => [watched], signal))

    describe('links', () => {
      it('creates a VXLAN device with every setting, down', async () => {
        const spec = vxlanSpec(harness.device(0))
        await succeed({ op: 'link.create', spec })
        const { vxlan, ...link } = spec
        expect(await kernel.link(spec.name, signal)).toMatchObject({ ...link, kind: 'vxlan', up: false })
        expect((await kernel.link(spec.name, signal))?.vxlan).toEqual({ ...vxlan, external: false })
      })

      it('knows no link by a name nobody has', async () => {
        expect(await kernel.link(harness.device(0).name, signal)).toBeUndefined()
      })

      it('refuses a name that is taken and leaves the device that has it alone', async () => {
        await makeDevice(0)
        const again = vxlanSpec({ ...harness.device(1), name: harness.device(0).name }, { alias: 'stolen' })
        expect(codes(await kernel.apply([{ op: 'link.create', spec: again }], signal))).toEqual(['EEXIST'])
        expect((await kernel.link(again.name, signal))?.alias).toBe('contract test')
      })

      it('refuses a second device with the same VNI and port', async () => {
        await makeDevice(0)
        const twin = vxlanSpec({ ...harness.device(0), name: harness.device(1).name })
        const [result] = await kernel.apply([{ op: 'link.create', spec: twin }], signal)
        expect(result).toMatchObject({ ok: false, error: { code: 'EEXIST', op: 'link.create', target: twin.name } })
      })

      it('changes MTU, MAC, alias and state', async () => {
        const linkIndex = await makeDevice(0)
        await succeed({ op: 'link.set', linkIndex, mtu: 1400, mac: OTHER_MAC, alias: 'renamed', up: false })
        const changed = { index: linkIndex, mtu: 1400, mac: OTHER_MAC, alias: 'renamed', up: false }
        expect(await kernel.link(harness.device(0).name, signal)).toMatchObject(changed)
      })

      it('gives a re-created device another index and nothing of its former tables', async () => {
        const before = await makeDevice(0)
        await succeed(...peer(before, harness.subnet(0)), { op: 'link.delete', linkIndex: before })
        const after = await makeDevice(0)
        expect(after).not.toBe(before)
        expect(await tables(after)).toEqual([])
      })

      it('makes no link-local address when told not to', async () => {
        const linkIndex = await makeDevice(0)
        const addresses = (await kernel.addresses(signal)).filter((address) => address.linkIndex === linkIndex)
        expect(addresses.map((address) => address.ip.text)).toEqual([harness.subnet(200).base.text])
      })
    })

    describe('addresses', () => {
      it('adds one, takes a second adding as done, and removes it', async () => {
        const linkIndex = await makeDevice(0)
        const address = { linkIndex, ip: harness.subnet(7).base, prefixLength: 24 }
        const present = async (): Promise<boolean> =>
          (await kernel.addresses(signal)).some(
            (a) => a.linkIndex === linkIndex && a.ip.text === address.ip.text && a.prefixLength === 24,
          )
        await succeed({ op: 'address.add', ...address }, { op: 'address.add', ...address })
        expect(await present()).toBe(true)
        await succeed({ op: 'address.delete', ...address }, { op: 'address.delete', ...address })
        expect(await present()).toBe(false)
      })

      it("drops IPv4 routes and neighbours with the link's last IPv4 address, but no fdb entry", async () => {
        const linkIndex = await makeDevice(0)
        await succeed(...peer(linkIndex, harness.subnet(0)))
        await succeed({ op: 'address.delete', linkIndex, ip: harness.subnet(200).base, prefixLength: 32 })
        expect(await tables(linkIndex)).toEqual([`fdb ${PEER_MAC} ${REMOTE.text}`])
      })
    })

    describe('tables', () => {
      it("holds a peer's three entries, once, however often they are written", async () => {
        const linkIndex = await makeDevice(0)
        const subnet = harness.subnet(0)
        const ops = peer(linkIndex, subnet)
        expect(codes(await kernel.apply([...ops, ...ops], signal))).toEqual(Array(6).fill('ok'))
        expect(await tables(linkIndex)).toEqual([
          `fdb ${PEER_MAC} ${REMOTE.text}`,
          `neigh ${subnet.base.text} ${PEER_MAC}`,
          `route ${subnet.text} via ${subnet.base.text} metric ${METRIC}`,
        ])
      })

      it('puts a new MAC, remote and gateway in place of the old ones', async () => {
        const linkIndex = await makeDevice(0)
        const [subnet, gateway] = [harness.subnet(0), harness.subnet(1).base]
        await succeed(
          ...peer(linkIndex, subnet),
          { op: 'neighbour.replace', linkIndex, ip: subnet.base, mac: OTHER_MAC },
          { op: 'fdb.replace', linkIndex, mac: PEER_MAC, remote: OTHER_REMOTE },
          peerRoute(linkIndex, subnet, { gateway }),
        )
        expect(await tables(linkIndex)).toEqual([
          `fdb ${PEER_MAC} ${OTHER_REMOTE.text}`,
          `neigh ${subnet.base.text} ${OTHER_MAC}`,
          `route ${subnet.text} via ${gateway.text} metric ${METRIC}`,
        ])
      })

      it('keeps one destination for a MAC and removes it, whatever it is', async () => {
        const linkIndex = await makeDevice(0)
        const fdb = { linkIndex, mac: PEER_MAC }
        await succeed(
          { op: 'fdb.replace', ...fdb, remote: REMOTE },
          { op: 'fdb.replace', ...fdb, remote: OTHER_REMOTE },
        )
        expect(await tables(linkIndex)).toEqual([`fdb ${PEER_MAC} ${OTHER_REMOTE.text}`])
        await succeed({ op: 'fdb.delete', ...fdb })
        expect(await tables(linkIndex)).toEqual([])
      })

      it('removes exactly what it is told, and takes the absence of anything as done', async () => {
        const linkIndex = await makeDevice(0)
        await succeed(...peer(linkIndex, harness.subnet(0)))
        await succeed(...peerRemoval(linkIndex, harness.subnet(1)).filter(({ op }) => op !== 'fdb.delete'))
        expect(await tables(linkIndex)).toHaveLength(3)
        const removal = peerRemoval(linkIndex, harness.subnet(0))
        await succeed(...removal, ...removal)
        expect(await tables(linkIndex)).toEqual([])
        await succeed({ op: 'link.delete', linkIndex }, { op: 'link.delete', linkIndex }, ...removal)
        await succeed({ op: 'address.delete', linkIndex, ip: harness.subnet(200).base, prefixLength: 32 })
      })

      it('keeps routes of different metrics apart', async () => {
        const linkIndex = await makeDevice(0)
        const subnet = harness.subnet(0)
        const upstreams = { metric: 0, protocol: 'boot' } as const
        await succeed(peerRoute(linkIndex, subnet, upstreams), peerRoute(linkIndex, subnet))
        const route = (metric: number): string => `route ${subnet.text} via ${subnet.base.text} metric ${metric}`
        expect(await tables(linkIndex)).toEqual([route(0), route(METRIC)])
        await succeed(routeRemoval(linkIndex, subnet, upstreams))
        expect(await tables(linkIndex)).toEqual([route(METRIC)])
        // Metric 0 means any metric to the kernel: the protocol is what keeps this from hitting ours.
        await succeed(routeRemoval(linkIndex, subnet, upstreams))
        expect(await tables(linkIndex)).toEqual([route(METRIC)])
      })

      it('holds a blackhole, which belongs to no link', async () => {
        const linkIndex = await makeDevice(0)
        const destination = harness.subnet(3)
        const blackhole = { destination, type: 'blackhole', metric: METRIC, protocol: PROTOCOL } as const
        const find = async () => (await kernel.routes(4, signal)).filter((r) => r.destination.text === destination.text)
        await succeed({ op: 'route.replace', ...blackhole })
        expect(await find()).toMatchObject([{ type: 'blackhole', linkIndex: undefined, protocol: PROTOCOL }])
        expect(await tables(linkIndex)).toEqual([])
        await succeed({ op: 'route.delete', ...blackhole })
        expect(await find()).toEqual([])
      })

      it('shows only the routes that are asked for', async () => {
        const [linkIndex, other] = [await makeDevice(0), await makeDevice(1)]
        const [here, there, nowhere] = [harness.subnet(0), harness.subnet(1), harness.subnet(3)]
        const blackhole = { destination: nowhere, type: 'blackhole', metric: METRIC, protocol: PROTOCOL } as const
        await succeed(peerRoute(linkIndex, here), peerRoute(other, there), { op: 'route.replace', ...blackhole })
        const ours = [here, there, nowhere].map(({ text }) => text)
        const shown = async (selection?: RouteSelection): Promise<readonly string[]> =>
          (await kernel.routes(4, signal, selection))
            .map(({ destination }) => destination.text)
            .filter((text) => ours.includes(text))
            .toSorted()
        expect(await shown()).toEqual(ours.toSorted())
        expect(await shown({ linkIndex })).toEqual([here.text])
        expect(await shown({ type: 'blackhole' })).toEqual([nowhere.text])
        expect(await shown({ type: 'unicast', protocol: PROTOCOL })).toEqual([here.text, there.text].toSorted())
        expect(await shown({ linkIndex: other, protocol: PROTOCOL })).toEqual([there.text])
        expect(await shown({ protocol: 'static' })).toEqual([])
        const told: string[] = []
        const take = ({ text }: Prefix): void => void told.push(text)
        expect(await shown({ apart: { protocol: PROTOCOL, links: [linkIndex], take } })).toEqual(
          [there.text, nowhere.text].toSorted(),
        )
        expect(told).toEqual([here.text])
        expect(await shown({ apart: { protocol: 'static', links: [linkIndex], take } })).toEqual(ours.toSorted())
        expect(told).toEqual([here.text])
        await succeed({ op: 'route.delete', ...blackhole })
      })

      it('shows only the tables of the link and the families asked for', async () => {
        const [linkIndex, other] = [await makeDevice(0), await makeDevice(1)]
        const address6 = ip('fd00::1:0')
        await succeed(...peer(linkIndex, harness.subnet(0)), ...peer(other, harness.subnet(1)))
        await succeed({ op: 'neighbour.replace', linkIndex, ip: address6, mac: OTHER_MAC })
        const route6 = peerRoute(linkIndex, prefix('fd00:0:0:1::/64'), { gateway: ip('fd00:0:0:1::') })
        await succeed(route6)
        const six = [`neigh fd00::1:0 ${OTHER_MAC}`, `route fd00:0:0:1::/64 via fd00:0:0:1:: metric ${METRIC}`]
        const four = [`neigh ${harness.subnet(0).base.text} ${PEER_MAC}`]
        four.push(`route ${harness.subnet(0).text} via ${harness.subnet(0).base.text} metric ${METRIC}`)
        const fdb = `fdb ${PEER_MAC} ${REMOTE.text}`
        expect(await tables(linkIndex, [4])).toEqual([fdb, ...four])
        expect(await tables(linkIndex, [6])).toEqual([fdb, ...six])
      })

      it('loses neighbours and routes, but no fdb entry, when the link goes down', async () => {
        const linkIndex = await makeDevice(0)
        await succeed(...peer(linkIndex, harness.subnet(0)), { op: 'link.set', linkIndex, up: false })
        expect(await tables(linkIndex)).toEqual([`fdb ${PEER_MAC} ${REMOTE.text}`])
      })

      it('loses neighbours, but no fdb entry and no route, when the MAC changes', async () => {
        const linkIndex = await makeDevice(0)
        await succeed(...peer(linkIndex, harness.subnet(0)), { op: 'link.set', linkIndex, mac: OTHER_MAC })
        const subnet = harness.subnet(0)
        const route = `route ${subnet.text} via ${subnet.base.text} metric ${METRIC}`
        expect(await tables(linkIndex)).toEqual([`fdb ${PEER_MAC} ${REMOTE.text}`, route])
      })
    })

    describe('failures', () => {
      it('knows that it may change the kernel, and changes nothing to know it', async () => {
        const linkIndex = await makeDevice(0)
        const read = (): Promise<unknown> =>
          Promise.all([tables(linkIndex), kernel.routes(4, signal), kernel.links(signal)])
        const before = await read()
        expect(await kernel.mayWrite(signal)).toBe(true)
        expect(await read()).toEqual(before)
      })

      it('carries out the rest of a batch when one operation is refused', async () => {
        const linkIndex = await makeDevice(0)
        const [before, refused, after] = [harness.subnet(0), harness.subnet(1), harness.subnet(2)]
        const results = await kernel.apply(
          [peerRoute(linkIndex, before), peerRoute(linkIndex, refused, { onlink: false }), peerRoute(linkIndex, after)],
          signal,
        )
        expect(codes(results)).toEqual(['ok', 'ENETUNREACH', 'ok'])
        expect(
          (await tables(linkIndex)).filter((entry) => entry.includes(before.text) || entry.includes(after.text)),
        ).toHaveLength(2)
      })

      it('says what was refused, and why in the words of the kernel', async () => {
        const linkIndex = await makeDevice(0)
        const subnet = harness.subnet(1)
        const [result] = await kernel.apply([peerRoute(linkIndex, subnet, { onlink: false })], signal)
        const error = result?.ok === false ? result.error : undefined
        expect(error).toMatchObject({ op: 'route.replace', code: 'ENETUNREACH' })
        expect(error?.message).toContain('Nexthop has invalid gateway')
      })

      it('refuses a gateway that is an address of this host on another link, until it is gone from there', async () => {
        const [linkIndex, other] = [await makeDevice(0), await makeDevice(1)]
        const six = prefix('fd00:0:0:5::/64')
        for (const subnet of [harness.subnet(3), six]) {
          const address = { linkIndex: other, ip: subnet.base, prefixLength: hostPrefix(subnet.base).length }
          await succeed({ op: 'address.add', ...address })
          const [result] = await kernel.apply([peerRoute(linkIndex, subnet)], signal)
          expect(result?.ok === false && result.error.code).toBe('EINVAL')
          await succeed({ op: 'address.delete', ...address }, peerRoute(linkIndex, subnet))
        }
      })

      it('refuses an onlink gateway of IPv6 that another link leads to, until a route of its own leads it here', async () => {
        const [linkIndex, other] = [await makeDevice(0), await makeDevice(1)]
        const destination = prefix('fd02:0:0:7::/64')
        const rest = { destination, type: 'unicast', metric: METRIC } as const
        const elsewhere = { ...rest, linkIndex: other, protocol: 'static' } as const
        await harness.outside({ op: 'route.replace', ...elsewhere })
        const results = await kernel.apply([peerRoute(linkIndex, destination)], signal)
        expect(codes(results)).toEqual(['EINVAL'])
        const guide = {
          destination: hostPrefix(destination.base),
          type: 'unicast',
          linkIndex,
          protocol: PROTOCOL,
        } as const
        await succeed({ op: 'route.replace', ...guide, metric: METRIC }, peerRoute(linkIndex, destination), {
          op: 'route.delete',
          ...guide,
          metric: METRIC,
        })
        const standing = (await kernel.routes(6, signal)).filter((route) => route.destination.text === destination.text)
        expect(standing.map((route) => route.linkIndex)).toEqual([linkIndex])
      })

      it('refuses a route through a link that is down', async () => {
        const linkIndex = await makeDevice(0, false)
        const results = await kernel.apply([peerRoute(linkIndex, harness.subnet(0))], signal)
        expect(codes(results)).toEqual(['ENETDOWN'])
      })

      it('refuses entries on a link that does not exist', async () => {
        const linkIndex = await makeDevice(0)
        await succeed({ op: 'link.delete', linkIndex })
        const results = await kernel.apply(
          [...peer(linkIndex, harness.subnet(0)), { op: 'link.set', linkIndex, up: true }],
          signal,
        )
        expect(codes(results)).toEqual(Array(4).fill('ENODEV'))
      })

      it('does nothing with nothing', async () => {
        expect(await kernel.apply([], signal)).toEqual([])
      })

      it('rejects with ABORTED when stopped, and works for the next caller', async () => {
        const stopped = AbortSignal.abort()
        for (const call of [kernel.apply([], stopped), kernel.links(stopped), kernel.snapshot(1, [4], stopped)])
          await expect(call).rejects.toMatchObject({ name: 'KernelError', code: 'ABORTED' })
        expect(await kernel.links(signal)).not.toEqual([])
      })

      it('rejects with CLOSED after close', async () => {
        kernel.close()
        for (const call of [kernel.links(signal), kernel.apply([], signal)])
          await expect(call).rejects.toMatchObject({ name: 'KernelError', code: 'CLOSED' })
      })
    })

    describe('lookup', () => {
      it('tells link, gateway and source, and nothing for a destination that cannot be reached', async () => {
        const linkIndex = await makeDevice(0)
        const connected = harness.subnet(5)
        const own = ip(connected.base.text.replace(/\.0$/, '.9'))
        const near = ip(connected.base.text.replace(/\.0$/, '.77'))
        const far = harness.subnet(0)
        await succeed({ op: 'address.add', linkIndex, ip: own, prefixLength: 24 }, peerRoute(linkIndex, far))
        expect(await kernel.lookup(near, signal)).toMatchObject({
          linkIndex,
          gateway: undefined,
          source: { text: own.text },
        })
        expect(await kernel.lookup(ip(far.base.text.replace(/\.0$/, '.3')), signal)).toMatchObject({
          linkIndex,
          gateway: { text: far.base.text },
        })
        const hole = harness.subnet(6)
        await succeed({ op: 'route.replace', destination: hole, type: 'blackhole', metric: 1, protocol: PROTOCOL })
        expect(await kernel.lookup(hole.base, signal)).toBeUndefined()
        await succeed({ op: 'route.delete', destination: hole, type: 'blackhole', metric: 1, protocol: PROTOCOL })
      })
    })

    describe('answers', () => {
      it('say for each address which route packets to it follow, or the errno of why they follow none', async () => {
        const linkIndex = await makeDevice(0)
        const [far, hole] = [harness.subnet(0), harness.subnet(6)]
        const own = ip(harness.subnet(5).base.text.replace(/\.0$/, '.9'))
        const removed = {
          op: 'route.delete',
          destination: hole,
          type: 'blackhole',
          metric: 1,
          protocol: PROTOCOL,
        } as const
        await succeed({ op: 'address.add', linkIndex, ip: own, prefixLength: 24 }, peerRoute(linkIndex, far))
        await succeed({ ...removed, op: 'route.replace' })
        const asked = [far.base, hole.base, ip(far.base.text.replace(/\.0$/, '.3'))]
        const answers = await kernel.answers(
          asked.map((destination) => ({ destination })),
          signal,
        )
        const route = { destination: far, gateway: far.base, metric: METRIC, protocol: PROTOCOL, linkIndex }
        expect(answers).toMatchObject([{ route }, { is: 'none', code: 'EINVAL' }, { route }])
        expect(await kernel.answers([], signal)).toEqual([])
        await succeed(removed)
      })
    })

    describe('changes', () => {
      it("reports another's change to each table, adding and removing", async () => {
        const linkIndex = await makeDevice(0)
        const recorder = record(linkIndex)
        const subnet = harness.subnet(0)
        await harness.outside(...peer(linkIndex, subnet))
        const neighbour = await recorder.first(
          'neighbour',
          isChange('neighbour', (c) => !c.gone && c.neighbour.ip.text === subnet.base.text),
        )
        expect(neighbour).toMatchObject({ linkIndex, neighbour: { mac: PEER_MAC, permanent: true } })
        expect(
          await recorder.first(
            'fdb',
            isChange('fdb', (c) => !c.gone),
          ),
        ).toMatchObject({ linkIndex, entry: { mac: PEER_MAC, remote: { text: REMOTE.text } } })
        expect(
          await recorder.first(
            'route',
            isChange('route', (c) => !c.gone && c.route.destination.text === subnet.text),
          ),
        ).toMatchObject({
          route: { linkIndex, metric: METRIC, protocol: PROTOCOL, onlink: true, gateway: { text: subnet.base.text } },
        })
        await harness.outside(...peerRemoval(linkIndex, subnet))
        await recorder.first(
          'route gone',
          isChange('route', (c) => c.gone),
        )
        await recorder.first(
          'fdb gone',
          isChange('fdb', (c) => c.gone),
        )
        await recorder.first(
          'neighbour gone',
          isChange('neighbour', (c) => c.gone && c.neighbour.ip.text === subnet.base.text),
        )
      })

      it.each<[string, (linkIndex: number) => readonly KernelOp[]]>([
        ['deleted', (linkIndex) => [{ op: 'link.delete', linkIndex }]],
        ['set down', (linkIndex) => [{ op: 'link.set', linkIndex, up: false }]],
        ['given another MAC', (linkIndex) => [{ op: 'link.set', linkIndex, mac: OTHER_MAC }]],
      ])('tells of a link that is %s, besides the rows that go with it', async (_, harm) => {
        const linkIndex = await makeDevice(0)
        await succeed(...peer(linkIndex, harness.subnet(0)))
        const recorder = record(linkIndex)
        await harness.outside(...harm(linkIndex))
        await recorder.first(
          'link',
          isChange('link', (c) => c.link.index === linkIndex && (c.gone || !c.link.up || c.link.mac === OTHER_MAC)),
        )
        await recorder.first(
          'neighbour gone',
          isChange('neighbour', (c) => c.gone && c.neighbour.ip.text === harness.subnet(0).base.text),
        )
      })

      it('has told its readers of all that an operation caused when the operation is answered', async () => {
        const linkIndex = await makeDevice(0)
        const recorder = record(linkIndex)
        for (const mtu of [1_400, 1_300, 1_400]) {
          await succeed({ op: 'link.set', linkIndex, mtu })
          expect(recorder.seen.filter(isChange('link')).at(-1)).toMatchObject({ link: { index: linkIndex, mtu } })
        }
      })

      it("has told its readers of others' changes once they have caught up", async () => {
        const linkIndex = await makeDevice(0)
        const recorder = record(linkIndex)
        const subnets = Array.from({ length: 20 }, (_, at) => harness.subnet(at))
        await harness.outside(...subnets.flatMap((subnet) => peer(linkIndex, subnet)))
        await kernel.catchUp()
        const told = recorder.seen.filter(isChange('neighbour', ({ gone }) => !gone))
        expect(told.map(({ neighbour }) => neighbour.ip.text)).toEqual(subnets.map(({ base }) => base.text))
      })

      it.each(ALTERATIONS)('tells what else somebody has made of a route: %s, and that it is gone', async (how) => {
        const linkIndex = await makeDevice(0)
        const [destination, gateways] = [harness.subnet(0), [harness.subnet(0).base, harness.subnet(1).base]]
        await succeed(peerRoute(linkIndex, destination))
        const [source, other] = [harness.subnet(200).base, harness.subnet(1).base]
        const route = { linkIndex, destination, metric: METRIC, protocol: PROTOCOL, source, other } as const
        const recorder = record(linkIndex)
        await harness.alter({ ...route, device: harness.device(0).name }, how)
        const { route: told } = await recorder.first('route', isChange('route'))
        const altered = { destination, metric: METRIC, protocol: PROTOCOL, linkIndex, gateway: gateways[0] }
        const hops = how === 'nexthop' ? [{ linkIndex, gateway: gateways[1] }] : undefined
        expect(told).toMatchObject({ ...altered, extras: hops === undefined ? [how] : undefined, furtherHops: hops })
        expect((await kernel.snapshot(linkIndex, [4], signal)).routes).toContainEqual(told)
        await succeed(peerRoute(linkIndex, destination))
        const [plain, ...more] = (await kernel.routes(4, signal, { linkIndex })).filter(
          ({ metric }) => metric === METRIC,
        )
        expect([plain?.extras, plain?.furtherHops, plain?.onlink, more]).toEqual([undefined, undefined, true, []])
      })

      it.each(['unicast', 'blackhole'] as const)('tells of a %s route elsewhere in the place of one', async (type) => {
        const [linkIndex, other] = [await makeDevice(0), await makeDevice(1)]
        const destination = harness.subnet(0)
        await succeed(peerRoute(linkIndex, destination))
        const recorder = record(linkIndex)
        const rest = { destination, metric: METRIC, protocol: 'static', type } as const
        const hop = type === 'unicast' ? { linkIndex: other, gateway: destination.base, onlink: true } : {}
        await harness.outside({ op: 'route.replace', ...rest, ...hop })
        const isThere = isChange('route', ({ route }) => route.protocol === 'static')
        const { route } = await recorder.first('route', isThere)
        expect([route.destination.text, route.metric, route.linkIndex]).toEqual([
          destination.text,
          METRIC,
          type === 'unicast' ? other : undefined,
        ])
        await harness.outside({ op: 'route.delete', ...rest, ...(type === 'unicast' && { linkIndex: other }) })
      })

      it("reports another's change to links and addresses, whatever link is watched", async () => {
        const linkIndex = await makeDevice(0)
        const recorder = record(0)
        const address = { linkIndex, ip: harness.subnet(9).base, prefixLength: 32 }
        await harness.outside({ op: 'link.set', linkIndex, mtu: 1300 }, { op: 'address.add', ...address })
        const mtu = await recorder.first(
          'link',
          isChange('link', (c) => c.link.index === linkIndex && c.link.mtu === 1300),
        )
        expect(mtu.link).toMatchObject({ name: harness.device(0).name, kind: 'vxlan', up: true })
        await recorder.first(
          'address',
          isChange('address', (c) => !c.gone && c.address.ip.text === address.ip.text),
        )
        await harness.outside({ op: 'address.delete', ...address }, { op: 'link.delete', linkIndex })
        await recorder.first(
          'address gone',
          isChange('address', (c) => c.gone && c.address.ip.text === address.ip.text),
        )
        await recorder.first(
          'link gone',
          isChange('link', (c) => c.gone && c.link.index === linkIndex),
        )
      })

      it("keeps quiet about other links' tables", async () => {
        const [linkIndex, other] = [await makeDevice(0), await makeDevice(1)]
        const recorder = record(linkIndex)
        await harness.outside(...peer(other, harness.subnet(1)), ...peer(linkIndex, harness.subnet(0)))
        await recorder.first(
          'route',
          isChange('route', (c) => c.route.linkIndex === linkIndex),
        )
        const strangers = recorder.seen.filter(
          (c) =>
            (c.kind === 'route' && c.route.linkIndex !== linkIndex) ||
            ((c.kind === 'fdb' || c.kind === 'neighbour') && c.linkIndex !== linkIndex),
        )
        expect(strangers).toEqual([])
      })

      it('tells of the tables of several links', async () => {
        const [first, second] = [await makeDevice(0), await makeDevice(1)]
        const recorder = new ChangeRecorder(kernel.changes(() => [first, second], signal))
        await harness.outside(...peer(first, harness.subnet(0)), ...peer(second, harness.subnet(1)))
        for (const linkIndex of [first, second]) {
          await recorder.first(
            'route',
            isChange('route', ({ route }) => route.linkIndex === linkIndex),
          )
          await recorder.first(
            'fdb',
            isChange('fdb', (change) => change.linkIndex === linkIndex),
          )
        }
      })

      it('says to who asks that routes of other links have changed, and no more of them', async () => {
        const [linkIndex, other] = [await makeDevice(0), await makeDevice(1)]
        let asks = false
        const recorder = new ChangeRecorder(
          kernel.changes(
            () => [linkIndex],
            signal,
            () => asks,
          ),
        )
        await harness.outside(...peer(other, harness.subnet(1)), ...peer(linkIndex, harness.subnet(0)))
        await recorder.first('route', isChange('route'))
        asks = true
        await harness.outside(...peer(other, harness.subnet(2)))
        await recorder.first('other routes', isChange('other-routes'))
        const isOther = isChange('route', ({ route }) => route.linkIndex === other)
        expect(recorder.seen.filter(isOther)).toEqual([])
      })

      it('ends when stopped, and at once when stopped before', async () => {
        const stop = new AbortController()
        const recorder = new ChangeRecorder(kernel.changes(() => [], stop.signal))
        stop.abort()
        await recorder.ended
        await new ChangeRecorder(kernel.changes(() => [], stop.signal)).ended
      })
    })
  })
}
