import { afterEach, expect, test } from 'vitest'
import { FOUND_DEAD_WITHIN_MS, type EtcdMember } from '../../lab/etcd-process.ts'
import { forwards, waitFor, type Lab } from '../../lab/index.ts'
import { leaseOf } from '../../lab/expected-tables.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import {
  allExact,
  changeLeases,
  healPartition,
  inCircle,
  losesNoPing,
  madeUpPeer,
  partition,
  removeMadeUpPeers,
} from './etcd-overlay.ts'

/** What can happen to the member that the first host is connected to. */
interface MemberFault {
  readonly title: string
  /** Whether the member leads when it happens. */
  readonly leads: boolean
  begin(lab: Lab, member: EtcdMember): Promise<void> | void
}

const MEMBER_FAULTS: readonly MemberFault[] = [
  {
    title: 'etcd of three: leader killed: forwarding goes on, changes are followed, writes resume',
    leads: true,
    begin: (_, member) => member.stop('SIGKILL'),
  },
  {
    title: 'etcd of three: leader frozen: forwarding goes on, changes are followed, writes resume',
    leads: true,
    begin: (_, member) => {
      member.freeze()
    },
  },
  {
    title:
      'etcd of three: one node partitioned from the member it uses: forwarding goes on, changes are followed, writes resume',
    leads: false,
    begin: (lab, { place }) => partition(lab.host(0), { address: place.host }),
  },
]

const MOST_CPU = 0.05
const OUTAGE_MS = 12_000

const lab = useLab({ hosts: 3, etcdMembers: 3 }, bringUp)

/** The member that the first host has its connection to; its agent begins afresh, since one that changed members has had several. */
async function memberInUse(): Promise<EtcdMember> {
  const { agent } = lab().host(0)
  await agent.kill()
  agent.start()
  await forwards(lab().host(0), { deadlineMs: 20_000 })
  const look = async (): Promise<EtcdMember | undefined> => {
    const sockets = await lab().host(0).place.exec('ss', ['-tnH', 'state', 'established', 'dport = :2379'])
    const used = lab().etcd.members.filter(({ place }) => sockets.includes(`${place.host}:${place.clientPort}`))
    return used.length === 1 ? used[0] : undefined
  }
  return waitFor('the first host to have a connection to one member', look)
}

afterEach(async () => {
  await healPartition(lab().host(0))
  for (const member of lab().etcd.members) member.thaw()
  await lab().etcd.restart()
  await removeMadeUpPeers(lab())
  await allExact(lab(), 15_000)
})

for (const fault of MEMBER_FAULTS)
  test(fault.title, async () => {
    await changeLeases(lab(), { put: [madeUpPeer(1), madeUpPeer(2)] })
    await allExact(lab())
    const member = await memberInUse()
    if (fault.leads) await lab().etcd.lead(member)
    const own = await leaseOf(lab(), lab().host(0))
    const name = own.subnet.replace('/', '-')
    await losesNoPing(inCircle(lab().hosts), async () => {
      await fault.begin(lab(), member)
      const shares = Promise.all(lab().hosts.map(({ agent }) => agent.cpuShare(OUTAGE_MS)))
      const write = async (): Promise<boolean> => {
        await changeLeases(lab(), { put: [madeUpPeer(1, 1), madeUpPeer(3)], remove: [madeUpPeer(2).name] })
        return true
      }
      await waitFor('the members to elect a leader', write, { deadlineMs: 15_000 })
      await allExact(lab(), FOUND_DEAD_WITHIN_MS)
      await lab().deleteLease(name)
      const isBack = async (): Promise<boolean> => (await lab().leases()).some((lease) => lease.name === name)
      await waitFor('the first host to write its lease again', isBack, { deadlineMs: FOUND_DEAD_WITHIN_MS })
      await allExact(lab())
      for (const share of await shares) expect(share, 'share of a processor').toBeLessThan(MOST_CPU)
    })
  })
