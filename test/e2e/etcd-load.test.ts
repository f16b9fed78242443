import { describe, expect, test } from 'vitest'
import { pagesOf } from '../bench/scale/holder.ts'
import { startAtOnce } from '../bench/scale/mass-start.ts'
import { EtcdMetrics } from '../lab/etcd-metrics.ts'
import { putPeers } from '../lab/fake-peers.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'

/** Few enough to be started in some seconds, and many enough to want the same subnets. */
const AGENTS = 24

describe(`${AGENTS} nodes that start at once`, () => {
  const lab = useLab({ hosts: AGENTS, health: false }, async (made) => made.putConfig(CONFIG))

  test('have a lease each, no two of one subnet, and leave nothing behind of the races that they lost', async () => {
    const { subnets, leases, lostRaces, requests } = await startAtOnce(lab(), 60_000)
    expect(new Set(subnets).size).toBe(AGENTS)
    expect(leases).toHaveLength(AGENTS)
    const [, ...etcdLeases] = (await lab().etcdctl('lease', 'list')).trim().split('\n')
    expect(etcdLeases).toHaveLength(AGENTS)
    expect(requests['etcdserverpb.Lease/LeaseGrant']).toBe(AGENTS + lostRaces)
  })
})

describe('a node that joins', () => {
  const lab = useLab({ hosts: 2, health: false }, async (made) => made.putConfig(CONFIG))

  /** Starts the agent of a host where so many nodes are, and waits until it has asked all that it asks. */
  async function askedBy({ agent }: LabHost, nodes: number): Promise<void> {
    const { endpoint } = lab().etcd.member
    const before = await EtcdMetrics.read(endpoint)
    agent.start()
    const asked = async (): Promise<true> => {
      expect((await EtcdMetrics.read(endpoint)).callsSince(before)).toEqual({
        'etcdserverpb.Lease/LeaseGrant': 1,
        'etcdserverpb.KV/Txn': 1,
        'etcdserverpb.Watch/Watch': 4,
        'etcdserverpb.KV/Range': 7 + pagesOf(nodes),
      })
      return true
    }
    await waitFor(`what a node asks of etcd that joins ${nodes}`, asked)
    await agent.stop()
  }

  test('asks as much of etcd whether there are three others or a thousand, but for the pages of one list', async () => {
    await putPeers(lab(), 0, 3)
    await askedBy(lab().host(0), 3)
    await putPeers(lab(), 3, 997)
    await askedBy(lab().host(1), 1_001)
  })
})
