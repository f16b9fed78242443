import { describe, expect, test } from 'vitest'
import { vxlanLease, forwards, waitFor, type LabHost } from '../lab/index.ts'
import { leaseOf, peersAre, readLease, type ReadLease } from '../lab/expected-tables.ts'
import { bringUp, useLab } from '../lab/use-lab.ts'

const MAC = '82:00:00:00:01:01'
const IP = '192.168.205.60'
const json = (fields: object): string =>
  JSON.stringify({ PublicIP: IP, BackendType: 'vxlan', BackendData: { VNI: 100, VtepMAC: MAC }, ...fields })

/** Key, value, and what the log must say of it. */
const BAD: readonly (readonly [key: string, value: string, reason: RegExp])[] = [
  ['10.60.0.0-20', '{"PublicIP":"192.168.205.60","Backen', /JSON/],
  ['10.60.16.0-20', '["a list"]', /object/],
  ['10.60.32.0-20', 'null', /object/],
  ['10.60.48.0-20', json({ PublicIP: 5 }), /PublicIP/],
  ['10.60.64.0-20', json({ BackendData: 'text' }), /BackendData/],
  ['10.60.80.0-20', json({ BackendData: { VNI: 100, VtepMAC: 7 } }), /VtepMAC/],
  ['10.60.96.0-20', `"${'x'.repeat(100_000)}"`, /more than 16384 characters/],
  ['10.60.112.0-20', vxlanLease(IP, '01:00:5e:00:00:01'), /VtepMAC.*01:00:5e:00:00:01/],
  ['10.60.128.0-20', vxlanLease(IP, '00:00:00:00:00:00'), /VtepMAC.*00:00:00:00:00:00/],
  ['10.60.144.0-20', vxlanLease(IP, 'ff:ff:ff:ff:ff:ff'), /VtepMAC.*ff:ff:ff:ff:ff:ff/],
  ['10.60.160.0-20', vxlanLease('0.0.0.0', MAC), /PublicIP.*0\.0\.0\.0/],
  ['10.60.176.0-20', vxlanLease('127.0.0.1', MAC), /PublicIP.*127\.0\.0\.1/],
  ['10.60.192.0-20', vxlanLease('224.0.0.5', MAC), /PublicIP.*224\.0\.0\.5/],
  ['10.60.208.0-20', vxlanLease(IP, MAC, 101), /VNI is 101/],
  ['11.0.0.0-20', vxlanLease(IP, MAC), /11\.0\.0\.0\/20 is outside Network 10\.0\.0\.0\/8/],
  ['10.61.0.0-33', vxlanLease(IP, MAC), /10\.61\.0\.0-33/],
  ['10.61.0.0', vxlanLease(IP, MAC), /10\.61\.0\.0/],
  ['300.1.1.0-20', vxlanLease(IP, MAC), /300\.1\.1\.0-20/],
  ['nonsense', vxlanLease(IP, MAC), /nonsense/],
]

const GOOD: ReadLease = {
  base: '10.70.0.0',
  subnet: '10.70.0.0/20',
  publicIp: '192.168.205.70',
  mac: '82:00:00:00:00:70',
}

describe('malformed leases beside good ones', () => {
  const lab = useLab({ hosts: 2 }, bringUp)

  /** Two claims that depend on what this host holds. */
  const trespassers = async (host: LabHost): Promise<readonly (readonly [string, string, RegExp])[]> => {
    const own = await leaseOf(lab(), host)
    return [
      [`${own.base}-21`, vxlanLease(IP, MAC), /overlaps our own/],
      ['10.62.0.0-20', vxlanLease(IP, own.mac), /is our own/],
      ['10.62.16.0-20', vxlanLease(host.address, MAC), /is our own/],
    ]
  }

  const expectRejections = async (host: LabHost, bad: typeof BAD): Promise<void> => {
    const log = await host.agent.logOfRun()
    for (const [key, , reason] of bad) {
      const lines = log.split('\n').filter((line) => line.includes(`lease rejected lease=${key} `))
      expect(lines, `one line about ${key}`).toHaveLength(1)
      expect(lines[0]).toMatch(reason)
    }
  }

  /** One list names twenty at most; how many more there are is said. */
  const expectManyRejected = async (host: LabHost, bad: typeof BAD): Promise<void> => {
    const log = await host.agent.logOfRun()
    expect(bad.filter(([key]) => log.includes(`lease rejected lease=${key} `)).length).toBeGreaterThanOrEqual(20)
    expect(log).toContain(`further leases rejected leases=${bad.length - 20}`)
    expect(log).toContain(`rejected=${bad.length} `)
  }

  test('are each rejected with key and reason, and hold nothing up: as they come, and at the next start', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    const peer = readLease((await lab().leases()).find(({ value }) => value.includes(second.address)) ?? { ...EMPTY })
    const bad = [...BAD, ...(await trespassers(first))]
    for (const [key, value] of bad) await lab().putLease(key, value)
    for (const name of ['10.60.224.0-20', '10.60.240.0-20'])
      await lab().putLease(name, json({ BackendType: 'host-gw' }))
    await lab().putLease('10.70.0.0-20', vxlanLease(GOOD.publicIp, GOOD.mac))
    await peersAre(first, [peer, GOOD])
    await expectRejections(first, bad)
    const ofOthers = (await first.agent.logOfRun()).split('\n').filter((line) => line.includes('host-gw'))
    expect(ofOthers, 'one line about peers of another backend').toHaveLength(1)

    await first.agent.kill()
    first.agent.start()
    await forwards(first)
    await peersAre(first, [peer, GOOD])
    await expectManyRejected(first, bad)
  })

  test('are taken once they are mended', async () => {
    const first = lab().host(0)
    const before = await first.peerTables('flannel.100')
    await lab().putLease('10.60.0.0-20', vxlanLease(IP, MAC))
    await waitFor('one peer more', async () => {
      const { routes } = await first.peerTables('flannel.100')
      return routes.length === before.routes.length + 1 && routes.some(({ gateway }) => gateway === '10.60.0.0')
    })
  })
})

describe('an old key that somebody rewrites', () => {
  const lab = useLab({ hosts: 1 }, bringUp)
  const victim: ReadLease = { ...GOOD, base: '10.71.0.0', subnet: '10.71.0.0/20', mac: '82:00:00:00:00:71' }
  const [OLD_KEY, VICTIM] = ['10.70.0.0-20', '10.71.0.0-20']

  test.each([
    ['the VtepMAC', IP, victim.mac],
    ['an address in the subnet', '10.71.0.9', MAC],
  ])(
    'to %s of a younger peer does not take that peer’s entries, also when the agent starts later',
    async (_, to, mac) => {
      const host = lab().host(0)
      for (const key of [OLD_KEY, VICTIM]) await lab().deleteLease(key)
      await peersAre(host, [])
      await lab().putLease(OLD_KEY, vxlanLease(IP, MAC))
      await lab().putLease(VICTIM, vxlanLease(victim.publicIp, victim.mac))
      await waitFor('both peers', async () => (await host.peerTables('flannel.100')).routes.length === 2)
      await lab().putLease(OLD_KEY, vxlanLease(to, mac))
      await peersAre(host, [victim])
      await lab().putLease(VICTIM, vxlanLease(victim.publicIp, victim.mac)) // as upstream does every day
      await lab().putLease(OLD_KEY, vxlanLease(to, mac))
      await host.agent.kill()
      host.agent.start()
      await forwards(host)
      await peersAre(host, [victim])
    },
  )
})

const EMPTY = { name: '', value: '{}', modRevision: 0, createRevision: 0, version: 0 }
