import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import type { PendingRow } from '../../../src/reconcile/pending-row.ts'
import { first, onDevice, OverlayWorld, rowsOf } from '../../fake/overlay-world.ts'

/** `route … | peer | why | until`, in the order in which the rows came to be wanted. */
const shown = ({ row, peer, why, untilMs }: PendingRow): string =>
  [row, peer ?? '-', why.is, ...(untilMs === undefined ? [] : [untilMs])].join(' | ')

const ROUTE = 'route 10.0.16.0/20 via 10.0.16.0 proto 70 metric 2 onlink'
const NEIGHBOUR = 'neighbour 10.0.16.0 lladdr 02:00:00:00:00:10 nud permanent'
const FDB = 'fdb 02:00:00:00:00:10 dst 192.168.0.1 self permanent'

let world: OverlayWorld
const inMs = (row: PendingRow | undefined): number => (row?.untilMs ?? 0) - world.nowMs
const pending = (): readonly PendingRow[] => [...world.reconciler.pendingRows()]

beforeEach(async () => {
  world = await OverlayWorld.create(true)
  await world.pass()
  world.list()
})

afterEach(() => {
  world.close()
})

describe('rows that are not as they should be', () => {
  it('are none where all stand', async () => {
    world.setPeer(0, 0)
    await world.pass()
    expect(pending()).toEqual([])
  })

  it('are told with their peer, and that they are missing', () => {
    world.setPeer(0, 0)
    expect(pending().map(shown)).toEqual([
      `${NEIGHBOUR} | 0 | missing`,
      `${FDB} | 0 | missing`,
      `${ROUTE} | 0 | missing`,
    ])
  })

  it('are told with what stands in their place', async () => {
    world.setPeer(0, 0)
    await world.pass()
    const { ip: address } = first(rowsOf(0, 0).neighbours)
    world.reconciler.setPeer(
      '0',
      onDevice({ ...rowsOf(0, 0), neighbours: [{ ip: address, mac: mac('02:00:00:00:00:99') }] }),
    )
    expect(pending()).toMatchObject([
      { row: 'neighbour 10.0.16.0 lladdr 02:00:00:00:00:99 nud permanent', why: { is: 'differs', actual: NEIGHBOUR } },
    ])
  })

  it('are told when no peer wants them', async () => {
    world.setPeer(0, 0)
    await world.pass()
    world.dropPeer(0)
    expect(pending().map(shown)).toEqual([
      `${NEIGHBOUR} | - | surplus`,
      `${FDB} | - | surplus`,
      `${ROUTE} | - | surplus`,
    ])
  })

  it("are told with the kernel's refusal, how often, and when they are tried again", async () => {
    world.kernel.faults.refuse = (op) => (op.op === 'route.replace' ? 'ENETUNREACH' : undefined)
    world.setPeer(0, 0)
    await world.pass()
    world.advance(5_000)
    await world.pass()
    const [row, ...more] = pending()
    expect(more).toEqual([])
    expect(row).toMatchObject({
      row: ROUTE,
      peer: '0',
      why: { is: 'refused', error: { code: 'ENETUNREACH' }, times: 2 },
    })
    expect(inMs(row)).toBe(world.reconciler.nextPassInMs())
  })

  it('are told to flap, and until when they are left alone', async () => {
    world.setPeer(0, 0)
    await world.pass()
    for (let time = 0; time < 4; time++) {
      world.advance(1_000)
      world.outside({ op: 'neighbour.delete', linkIndex: world.linkIndex, ip: ip('10.0.16.0') })
      await new Promise(setImmediate)
      await world.pass()
    }
    const [row] = pending()
    expect(row).toMatchObject({ row: NEIGHBOUR, peer: '0', why: { is: 'flapping', times: 4 } })
    expect(inMs(row)).toBe(world.reconciler.nextPassInMs())
    expect(inMs(row)).toBeGreaterThan(500)
  })

  it('wait for a device where there is none', async () => {
    world.setPeer(0, 0)
    await world.pass()
    world.reconciler.detach()
    expect(pending().map(shown)).toEqual([NEIGHBOUR, FDB, ROUTE].map((row) => `${row} | 0 | waiting | Infinity`))
    expect(pending()).toMatchObject(Array(3).fill({ why: { for: 'a link that is up' } }))
  })

  it('change nothing by being looked at', async () => {
    world.setPeer(0, 0)
    expect(pending()).toHaveLength(3)
    expect(pending()).toHaveLength(3)
    await world.pass()
    expect(world.actual()).toEqual(world.expected())
  })
})

it('rows of nobody wait for the first list of peers', async () => {
  world.setPeer(0, 0)
  await world.pass()
  await world.crash()
  await world.pass()
  expect(pending()).toMatchObject(
    Array(3).fill({ peer: undefined, why: { is: 'waiting', for: 'the first list of peers' }, untilMs: Infinity }),
  )
})
