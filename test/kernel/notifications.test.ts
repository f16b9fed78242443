import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KernelChange, KernelOp } from '../../src/kernel/kernel.ts'
import { ip } from '../../src/net/ip.ts'
import type { RtnetlinkOptions } from '../../src/netlink/rtnetlink-kernel.ts'
import { ChangeRecorder, isChange } from '../contract/change-recorder.ts'
import { waitFor } from '../lab/wait-for.ts'
import { addition, makeVxlan, peer, peers, removal } from './peers.ts'
import { check, realKernel, type RealHarness } from './real-kernel.ts'

let harness: RealHarness
let stop: AbortController
let signal: AbortSignal

const start = (options: RtnetlinkOptions = {}): void => {
  harness = realKernel(options)
}

beforeEach(() => {
  stop = new AbortController()
  signal = AbortSignal.any([stop.signal, AbortSignal.timeout(50_000)])
})

afterEach(async () => {
  stop.abort()
  await harness.dispose()
})

const record = (linkIndex: number): ChangeRecorder =>
  new ChangeRecorder(harness.kernel.changes(() => [linkIndex], signal))

const routeTo = (n: number) => isChange('route', ({ route }) => route.destination.text === peer(n).subnet.text)
const neighbourOf = (n: number) =>
  isChange('neighbour', ({ neighbour }) => neighbour.ip.text === peer(n).subnet.base.text)

describe('our own writes', () => {
  it("do not come back as changes, while another's right after them do", async () => {
    start()
    const linkIndex = await makeVxlan(harness)
    const recorder = record(linkIndex)
    check(await harness.kernel.apply(addition(linkIndex, peer(1)), signal))
    await harness.outside(...addition(linkIndex, peer(2)))
    await recorder.first("the other's route", routeTo(2))
    await recorder.first("the other's neighbour", neighbourOf(2))
    expect(recorder.seen.filter(routeTo(1))).toEqual([])
    expect(recorder.seen.filter(neighbourOf(1))).toEqual([])
  })

  it('come back when undone by another, who is never mistaken for us', async () => {
    start()
    const linkIndex = await makeVxlan(harness)
    check(await harness.kernel.apply(addition(linkIndex, peer(1)), signal))
    const recorder = record(linkIndex)
    await harness.outside(...removal(linkIndex, peer(1)))
    expect(await recorder.first('route', routeTo(1))).toMatchObject({ gone: true })
    await recorder.first(
      'neighbour gone',
      isChange('neighbour', (change) => change.gone),
    )
  })
})

describe('a large batch of our own', () => {
  const additions = (linkIndex: number, count: number): readonly KernelOp[] =>
    peers(count).flatMap((one) => addition(linkIndex, one))
  const isOfTables = ({ kind }: KernelChange): boolean => ['neighbour', 'fdb', 'route', 'overrun'].includes(kind)

  it('is heard of in nothing when written, written again, and erased', async () => {
    start()
    const linkIndex = await makeVxlan(harness)
    const recorder = record(linkIndex)
    const erasures = peers(2_000).flatMap((one) => removal(linkIndex, one))
    for (const ops of [additions(linkIndex, 2_000), additions(linkIndex, 2_000), erasures])
      check(await harness.kernel.apply(ops, signal))
    await harness.outside(...addition(linkIndex, peer(2_001)))
    await recorder.first("another's route", routeTo(2_001))
    expect(recorder.seen.filter(isOfTables).map(({ kind }) => kind)).toEqual(['neighbour', 'fdb', 'route'])
  })

  it('hides nothing that others do to the same entries meanwhile', async () => {
    start()
    const linkIndex = await makeVxlan(harness)
    const recorder = record(linkIndex)
    const { mac } = peer(1_500)
    const remote = ip('198.51.100.7')
    const applied = harness.kernel.apply(additions(linkIndex, 2_000), signal)
    await harness.outside({ op: 'fdb.replace', linkIndex, mac, remote }, { op: 'fdb.delete', linkIndex, mac })
    check(await applied)
    const isOfIt = isChange('fdb', ({ entry }) => entry.mac === mac)
    await recorder.first(
      'that it was deleted',
      isChange('fdb', ({ entry, gone }) => entry.mac === mac && gone),
    )
    expect(recorder.seen.filter(isOfIt)).toMatchObject([{ gone: false, entry: { remote } }, { gone: true }])
  })

  it('that was stopped half-way is no overrun', async () => {
    start()
    const linkIndex = await makeVxlan(harness)
    const recorder = record(linkIndex)
    const half = new AbortController()
    const applied = harness.kernel.apply(additions(linkIndex, 5_000), half.signal)
    half.abort()
    await expect(applied).rejects.toMatchObject({ code: 'ABORTED' })
    await harness.outside(...addition(linkIndex, peer(5_001)))
    await recorder.first("another's route", routeTo(5_001))
    expect(recorder.seen.filter(isChange('overrun'))).toEqual([])
  })
})

describe('an overrun', () => {
  it('is reported, and what happens later is heard again', async () => {
    start({ listenerBufferBytes: 4096 })
    const linkIndex = await makeVxlan(harness)
    const recorder = record(linkIndex)
    await harness.outside(...peers(500).flatMap((one) => addition(linkIndex, one)))
    await recorder.first('overrun', isChange('overrun'))
    // The first of these may still fall to the overrun; it is then reported once more, after them.
    let later = 600
    await waitFor('a route after the overrun', async () => {
      await harness.outside(...addition(linkIndex, peer(later++)))
      return recorder.seen.some(isChange('route', ({ route }) => route.metric >= 1600))
    })
  })
})

describe('a subscription', () => {
  it('is given up when its reader leaves', async () => {
    start()
    const linkIndex = await makeVxlan(harness)
    const changes = harness.kernel.changes(() => [linkIndex], signal)
    await harness.outside(...addition(linkIndex, peer(1)))
    let read = 0
    for await (const change of changes) {
      read++
      if (change.kind === 'route') break
    }
    expect(read).toBeGreaterThan(0)
    // Nothing of it is left to deliver to.
    await harness.outside(...removal(linkIndex, peer(1)))
  })

  it('follows the link that is watched at the time', async () => {
    start()
    const [first, second] = [await makeVxlan(harness, 0), await makeVxlan(harness, 1)]
    let watched = first
    const recorder = new ChangeRecorder(harness.kernel.changes(() => [watched], signal))
    await harness.outside(...addition(first, peer(1)))
    await recorder.first('route of the first', routeTo(1))
    watched = second
    await harness.outside(...addition(first, peer(2)), ...addition(second, peer(3)))
    await recorder.first('route of the second', routeTo(3))
    expect(recorder.seen.filter(routeTo(2))).toEqual([])
  })

  it('ends with the kernel', async () => {
    start()
    const recorder = record(1)
    harness.kernel.close()
    await recorder.ended
  })
})
