import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { KernelOp, OpResult } from '../../src/kernel/kernel.ts'
import { NO_ROWS, type PeerEntries } from '../../src/reconcile/entries.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { FakeKernel } from '../fake/fake-kernel.ts'
import { entriesOf, first, rowsOf } from '../fake/overlay-world.ts'
import { fuzzRuns } from './fuzz-runs.ts'

const PEERS = [0, 1]
const CUT = { network: prefix('10.0.0.0/8'), subnetLength: 20 }

/** A peer goes over to the other link; the tables are brought in step; time passes. */
const EVENTS = fc.oneof(
  { weight: 3, arbitrary: fc.record({ does: fc.constant('move' as const), peer: fc.constantFrom(...PEERS) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('pass' as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.constantFrom(100, 300) }) },
)
type Event = typeof EVENTS extends fc.Arbitrary<infer E> ? E : never

/** What is to happen next may do so before the kernel is asked, or between its work and our seeing its answer. */
class BusyKernel extends FakeKernel {
  meanwhile: () => void = () => undefined

  override async apply(ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]> {
    this.meanwhile()
    const results = await super.apply(ops, signal)
    this.meanwhile()
    return results
  }
}

class World {
  readonly kernel: BusyKernel
  readonly #signal = new AbortController().signal
  readonly #reconciler: Reconciler
  readonly #device: number
  readonly #isDirect = new Map<number, boolean>()
  readonly lost: string[] = []
  #nowMs = 0
  #isUp = false

  constructor(echo: boolean) {
    this.kernel = new BusyKernel({ echo })
    const underlay = this.kernel.addCard('eth0').index
    this.kernel.outside({ op: 'address.add', linkIndex: underlay, ip: ip('192.168.0.1'), prefixLength: 24 })
    this.#device = this.kernel.addCard('flannel.1', { kind: 'vxlan', vxlan: VXLAN }).index
    this.kernel.faults.refuse = () => {
      this.#look()
      return undefined
    }
    const clock = { monotonicMs: () => this.#nowMs, sleep: () => Promise.resolve() }
    this.#reconciler = new Reconciler(this.kernel, [4], clock, () => 0.5)
    this.#reconciler.attachUnderlay(underlay, CUT)
    this.#reconciler.attach(this.#device)
    this.#reconciler.allowPruning()
    void this.#listen()
  }

  async #listen(): Promise<void> {
    const changes = this.kernel.changes(() => this.#reconciler.watchedLinks, this.#signal)
    for await (const change of changes) this.#reconciler.observe(change)
  }

  async begin(): Promise<void> {
    for (const peer of PEERS) this.#set(peer, false)
    await this.settle()
    this.#isUp = true
  }

  move(peer: number): void {
    this.#set(peer, this.#isDirect.get(peer) !== true)
  }

  #set(peer: number, isDirect: boolean): void {
    this.#isDirect.set(peer, isDirect)
    this.#reconciler.setPeer(String(peer), isDirect ? direct(peer) : entriesOf(peer, 0))
  }

  async pass(): Promise<void> {
    await this.#reconciler.pass(this.#signal)
    this.#look()
  }

  wait(ms: number): void {
    this.#nowMs += ms
  }

  async settle(): Promise<void> {
    for (let pass = 0; pass < 6; pass++) {
      this.wait(300)
      await this.pass()
    }
  }

  /** Every peer is reached at every moment, one way or the other. */
  #look(): void {
    for (const peer of this.#isUp ? PEERS : []) if (!this.#isReached(peer)) this.lost.push(`peer ${peer}`)
  }

  #isReached(peer: number): boolean {
    const { neighbours, fdb, routes } = rowsOf(peer, 0)
    const tables = this.kernel.tables
    const [route] = [...tables.routes.values()].filter(
      ({ destination }) => destination.text === first(routes).destination.text,
    )
    if (route?.linkIndex !== this.#device) return route !== undefined
    return (
      tables.neighbours.has(`${this.#device} ${first(neighbours).ip.text}`) &&
      tables.fdb.has(`${this.#device} ${first(fdb).mac}`)
    )
  }

  /** What stands in the end, of what should. */
  get end(): unknown {
    const { neighbours, fdb, routes } = this.kernel.tables
    const over = [...routes.values()]
      .filter(({ protocol }) => protocol === '70')
      .map(({ linkIndex }) => linkIndex === this.#device)
    return {
      neighbours: neighbours.size,
      fdb: fdb.size,
      tunnelled: over.filter(Boolean).length,
      direct: over.filter((is) => !is).length,
    }
  }

  get expected(): unknown {
    const tunnelled = PEERS.filter((peer) => this.#isDirect.get(peer) !== true).length
    return { neighbours: tunnelled, fdb: tunnelled, tunnelled, direct: PEERS.length - tunnelled }
  }

  get pending(): number {
    return this.#reconciler.pending
  }
}

const VXLAN = {
  ...{ vni: 1, local: undefined, underlayIndex: 0, port: 8472, learning: false, gbp: false, ttl: 0 },
  ...{ udpChecksum: false, external: false },
}

function direct(peer: number): PeerEntries {
  const route = first(rowsOf(peer, 0).routes)
  return { onDevice: NO_ROWS, onUnderlay: [{ ...route, gateway: ip(`192.168.0.${peer + 2}`), onlink: false }] }
}

/** Moves that follow a pass happen while it runs. */
async function play(world: World, events: readonly Event[]): Promise<void> {
  const left = [...events]
  world.kernel.meanwhile = () => {
    const next = left[0]
    if (next?.does !== 'move') return
    left.shift()
    world.move(next.peer)
  }
  for (let event = left.shift(); event !== undefined; event = left.shift())
    if (event.does === 'move') world.move(event.peer)
    else if (event.does === 'wait') world.wait(event.ms)
    else await world.pass()
  world.kernel.meanwhile = () => undefined
}

test('peers that go over to the other link and back, at any moment of a pass, are reached at every moment', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(EVENTS, { maxLength: 30, size: 'max' }), async (echo, events) => {
      const world = new World(echo)
      await world.begin()
      await play(world, events)
      await world.settle()
      expect(world.lost).toEqual([])
      expect([world.end, world.pending]).toEqual([world.expected, 0])
    }),
    { numRuns: fuzzRuns(3_000) },
  )
})
