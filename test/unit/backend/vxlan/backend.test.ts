import { describe, expect, it } from 'vitest'
import { PeerTable } from '../../../../src/lease/peers/peer-table.ts'
import type { PeerLimits } from '../../../../src/lease/peers/peer-rules.ts'
import { backendJudge } from '../../../../src/backend/judge.ts'
import { vxlanBackend } from '../../../../src/backend/vxlan/backend.ts'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { CONFIG, leaseRecord, leaseValue, OVERLAY, VTEP, VXLAN } from '../../../fake/samples.ts'
import { judged } from '../../../fake/judges.ts'

const AROUND: PeerLimits = {
  overlays: [OVERLAY],
  own: [VTEP.subnet],
  interfaceOf: () => undefined,
  ownPublicIps: [],
  protectedPrefixes: [prefix('10.99.0.1/32')], // hosts have addresses where subnets are
}
const OWN_KEY = '10.20.0.0-20'
const judge = backendJudge({
  backends: [vxlanBackend({ vtep: VTEP, config: VXLAN })],
  ownKey: OWN_KEY,
  limits: () => AROUND,
})

/** A peer whose lease is the older, the smaller its number. */
const peer = (number: number, key: string, mac = `02:00:00:00:00:0${number}`) =>
  leaseRecord(key, leaseValue({ publicIp: `192.168.205.${number}`, mac }), {
    createRevision: BigInt(number),
    modRevision: BigInt(number),
  })

describe('backendJudge', () => {
  it('accepts an ordinary peer with its entries', () => {
    expect(judged(judge, peer(1, '10.15.64.0-20'))).toMatchObject({
      accepted: new Map([[4, { onDevice: { routes: [{ metric: 245 }] } }]]),
    })
  })

  it('ignores our own key, whatever stands there', () => {
    expect(judged(judge, leaseRecord(OWN_KEY, 'garbage'))).toEqual({ ignored: true })
  })

  it.each([
    ['a bad key', peer(1, 'garbage'), 'key'],
    ['a bad value', leaseRecord('10.15.64.0-20', '{'), 'valid JSON'],
    ['a peer that breaks a rule', peer(1, '11.0.0.0-20'), 'outside Network'],
    ['a peer without entries', peer(1, '10.15.64.0-20', '00:00:00:00:00:00'), 'VtepMAC'],
  ])('rejects %s', (_, record, reason) => {
    expect(judged(judge, record)).toHaveProperty('rejected', expect.stringContaining(reason))
  })

  it('does not send the operator to another host for a lease that this node had before', () => {
    const limits = { ...AROUND, interfaceOf: () => 'eth0' }
    const judge = backendJudge({
      backends: [vxlanBackend({ vtep: VTEP, config: VXLAN })],
      ownKey: OWN_KEY,
      limits: () => limits,
      nodeId: 'node1',
    })
    const reasonFor = (id: string) => {
      const node = { id, hostname: 'host1' }
      return judged(
        judge,
        leaseRecord('10.15.64.0-20', leaseValue({ publicIp: '10.0.2.15', mac: '02:00:00:00:00:01', node })),
      )
    }
    expect(reasonFor('node1')).toHaveProperty('rejected', expect.stringContaining('that this node had before'))
    expect(reasonFor('node2')).toHaveProperty('rejected', expect.stringContaining('host1 (node2) needs another'))
  })

  it.each([['VtepMAC', peer(2, '10.30.0.0-20', '02:00:00:00:00:01')]])(
    'lets only the older of two peers have the same %s',
    (_, younger) => {
      const table = new PeerTable(judge)
      table.put(younger)
      table.put(peer(1, '10.15.64.0-20'))
      expect(table.drain().map(({ key }) => key)).toEqual(['10.15.64.0-20'])
      expect([...table.rejected.keys()]).toEqual([younger.key])
    },
  )

  it.each([
    ['a narrower one that begins with it', '10.15.64.0-24'],
    ['a narrower one within it', '10.15.65.0-24'],
    ['a single address of it', '10.15.70.5-32'],
    ['a wider one', '10.15.0.0-16'],
  ])('lets only the older of two overlapping subnets stand: %s', (_, key) => {
    const table = new PeerTable(judge)
    table.put(peer(2, key))
    table.put(peer(1, '10.15.64.0-20'))
    expect(table.drain().map((change) => change.key)).toEqual(['10.15.64.0-20'])
    expect(table.rejected.get(key)).toMatch(/overlaps 10\.15\.64\.0\/20 of 10\.15\.64\.0-20, which claimed it before/)
  })

  it.each([
    ['within the other’s subnet', '10.15.64.0-20', '10.30.0.0-20', '10.15.64.9'],
    ['in nobody’s subnet', '10.15.64.0-20', '10.30.0.0-20', undefined],
  ])('lets a younger peer wait whose PublicIP is %s', (_, older, younger, publicIp) => {
    const table = new PeerTable(judge)
    const value = leaseValue({ publicIp: publicIp ?? '10.50.0.1', mac: '02:00:00:00:00:02' })
    table.put(leaseRecord(younger, value, { createRevision: 2n }))
    table.put(peer(1, older))
    expect(table.drain()).toHaveLength(publicIp === undefined ? 2 : 1)
    expect([...table.rejected.keys()]).toEqual(publicIp === undefined ? [] : [younger])
  })

  it('lets a younger peer wait whose subnet covers the PublicIP of an older', () => {
    const table = new PeerTable(judge)
    table.put(leaseRecord('10.15.64.0-20', leaseValue({ publicIp: '10.30.0.9', mac: '02:00:00:00:00:01' })))
    table.put(peer(2, '10.30.0.0-20'))
    expect(table.drain().map(({ key }) => key)).toEqual(['10.15.64.0-20'])
    expect(table.rejected.get('10.30.0.0-20')).toContain('covers PublicIP 10.30.0.9 of 10.15.64.0-20')
  })
})

describe('with both families', () => {
  const dual = JSON.stringify({
    PublicIP: '192.168.205.1',
    PublicIPv6: 'fd00:205::1',
    BackendType: 'vxlan',
    BackendData: { VNI: 100, VtepMAC: '02:00:00:00:00:01' },
    BackendV6Data: { VNI: 100, VtepMAC: '02:00:00:00:06:01' },
  })
  const config = CONFIG.replace('"Backend"', '"EnableIPv6":true,"IPv6Network":"fd00:10::/48","Backend"')
  const { overlays } = parseNetworkConfig(config)
  const vteps = overlays.map((overlay) => ({
    ...VTEP,
    family: overlay.family,
    overlay,
    subnet: overlay.family === 4 ? VTEP.subnet : prefix('fd00:10:0:20::/64'),
  }))
  const both = backendJudge({
    backends: vteps.map((vtep) => vxlanBackend({ vtep, config: VXLAN })),
    ownKey: OWN_KEY,
    limits: () => ({ ...AROUND, overlays }),
  })

  it('makes entries of each that the peer has', () => {
    const verdict = judged(both, leaseRecord('10.30.0.0-20&fd00:10:0:30::-64', dual))
    expect('accepted' in verdict && [...verdict.accepted.keys()]).toEqual([4, 6])
    const half = judged(both, peer(2, '10.31.0.0-20'))
    expect('accepted' in half && [...half.accepted.keys()]).toEqual([4])
  })

  it('rejects the whole of a peer of which one half breaks a rule', () => {
    expect(judged(both, leaseRecord('10.30.0.0-20&fd99::-64', dual))).toHaveProperty(
      'rejected',
      expect.stringContaining('fd99::/64 is outside'),
    )
  })

  it('takes of a peer with both only what it has itself', () => {
    const verdict = judged(judge, leaseRecord('10.30.0.0-20&fd99::-64', dual))
    expect('accepted' in verdict && [...verdict.accepted.keys()]).toEqual([4])
  })

  it('lets two peers have the same MAC in different families, but not in one', () => {
    const table = new PeerTable(both)
    table.put(leaseRecord('10.30.0.0-20&fd00:10:0:30::-64', dual))
    table.put(peer(3, '10.31.0.0-20', '02:00:00:00:06:01'))
    expect(table.drain()).toHaveLength(2)
    const twin = dual.replaceAll('205.1"', '205.2"').replace('205::1', '205::2').replace('00:00:01"', '00:00:02"')
    table.put(leaseRecord('10.32.0.0-20&fd00:10:0:32::-64', twin, { createRevision: 9n }))
    table.drain()
    expect(table.rejected.get('10.32.0.0-20&fd00:10:0:32::-64')).toContain('IPv6 VtepMAC 02:00:00:00:06:01')
  })
})

it('ignores peers of another backend, and tells of their type', () => {
  const types: string[] = []
  const told = backendJudge({
    backends: [vxlanBackend({ vtep: VTEP, config: VXLAN })],
    ownKey: OWN_KEY,
    limits: () => AROUND,
    onForeign: (type) => types.push(type),
  })
  const { value } = peer(1, '10.15.64.0-20')
  expect(judged(told, leaseRecord('10.15.64.0-20', value.replace('vxlan', 'host-gw')))).toEqual({ ignored: true })
  expect(types).toEqual(['host-gw'])
})
