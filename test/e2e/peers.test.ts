import { describe, test } from 'vitest'
import { vxlanLease, type LabHost } from '../lab/index.ts'
import { leaseOf, peersAre, readLease, type ReadLease } from '../lab/expected-tables.ts'
import { bringUp, useLab } from '../lab/use-lab.ts'

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
})
