import { afterEach, expect, test } from 'vitest'
import { FOUND_DEAD_WITHIN_MS } from '../../lab/etcd-process.ts'
import { EtcdProxy, type Attempt } from '../../lab/etcd-proxy.ts'
import { fails, holds, type Lab, type LabHost } from '../../lab/index.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import {
  allExact,
  changeLeases,
  FOLLOWED_WITHIN_MS,
  healPartition,
  inCircle,
  losesNoPing,
  madeUpPeer,
  partition,
  removeMadeUpPeers,
} from './etcd-overlay.ts'

/** A way for etcd to be out of reach. */
interface Outage {
  readonly title: string
  readonly seconds: number
  /** Whether it can be written to meanwhile. */
  readonly writable: boolean
  /** Whose agents are cut off. */
  hosts(lab: Lab): readonly LabHost[]
  begin(lab: Lab): Promise<void> | void
  /** Resolves once etcd is there again. */
  end(lab: Lab): Promise<void> | void
}

const everybody = ({ hosts }: Lab): readonly LabHost[] => hosts

const OUTAGES: readonly Outage[] = [
  {
    title: 'etcd: frozen for 15 s: forwarding goes on, changes are followed within 5 s',
    seconds: 15,
    writable: false,
    hosts: everybody,
    begin: ({ etcd }) => {
      etcd.member.freeze()
    },
    end: ({ etcd }) => {
      etcd.member.thaw()
    },
  },
  {
    title: 'etcd: killed for 10 s: forwarding goes on, changes are followed within 5 s',
    seconds: 10,
    writable: false,
    hosts: everybody,
    begin: ({ etcd }) => etcd.member.stop('SIGKILL'),
    end: ({ etcd }) => etcd.restart(),
  },
  {
    title: 'etcd: partitioned from one node for 25 s: forwarding goes on, changes are followed within 5 s',
    seconds: 25,
    writable: true,
    hosts: ({ hosts }) => hosts.slice(0, 1),
    begin: (lab) => partition(lab.host(0)),
    end: (lab) => healPartition(lab.host(0)),
  },
]

/** One changed, one deleted, one new. */
const BEFORE = { put: [madeUpPeer(1), madeUpPeer(2)] }
const CHANGES = { put: [madeUpPeer(1, 1), madeUpPeer(3)], remove: [madeUpPeer(2).name] }

/** Share of one processor that an agent may use while etcd is away. */
const MOST_CPU = 0.05

const lab = useLab({ hosts: 3 }, bringUp)

afterEach(async () => {
  await healPartition(lab().host(0))
  lab().etcd.member.thaw()
  await lab().etcd.restart()
  await removeMadeUpPeers(lab())
  await allExact(lab(), 15_000)
})

/** Begins an outage and waits it out; every agent must notice, and then do next to nothing. */
async function sitOut(hosts: readonly LabHost[], seconds: number, begin: () => unknown): Promise<void> {
  for (const host of hosts) await holds(host, 'etcd', { deadlineMs: 15_000 })
  await begin()
  const shares = Promise.all(hosts.map(({ agent }) => agent.cpuShare(seconds * 1_000)))
  await Promise.all(
    hosts.map((host) => fails(host, 'etcd', /is out of reach/, { everyMs: 500, deadlineMs: FOUND_DEAD_WITHIN_MS })),
  )
  for (const share of await shares) expect(share, 'share of a processor').toBeLessThan(MOST_CPU)
}

for (const outage of OUTAGES)
  test(outage.title, async () => {
    await changeLeases(lab(), BEFORE)
    await allExact(lab())
    await losesNoPing(inCircle(lab().hosts), async () => {
      await sitOut(outage.hosts(lab()), outage.seconds, () => outage.begin(lab()))
      if (outage.writable) await changeLeases(lab(), CHANGES)
      await outage.end(lab())
      if (!outage.writable) await changeLeases(lab(), CHANGES)
      await allExact(lab(), FOLLOWED_WITHIN_MS)
    })
  })

/** Times between attempts, in milliseconds. */
const gapsOf = (attempts: readonly Attempt[], { address }: LabHost): readonly number[] => {
  const times = attempts.filter(({ from }) => from === address).map(({ atMs }) => atMs)
  return times.slice(1).map((atMs, at) => atMs - (times[at] ?? 0))
}

test('etcd: stopped for 12 s: agents try again seldom, each at times of its own, and follow changes within 5 s', async () => {
  const { etcd, hosts } = lab()
  await changeLeases(lab(), BEFORE)
  await allExact(lab())
  await losesNoPing(inCircle(hosts), async () => {
    const { host, clientPort: port } = etcd.member.place
    let nobody: EtcdProxy | undefined
    try {
      await sitOut(hosts, 12, async () => {
        await etcd.member.stop()
        nobody = await EtcdProxy.start({ host, port })
      })
    } finally {
      await nobody?.close()
    }
    const gaps = hosts.map((one) => gapsOf(nobody?.attempts ?? [], one))
    for (const own of gaps) {
      expect(own.length, 'connections in 12 s').toBeGreaterThan(1)
      // A connection that is reset as soon as it stands is made once more by gRPC: two for each attempt of ours.
      expect(own.length, 'connections in 12 s').toBeLessThan(80)
      expect(Math.max(...own), 'the longest pause between attempts').toBeLessThan(FOLLOWED_WITHIN_MS)
    }
    expect(new Set(gaps.map((own) => own.map((ms) => Math.round(ms / 10)).join())).size, 'rhythms').toBe(hosts.length)
    await etcd.restart()
    await changeLeases(lab(), CHANGES)
    await allExact(lab(), FOLLOWED_WITHIN_MS)
  })
})
