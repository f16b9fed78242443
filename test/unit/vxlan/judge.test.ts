import { describe, expect, it } from 'vitest'
import { PeerTable } from '../../../src/lease/peers.ts'
import type { Surroundings } from '../../../src/lease/peer-rules.ts'
import { vxlanJudge } from '../../../src/vxlan/judge.ts'
import { leaseRecord, leaseValue, OVERLAY, VTEP } from '../../fake/samples.ts'

const AROUND: Surroundings = { overlays: [OVERLAY], own: [VTEP.subnet], ownPublicIps: [], protectedIps: [] }
const OWN_KEY = '10.20.0.0-20'
const judge = vxlanJudge(VTEP, OWN_KEY, () => AROUND)

/** A peer whose lease is the older, the smaller its number. */
const peer = (number: number, key: string, mac = `02:00:00:00:00:0${number}`) =>
  leaseRecord(key, leaseValue({ publicIp: `192.168.205.${number}`, mac }), {
    createRevision: BigInt(number),
    modRevision: BigInt(number),
  })

describe('vxlanJudge', () => {
  it('accepts an ordinary peer with its entries', () => {
    expect(judge(peer(1, '10.15.64.0-20'))).toMatchObject({ accepted: { routes: [{ metric: 245 }] } })
  })

  it('ignores our own key, whatever stands there', () => {
    expect(judge(leaseRecord(OWN_KEY, 'garbage'))).toEqual({ ignored: true })
  })

  it.each([
    ['a bad key', peer(1, 'garbage'), 'key'],
    ['a bad value', leaseRecord('10.15.64.0-20', '{'), 'valid JSON'],
    ['a peer that breaks a rule', peer(1, '11.0.0.0-20'), 'outside Network'],
    ['a peer without entries', peer(1, '10.15.64.0-20', '00:00:00:00:00:00'), 'VtepMAC'],
  ])('rejects %s', (_, record, reason) => {
    expect(judge(record)).toHaveProperty('rejected', expect.stringContaining(reason))
  })

  it.each([
    ['VtepMAC', peer(2, '10.30.0.0-20', '02:00:00:00:00:01')],
    ['gateway, where a subnet begins with another', peer(2, '10.15.64.0-24')],
  ])('lets only the older of two peers have the same %s', (_, younger) => {
    const table = new PeerTable(judge)
    table.put(younger)
    table.put(peer(1, '10.15.64.0-20'))
    expect(table.drain().map(({ key }) => key)).toEqual(['10.15.64.0-20'])
    expect([...table.rejected.keys()]).toEqual([younger.key])
  })

  it('lets a smaller subnet stand within a larger one that begins elsewhere', () => {
    const table = new PeerTable(judge)
    table.put(peer(1, '10.15.64.0-20'))
    table.put(peer(2, '10.15.65.0-24'))
    expect(table.drain()).toHaveLength(2)
  })
})
