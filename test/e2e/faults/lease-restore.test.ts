import { afterEach, describe, expect, test } from 'vitest'
import { holds, waitFor, type Lab, type LabHost } from '../../lab/index.ts'
import { lengthOfLog, says } from '../../lab/log.ts'
import { ETCD_PREFIX } from '../../lab/lab.ts'
import { leaseOf, tablesFor, type ReadLease } from '../../lab/expected-tables.ts'
import { bringUp, CONFIG, DEVICE, useLab } from '../../lab/use-lab.ts'
import { allExact, changeLeases, inCircle, losesNoPing, madeUpPeer, removeMadeUpPeers } from './etcd-overlay.ts'
import { holdsOneLease } from './lease-scene.ts'

/** How soon agents must have noticed that etcd is not what it was. */
const NOTICED_WITHIN_MS = 60_000
const SHORT_GRACE_MS = 5_000

/** The first host holds vanished peers as long as it does unless told otherwise, the others for five seconds. */
const lab = useLab({ hosts: 3 }, async (it) => {
  await bringUp(it)
  for (const { agent } of it.hosts.slice(1)) {
    await agent.stop()
    agent.start([`--stale-peer-grace=${SHORT_GRACE_MS / 1_000}`])
  }
  await allExact(it, 10_000)
})

afterEach(async () => {
  // peers that are held are let go when somebody deletes their leases
  await changeLeases(lab(), { put: VANISHING })
  await removeMadeUpPeers(lab())
  await allExact(lab(), 15_000)
})

/** Peers that no machine stands behind: nobody publishes them again. */
const VANISHING = [1, 2, 3, 4].map((number) => madeUpPeer(number))

/** A way for etcd to come back with less than it had. */
interface Setback {
  readonly title: string
  /** What the log says of it. */
  readonly noticed: RegExp
  /** Called while there is nothing but the hosts. @returns how to do it, once there is more */
  prepare(lab: Lab): Promise<() => Promise<void>>
}

async function wipe({ etcd }: Lab): Promise<void> {
  await etcd.member.stop('SIGKILL')
  etcd.member.wipe()
  await etcd.restart()
}

const RESET = /etcd is not what it was/

const SETBACKS: readonly Setback[] = [
  {
    title: 'etcd: wiped: noticed, leases published again, vanished peers held for a while, no ping lost',
    noticed: RESET,
    prepare: (it) => Promise.resolve(() => wipe(it)),
  },
  {
    title: 'etcd: restored from an older snapshot: noticed, leases published again, vanished peers held, no ping lost',
    noticed: RESET,
    prepare: async ({ etcd }) => {
      const file = await etcd.snapshot()
      return () => etcd.restore(file)
    },
  },
  {
    title: 'etcd: restored, and its revision past ours again: noticed, vanished peers held, no ping lost',
    noticed: RESET,
    prepare: async (it) => {
      const file = await it.etcd.snapshot()
      return async () => {
        const known = await it.revision()
        for (const { agent } of it.hosts) agent.freeze()
        await it.etcd.restore(file)
        while ((await it.revision()) <= known + 5) await it.putConfig(CONFIG)
        for (const { agent } of it.hosts) agent.thaw()
      }
    },
  },
  {
    title: 'etcd: every lease deleted at once: leases published again, vanished peers held for a while, no ping lost',
    noticed: /the store has lost leases/,
    prepare: (it) =>
      Promise.resolve(async () => {
        await it.etcdctl('del', '--prefix', `${ETCD_PREFIX}/subnets/`)
      }),
  },
]

/** Waits until the host's tables hold exactly these. */
async function becomes(host: LabHost, peers: readonly ReadLease[], deadlineMs: number): Promise<void> {
  const look = async (): Promise<boolean> => {
    expect(await host.peerTables(DEVICE), host.name).toEqual(tablesFor(peers))
    return true
  }
  await waitFor(`${host.name} to hold ${peers.length} peers`, look, { deadlineMs, everyMs: 100 })
}

const made = (peers: typeof VANISHING): readonly ReadLease[] =>
  peers.map(({ name, value }) => {
    const [, publicIp = ''] = /"PublicIP":"([^"]*)"/.exec(value) ?? []
    const [, mac = ''] = /"VtepMAC":"([^"]*)"/.exec(value) ?? []
    return { base: name.replace(/-.*/, ''), subnet: name.replace('-', '/'), publicIp, mac }
  })

describe('an etcd that has lost what it knew', () => {
  for (const setback of SETBACKS)
    test(setback.title, async () => {
      const { hosts } = lab()
      const setBack = await setback.prepare(lab())
      await changeLeases(lab(), { put: VANISHING })
      await allExact(lab())
      const before = await Promise.all(hosts.map((host) => leaseOf(lab(), host)))
      for (const host of hosts) await holds(host, 'etcd', { deadlineMs: 15_000 })
      const skip = await Promise.all(hosts.map(lengthOfLog))
      await losesNoPing(inCircle(hosts), async () => {
        await setBack()
        await Promise.all(
          hosts.map((host, at) => says(host, setback.noticed, { deadlineMs: NOTICED_WITHIN_MS, skip: skip[at] ?? 0 })),
        )
        const areBack = async (): Promise<boolean> => {
          expect(await Promise.all(hosts.map((host) => leaseOf(lab(), host)))).toEqual(before)
          return true
        }
        await waitFor('every node to publish its lease again', areBack, { deadlineMs: 15_000 })
        const held = made(VANISHING)
        for (const [at, host] of hosts.entries()) {
          const live = before.filter((_, other) => other !== at)
          if (at === 0) await becomes(host, [...live, ...held], 1_000)
          else await becomes(host, live, SHORT_GRACE_MS + 3_000)
        }
        const [first] = hosts
        if (first) await becomes(first, [...before.slice(1), ...held], 1_000)
      })
      for (const host of hosts) await holdsOneLease(lab(), host)
    })
})
