import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor, type Lab, type LabHost } from '../../lab/index.ts'
import { MOMENT, startAgain, type Moment } from './moments.ts'
import { anyIndex, overlayState, plantForeign, type OverlayState } from './state.ts'
import { happensAt, HEALED_WITHIN_MS, titleOf, type Fault, type MomentName, type Scene } from './table.ts'

/**
 * Hosts in turn, each with an agent that has seen no fault yet: an agent grows slow to heal what is damaged again and again, and
 * no test is to know of the one before. The restarts go on behind the tests on the other hosts.
 */
class Rota {
  readonly #lab: Lab
  readonly #ready = new Map<LabHost, Promise<void>>()
  #turn = 0

  constructor(lab: Lab) {
    this.#lab = lab
  }

  async next(): Promise<LabHost> {
    const host = this.#lab.host(this.#turn++ % this.#lab.hosts.length)
    const ready = this.#ready.get(host)
    this.#ready.delete(host) // a restart that failed is one test's failure, not that of all which follow
    await ready
    return host
  }

  refresh(host: LabHost): void {
    const restart = async (): Promise<void> => {
      await host.agent.kill()
      await startAgain(host)
    }
    const ready = restart()
    ready.catch(() => undefined) // whoever waits for this host hears of it
    this.#ready.set(host, ready)
  }

  async settle(): Promise<void> {
    await Promise.allSettled(this.#ready.values())
  }
}

/** The state of a host that lacks nothing. */
async function wholeState({ host, peers }: Scene): Promise<OverlayState> {
  const look = async (): Promise<OverlayState> => {
    const state = await overlayState(host)
    const counts = [state.neighbours, state.fdb].map(({ length }) => length)
    expect(counts, 'every peer').toEqual([peers, peers])
    return state
  }
  return waitFor(`${host.name} to be whole`, look)
}

async function stateBecomes({ host }: Scene, wanted: OverlayState, { recreates, deadlineMs }: Fault): Promise<void> {
  const comparable = recreates === true ? anyIndex : (state: OverlayState): OverlayState => state
  const look = async (): Promise<boolean> => {
    expect(comparable(await overlayState(host))).toEqual(comparable(wanted))
    return true
  }
  await waitFor('the end state', look, { deadlineMs: deadlineMs ?? HEALED_WITHIN_MS })
}

async function play(scene: Scene, fault: Fault, moment: Moment): Promise<void> {
  await plantForeign(scene.host, fault.foreign ?? 'all')
  const before = await wholeState(scene)
  const aftermath = await moment.strike(scene, () => fault.inflict(scene))
  try {
    await stateBecomes(scene, fault.expected?.(before) ?? before, fault)
    await fault.check?.(scene)
    await aftermath()
  } finally {
    await fault.undo?.(scene)
  }
  await stateBecomes(scene, before, fault)
}

/** One test for each of the faults that happen at this moment. */
export function testFaults(lab: () => Lab, faults: readonly Fault[], name: MomentName): void {
  const moment = MOMENT[name]
  describe(name, () => {
    let rota: Rota | undefined
    let peers = 0
    beforeAll(async () => {
      rota = new Rota(lab())
      peers = (await lab().leases()).length - 1
      await moment.enter?.(lab())
    })
    afterAll(() => rota?.settle())
    for (const fault of faults.filter((one) => happensAt(one, name)))
      test(titleOf(fault, name), async () => {
        if (!rota) throw new Error('no hosts')
        const host = await rota.next()
        try {
          await play({ lab: lab(), host, peers }, fault, moment)
        } finally {
          if (moment.restarts) rota.refresh(host)
        }
      })
  })
}
