import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Reconciler } from '../../../src/reconcile/reconciler.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { OverlayWorld } from '../../fake/overlay-world.ts'

/** Time flies: whoever looks at the clock twice has worked for longer than others are to wait. */
class HurriedClock extends FakeClock {
  turns = 0
  /** What others do when they have their turn. */
  onTurn: () => void = () => undefined
  #ms = 0

  override monotonicMs(): number {
    return (this.#ms += 10)
  }

  override async sleep(): Promise<void> {
    this.turns++
    this.onTurn()
    await new Promise(setImmediate)
  }
}

const PEERS = 220
let clock: HurriedClock
let world: OverlayWorld

beforeEach(async () => {
  clock = new HurriedClock()
  world = await OverlayWorld.create(true, { reconciler: (kernel) => new Reconciler(kernel, [4], clock, () => 0.5) })
})

afterEach(() => {
  world.close()
})

function setPeers(): void {
  for (let index = 0; index < PEERS; index++) world.setPeer(index, 0)
}

async function passUntilExact(): Promise<void> {
  clock.onTurn = () => undefined
  do await world.pass()
  while (world.reconciler.nextPassInMs() !== undefined)
  expect(world.actual()).toEqual(world.expected())
  expect(world.violations).toEqual([])
}

/** What peers do at each turn, one of them at a time. */
const doings = fc.array(fc.tuple(fc.nat(PEERS - 1), fc.constantFrom('changes', 'goes', 'comes again', 'is undone')), {
  minLength: 1,
  maxLength: 60,
})

function act(what: readonly (readonly [number, string])[]): void {
  const left = [...what]
  clock.onTurn = () => {
    const [peer = 0, doing] = left.shift() ?? []
    if (doing === 'changes') world.setPeer(peer, 1)
    else if (doing === 'goes') world.dropPeer(peer)
    else if (doing === 'comes again') world.setPeer(peer, 0)
    else if (doing === 'is undone') world.addUpstreamRoute(peer)
  }
}

describe('others have their turn', () => {
  test('while many peers are programmed, and what these do meanwhile is exact soon', async () => {
    await fc.assert(
      fc.asyncProperty(doings, async (what) => {
        await world.restart()
        setPeers()
        const { turns } = clock
        act(what)
        await world.pass()
        expect(clock.turns - turns).toBeGreaterThan(5)
        await passUntilExact()
      }),
      { numRuns: 20 },
    )
  })

  test('while many rows that stand are compared, and nothing is written for those that are as they should be', async () => {
    setPeers()
    await passUntilExact()
    await world.restart()
    const { turns } = clock
    expect(await world.pass()).toBe(0)
    expect(clock.turns - turns).toBeGreaterThan(5)
    expect(world.actual()).toEqual(world.expected())
  })

  test('while rows are compared, and whoever changes or goes meanwhile is followed', async () => {
    await fc.assert(
      fc.asyncProperty(doings, async (what) => {
        setPeers()
        await passUntilExact()
        await world.restart()
        act(what)
        await world.pass()
        await passUntilExact()
      }),
      { numRuns: 20 },
    )
  })

  test('while rows are compared, and a device that goes meanwhile has none any more', async () => {
    setPeers()
    await passUntilExact()
    await world.restart()
    clock.onTurn = () => {
      world.reconciler.detach()
    }
    expect(await world.pass()).toBe(0)
    expect(world.reconciler.pending).toBe(3 * PEERS)
    clock.onTurn = () => undefined
    world.deleteDevice()
    await world.tend()
    await passUntilExact()
  })
})
