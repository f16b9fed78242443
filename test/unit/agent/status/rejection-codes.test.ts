import { afterEach, beforeEach, expect, it } from 'vitest'
import { eachRejected } from '../../../../src/agent/status/rejected-rows.ts'
import { AgentWorld, upstreamLease } from '../../../fake/agent-world.ts'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.etcd.putConfig('{"Network":"10.0.0.0/9","SubnetLen":20,"Backend":{"Type":"vxlan","VNI":100}}')
  await world.start()
  await world.until('forwarding', () => world.forwards())
})

afterEach(() => world.close())

/** What an upstream node says of itself, with something else in it. */
const lease = (octet: number, other: object): string =>
  JSON.stringify({ ...(JSON.parse(upstreamLease(octet)) as object), ...other })

const ownMac = (): string => {
  const own = world.etcd.records.find(({ key }) => world.subnet?.startsWith(key.split('-')[0] ?? '') === true)
  return /"VtepMAC":"([^"]*)"/.exec(own?.value ?? '')?.[1] ?? ''
}

it('tells of every reason for which an agent rejects a lease its code', async () => {
  const bad: Readonly<Record<string, readonly (readonly [key: string, value: string])[]>> = {
    malformed: [
      ['10.1.0.0-20', 'rubbish'],
      ['10.1.16.0-20', lease(21, { PublicIP: 'nowhere' })],
    ],
    other_network: [['10.250.0.0-20', upstreamLease(22)]],
    own_subnet: [[`${world.subnet?.split('/')[0] ?? ''}-21`, upstreamLease(23)]],
    own_public_ip: [['10.2.0.0-20', upstreamLease(10)]],
    impossible_public_ip: [
      ['10.2.16.0-20', lease(24, { PublicIP: '224.0.0.1' })],
      ['10.2.32.0-20', lease(25, { PublicIP: '192.168.205.255' })],
    ],
    public_ip_in_network: [['10.3.0.0-20', lease(26, { PublicIP: '10.100.0.1' })]],
    other_vni: [['10.4.0.0-20', lease(27, { BackendData: { VNI: 7, VtepMAC: '02:00:00:00:00:27' } })]],
    own_mac: [['10.5.0.0-20', lease(28, { BackendData: { VNI: 100, VtepMAC: ownMac() } })]],
  }
  const expected = new Map(Object.entries(bad).flatMap(([kind, leases]) => leases.map(([key]) => [key, kind] as const)))
  for (const [key, value] of Object.values(bad).flat()) world.etcd.put(key, value)
  world.etcd.put('10.6.0.0-20', upstreamLease(29))
  world.etcd.put('10.6.0.0-21', upstreamLease(30))
  expected.set('10.6.0.0-21', 'claimed_by_other')
  await world.advance(1_000)
  const { session } = world.status
  const found =
    session === undefined ? [] : Array.from(eachRejected(session.peers), ({ key, code }) => [key, code] as const)
  expect(new Map(found)).toEqual(expected)
})

it('names whose a lease is that cannot be read for something else', async () => {
  world.etcd.put('10.1.16.0-20', lease(21, { PublicIP: 'nowhere', Node: { ID: 'n21', Hostname: 'host-21' } }))
  world.etcd.put('10.1.32.0-20', 'rubbish')
  await world.advance(1_000)
  const { session } = world.status
  const names = session === undefined ? [] : Array.from(eachRejected(session.peers), ({ name }) => name)
  expect(names).toEqual(['host-21', null])
})
