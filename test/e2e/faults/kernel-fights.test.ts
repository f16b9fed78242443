import { beforeAll, describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../../lab/index.ts'
import { peersAre, readLease, type ReadLease } from '../../lab/expected-tables.ts'
import { bringUp, DEVICE, useLab } from '../../lab/use-lab.ts'
import { fakePeer, putPeer } from '../../lab/fake-peers.ts'
import { FIGHTS, fightTitle } from './kernel-fights.ts'
import { anyIndex, overlayState, type OverlayState } from './state.ts'

const UNDONE_EVERY_SECONDS = 0.02
const NOTICED_WITHIN_MS = 15_000
const PROGRAMMED_WITHIN_MS = 2_000
const WATCHED_MS = 4_000
/** Share of one processor. */
const MOST_CPU = 0.05
/** A fight is answered ever more slowly: up to a minute after it ends the row still waits. */
const HEALED_WITHIN_MS = 75_000

/** What is not about single peers. */
const withoutTables = (state: OverlayState): OverlayState => ({
  ...anyIndex(state),
  neighbours: [],
  fdb: [],
  routes: [],
})

describe('somebody who keeps undoing what the agent does', () => {
  const lab = useLab({ hosts: FIGHTS.length }, bringUp)
  let leases: readonly ReadLease[] = []

  beforeAll(async () => {
    leases = (await lab().leases()).map(readLease)
  })

  const warningOf = async ({ agent }: LabHost, names: string): Promise<string> =>
    waitFor(
      `a warning that names ${names}`,
      async () => {
        const lines = (await agent.logOfRun()).split('\n')
        return lines.find((line) => / warn .*keeps /.test(line) && line.toLowerCase().includes(names))
      },
      { deadlineMs: NOTICED_WITHIN_MS },
    )

  /** A peer that comes while the fight goes on is none of its business. */
  const programsAnother = async (host: LabHost, newcomer: ReadLease): Promise<void> => {
    await putPeer(lab(), newcomer)
    const look = async (): Promise<boolean> => {
      const { neighbours, fdb, routes } = await host.peerTables(DEVICE)
      expect(neighbours.map(({ address }) => address)).toContain(newcomer.base)
      expect(fdb.map(({ mac }) => mac)).toContain(newcomer.mac)
      expect(routes.map(({ destination }) => destination)).toContain(newcomer.subnet)
      return true
    }
    await waitFor('the newcomer to be programmed', look, { deadlineMs: PROGRAMMED_WITHIN_MS })
  }

  // Side by side, on a host each: what counts is what the agents do, and that takes them time.
  for (const [at, fight] of FIGHTS.entries())
    test.concurrent(fightTitle(fight), async () => {
      const host = lab().host(at)
      const before = await overlayState(host)
      const others = leases.filter(({ publicIp }) => publicIp !== host.address)
      const [peer] = others
      if (!peer) throw new Error('no peers')
      const script = host.startScript(
        `while :; do ${fight.undo(peer)} 2>/dev/null; sleep ${UNDONE_EVERY_SECONDS}; done`,
      )
      try {
        await warningOf(host, fight.names(peer))
        if (fight.leavesTheDevice) await programsAnother(host, fakePeer(at))
        expect(await host.agent.cpuShare(WATCHED_MS)).toBeLessThan(MOST_CPU)
      } finally {
        await script.end()
      }
      const isWhole = async (): Promise<boolean> => {
        expect(withoutTables(await overlayState(host))).toEqual(withoutTables(before))
        const all = (await lab().leases()).map(readLease).filter(({ publicIp }) => publicIp !== host.address)
        await peersAre(host, all, 0)
        return true
      }
      await waitFor('the overlay to be whole', isWhole, { deadlineMs: HEALED_WITHIN_MS, everyMs: 100 })
    })
})
