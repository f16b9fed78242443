import { describe, expect, test } from 'vitest'
import { vxlanLease, waitFor, type LabHost } from '../lab/index.ts'
import { leaseOf, peersAre, readLease, type ReadLease } from './expected-tables.ts'
import { bringUp, useLab } from './use-lab.ts'

/** A node that exists in etcd only. */
const FAKE: ReadLease = {
  base: '10.50.0.0',
  subnet: '10.50.0.0/20',
  publicIp: '192.168.205.77',
  mac: '82:00:00:00:00:77',
}
const FAKE_KEY = '10.50.0.0-20'

describe('peers that come, change and go', () => {
  const lab = useLab({ hosts: 3 }, bringUp)

  const put = (peer: ReadLease): Promise<void> =>
    lab().putLease(peer.subnet.replace('/', '-'), vxlanLease(peer.publicIp, peer.mac))

  const realPeers = async (host: LabHost): Promise<readonly ReadLease[]> => {
    const own = await leaseOf(lab(), host)
    const leases = (await lab().leases()).map(readLease)
    return leases.filter(({ subnet }) => subnet !== own.subnet && subnet !== FAKE.subnet)
  }

  /** The agent's connection to etcd hangs on the old address: its loss is noticed after some seconds. */
  const leaseBecomes = async (host: LabHost, wanted: ReadLease): Promise<void> => {
    const look = async (): Promise<boolean> => {
      expect(await leaseOf(lab(), host)).toEqual(wanted)
      return true
    }
    await waitFor(`the lease of ${host.name} to name ${wanted.publicIp}`, look, { deadlineMs: 20_000 })
  }

  test('a deleted lease takes exactly its three entries on every other node', async () => {
    const real = await Promise.all(lab().hosts.map(realPeers))
    await put(FAKE)
    for (const [at, host] of lab().hosts.entries()) await peersAre(host, [...(real[at] ?? []), FAKE])
    await lab().deleteLease(FAKE_KEY)
    for (const [at, host] of lab().hosts.entries()) await peersAre(host, real[at] ?? [])
  })

  test.each([
    ['PublicIP', { publicIp: '192.168.205.78' }],
    ['VtepMAC', { mac: '82:00:00:00:00:78' }],
    ['both', { publicIp: '192.168.205.79', mac: '82:00:00:00:00:79' }],
  ])('a changed %s is followed, with no stale entry left', async (_, change) => {
    const host = lab().host(0)
    const real = await realPeers(host)
    await put(FAKE)
    await peersAre(host, [...real, FAKE])
    await put({ ...FAKE, ...change })
    await peersAre(host, [...real, { ...FAKE, ...change }])
    await lab().deleteLease(FAKE_KEY)
    await peersAre(host, real)
  })

  test('changes that happen while the agent stands still are made up for', async () => {
    const host = lab().host(0)
    const real = await realPeers(host)
    host.agent.freeze()
    await put(FAKE)
    await put({ ...FAKE, mac: '82:00:00:00:00:7a' })
    host.agent.thaw()
    await peersAre(host, [...real, { ...FAKE, mac: '82:00:00:00:00:7a' }])
    await lab().deleteLease(FAKE_KEY)
    await peersAre(host, real)
  })

  test('a node whose underlay address changes keeps subnet and MAC, and is reached at the new address', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    const before = await leaseOf(lab(), second)
    await second.setUnderlayAddress('192.168.205.111')
    const moved = { ...before, publicIp: '192.168.205.111' }
    await leaseBecomes(second, moved)
    await peersAre(first, await realPeers(first))
    const target = second.containers[0]?.address ?? ''
    await waitFor('pings to its container', async () => {
      const result = await first.containers[0]?.ping(target, { count: 1, timeoutMs: 500 })
      return result?.received === 1
    })
    await second.setUnderlayAddress(second.address)
    await leaseBecomes(second, before)
    await peersAre(first, await realPeers(first))
  })

  test('an etcd that dies and returns changes nothing in the kernel, and is followed again', async () => {
    const host = lab().host(0)
    const real = await realPeers(host)
    const stream = host.containers[0]?.pingStream(lab().host(1).containers[0]?.address ?? '')
    await stream?.progress()
    await lab().etcd.member.stop('SIGKILL')
    await waitFor('the agent to notice', async () => (await host.agent.logOfRun()).includes('out of reach'))
    await peersAre(host, real)
    await lab().etcd.restart()
    await put(FAKE)
    await peersAre(host, [...real, FAKE], 20_000)
    await lab().deleteLease(FAKE_KEY)
    await peersAre(host, real)
    expect((await stream?.stop())?.lost).toEqual([])
  })
})
