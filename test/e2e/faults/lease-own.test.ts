import { describe, expect, test } from 'vitest'
import { FOUND_DEAD_WITHIN_MS } from '../../lab/etcd-process.ts'
import { fails, holds, vxlanLease, waitFor, type LabHost } from '../../lab/index.ts'
import { lengthOfLog, says } from '../../lab/log.ts'
import { leaseOf, wholeDevice } from '../../lab/expected-tables.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import { allExact, healPartition, inCircle, losesNoPing, partition } from './etcd-overlay.ts'
import { holdsOneLease, leaseNameOf, readLeaseKey, subnetOtherThan, type LeaseKey } from './lease-scene.ts'

const lab = useLab({ hosts: 4 }, bringUp)

const others = (host: LabHost): readonly LabHost[] => lab().hosts.filter((other) => other !== host)

/** Something done to a node's own lease, behind its back. */
interface LeaseFault {
  readonly title: string
  /** Peers follow what the lease says until it is mended: pings to this node may be lost. */
  readonly misleads?: true
  inflict(name: string, key: LeaseKey): Promise<unknown>
}

const FAULTS: readonly LeaseFault[] = [
  {
    title: 'lease: own key deleted: same subnet, on an etcd lease again, own device untouched, no ping lost',
    inflict: (name) => lab().deleteLease(name),
  },
  {
    title: 'lease: own etcd lease revoked: same subnet, on an etcd lease again, own device untouched, no ping lost',
    inflict: (_, { etcdLease = '' }) => lab().etcdctl('lease', 'revoke', etcdLease),
  },
  {
    title: 'lease: own key overwritten with nonsense: as before, on an etcd lease again, own device untouched',
    misleads: true,
    inflict: (name) => lab().putLease(name, '{"PublicIP":'),
  },
  {
    title: 'lease: own key rewritten with another MAC, on no etcd lease: as before, on an etcd lease again',
    misleads: true,
    inflict: (name, { value }) => lab().putLease(name, value.replace(/"VtepMAC":"..:..:../, '"VtepMAC":"82:bb:cc')),
  },
]

describe('a lease that somebody tampers with', () => {
  for (const [at, fault] of FAULTS.entries())
    test(fault.title, async () => {
      // the next test takes another host: a node repairs its key ever more slowly
      const host = lab().host(at % lab().hosts.length)
      const [name, device] = [await leaseNameOf(lab(), host), await wholeDevice(host)]
      const before = await readLeaseKey(lab(), name)
      if (before?.etcdLease === undefined) throw new Error(`${name} is on no etcd lease`)
      await losesNoPing(inCircle(fault.misleads ? others(host) : lab().hosts), async () => {
        await fault.inflict(name, before)
        const isBack = async (): Promise<boolean> => {
          const key = await readLeaseKey(lab(), name)
          expect(key?.value).toBe(before.value)
          expect(key?.etcdLease).toBeDefined()
          expect(key?.modRevision).not.toBe(before.modRevision)
          return true
        }
        await waitFor('the lease to be as before', isBack)
        await allExact(lab())
      })
      expect(await wholeDevice(host)).toEqual(device)
      await holdsOneLease(lab(), host)
    })
})

/** Ways for an agent not to see what happens. */
const ABSENCES = [
  {
    title: 'lease: own subnet taken while its agent was frozen: left to the other, a new one taken, device follows',
    begin: ({ agent }: LabHost) => {
      agent.freeze()
      return Promise.resolve()
    },
    end: ({ agent }: LabHost) => {
      agent.thaw()
      return Promise.resolve()
    },
  },
  {
    title: 'lease: own subnet taken while it was cut off from etcd: left to the other, a new one taken, device follows',
    begin: async (host: LabHost) => {
      await holds(host, 'etcd', { deadlineMs: 15_000 })
      await partition(host)
      await fails(host, 'etcd', /is out of reach/, { deadlineMs: FOUND_DEAD_WITHIN_MS })
    },
    end: healPartition,
  },
]

describe('a subnet that another node has taken', () => {
  const INTRUDER = vxlanLease('192.168.205.99', '82:00:00:00:00:99')

  for (const { title, begin, end } of ABSENCES)
    test(title, async () => {
      const host = lab().host(3)
      const { subnet } = await leaseOf(lab(), host)
      const name = subnet.replace('/', '-')
      await holds(host, 'etcd', { deadlineMs: 15_000 })
      const skip = await lengthOfLog(host)
      await losesNoPing(inCircle(lab().hosts.slice(0, 3)), async () => {
        await begin(host)
        await lab().deleteLease(name)
        await lab().putLease(name, INTRUDER)
        const taken = await readLeaseKey(lab(), name)
        await end(host)
        await subnetOtherThan(host, subnet)
        await says(host, /error .*lease.*(lost|belongs to).*containers must move/, { deadlineMs: 5_000, skip })
        expect(await readLeaseKey(lab(), name), 'never overwritten').toEqual(taken)
        await holdsOneLease(lab(), host)
        await allExact(lab())
      })
      await lab().deleteLease(name)
      await allExact(lab())
    })
})
