import { afterEach, expect, it } from 'vitest'
import type { RtnetlinkOptions } from '../../src/netlink/rtnetlink-kernel.ts'
import type { KernelOp } from '../../src/kernel/kernel.ts'
import { addition, makeVxlan, peer, peers } from './peers.ts'
import { check, realKernel, type RealHarness } from './real-kernel.ts'

let harness: RealHarness
const { signal } = new AbortController()

const start = async (options: RtnetlinkOptions): Promise<number> => {
  harness = realKernel(options)
  return makeVxlan(harness)
}

afterEach(() => harness.dispose())

/** Routes that the kernel refuses: their gateway is not on the link. */
const refused = (linkIndex: number, count: number): readonly KernelOp[] =>
  peers(count)
    .flatMap((one) => addition(linkIndex, one))
    .flatMap((op) => (op.op === 'route.replace' ? [{ ...op, onlink: false }] : []))

it('reports operations as lost when their answers overran the socket, and goes on', async () => {
  const linkIndex = await start({ requestBufferBytes: 4096 })
  const results = await harness.kernel.apply(refused(linkIndex, 400), signal)
  const codes = new Set(results.map((result) => (result.ok ? 'ok' : result.error.code)))
  expect(results).toHaveLength(400)
  expect(codes).toEqual(new Set(['ENETUNREACH', 'LOST']))
  check(await harness.kernel.apply(addition(linkIndex, peer(1)), signal))
  expect((await harness.kernel.snapshot(linkIndex, [4], signal)).routes).toHaveLength(1)
})

it('hears the refusal of every single operation of a large batch', async () => {
  const linkIndex = await start({})
  const results = await harness.kernel.apply(refused(linkIndex, 4_000), signal)
  expect(results.filter((result) => !result.ok && result.error.code === 'ENETUNREACH')).toHaveLength(4_000)
})

it('matches refusals to operations, wherever in a batch they are', async () => {
  const linkIndex = await start({ batchSize: 7 })
  const bad = new Set([0, 6, 7, 8, 20, 48, 49])
  const ops = peers(50).flatMap((one, n) => {
    const route = addition(linkIndex, one).find((op) => op.op === 'route.replace')
    return route === undefined ? [] : [bad.has(n) ? { ...route, onlink: false } : route]
  })
  const results = await harness.kernel.apply(ops, signal)
  expect(results.flatMap((result, n) => (result.ok ? [] : [n]))).toEqual([...bad])
})

it('stops a large batch between sends and leaves the socket in order', async () => {
  const linkIndex = await start({})
  const stop = new AbortController()
  const applied = harness.kernel.apply(
    peers(20_000).flatMap((one) => addition(linkIndex, one)),
    stop.signal,
  )
  const queued = harness.kernel.links(stop.signal)
  setImmediate(() => {
    stop.abort()
  })
  await expect(applied).rejects.toMatchObject({ code: 'ABORTED' })
  await expect(queued).rejects.toMatchObject({ code: 'ABORTED' })
  const { routes } = await harness.kernel.snapshot(linkIndex, [4], signal)
  expect(routes.length).toBeLessThan(20_000)
})

it('stops reading a large table and leaves the socket in order', async () => {
  const linkIndex = await start({})
  check(
    await harness.kernel.apply(
      peers(20_000).flatMap((one) => addition(linkIndex, one)),
      signal,
    ),
  )
  const stop = new AbortController()
  const snapshot = harness.kernel.snapshot(linkIndex, [4], stop.signal)
  setImmediate(() => {
    stop.abort()
  })
  await expect(snapshot).rejects.toMatchObject({ code: 'ABORTED' })
  expect((await harness.kernel.snapshot(linkIndex, [4], signal)).fdb).toHaveLength(20_000)
})

it('serves callers in turn, each with its own answers', async () => {
  const linkIndex = await start({})
  const { name } = harness.device(0)
  const answers = await Promise.all(
    Array.from({ length: 9 }, async (_, n) => {
      check(await harness.kernel.apply(addition(linkIndex, peer(n)), signal))
      const link = await harness.kernel.link(n % 2 === 0 ? name : 'nobody', signal)
      return link?.name
    }),
  )
  expect(answers).toEqual(Array.from({ length: 9 }, (_, n) => (n % 2 === 0 ? name : undefined)))
})

it('reads consistent tables while another keeps changing them', async () => {
  const linkIndex = await start({})
  const other = peers(3_000).flatMap((one) => addition(linkIndex, one))
  const writing = harness.outside(...other)
  const { fdb } = await harness.kernel.snapshot(linkIndex, [4], signal)
  await writing
  expect(new Set(fdb.map((entry) => entry.mac)).size).toBe(fdb.length)
  expect((await harness.kernel.snapshot(linkIndex, [4], signal)).routes).toHaveLength(3_000)
})
