import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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

  it('stands for everything muted during a large batch of our own, and what happens later is heard again', async () => {
    start({ muteAbove: 100 })
    const linkIndex = await makeVxlan(harness)
    const recorder = record(linkIndex)
    check(
      await harness.kernel.apply(
        peers(50).flatMap((one) => addition(linkIndex, one)),
        signal,
      ),
    )
    await recorder.first('overrun', isChange('overrun'))
    expect(recorder.seen.map(({ kind }) => kind)).toEqual(['overrun'])
    await harness.outside(...removal(linkIndex, peer(7)))
    expect(await recorder.first('route', routeTo(7))).toMatchObject({ gone: true })
  })

  it('also ends a muted batch that was stopped half-way', async () => {
    start({ muteAbove: 100 })
    const linkIndex = await makeVxlan(harness)
    const recorder = record(linkIndex)
    const half = new AbortController()
    const applied = harness.kernel.apply(
      peers(5_000).flatMap((one) => addition(linkIndex, one)),
      half.signal,
    )
    half.abort()
    await expect(applied).rejects.toMatchObject({ code: 'ABORTED' })
    await recorder.first('overrun', isChange('overrun'))
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
    // Nothing of it is left to mute, or to deliver to.
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
