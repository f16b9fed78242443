import { describe, expect, it } from 'vitest'
import { allocBackend, configuredAlloc } from '../../../../src/backend/alloc/backend.ts'
import { backendJudge, type OwnNode } from '../../../../src/backend/judge.ts'
import { configuredHostGw, hostGwBackend } from '../../../../src/backend/hostgw/backend.ts'
import { PeerTable } from '../../../../src/lease/peers/peer-table.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { leaseRecord, OVERLAY } from '../../../fake/samples.ts'
import { judged } from '../../../fake/judges.ts'

const OWN = { overlay: OVERLAY, subnet: prefix('10.20.0.0/20') }
const value = (publicIp: string, type = 'host-gw'): string =>
  JSON.stringify({ PublicIP: publicIp, PublicIPv6: null, BackendType: type })
const node = (backends: OwnNode['backends']): OwnNode => ({
  backends,
  ownKey: '10.20.0.0-20',
  limits: () => ({
    overlays: [OVERLAY],
    own: [OWN.subnet],
    interfaceOf: () => undefined,
    ownPublicIps: [ip('192.168.205.10')],
    protectedPrefixes: [prefix('192.168.205.0/24')],
  }),
})
const judge = backendJudge(node([hostGwBackend(OWN)]))

describe('host-gw', () => {
  it('reaches a peer by one plain route, through its PublicIP', () => {
    expect(judged(judge, leaseRecord('10.15.64.0-20', value('192.168.205.11')))).toMatchObject({
      accepted: new Map([
        [
          4,
          {
            onDevice: { neighbours: [], fdb: [], routes: [] },
            onUnderlay: [
              {
                destination: prefix('10.15.64.0/20'),
                gateway: ip('192.168.205.11'),
                metric: 245,
                protocol: '70',
                onlink: false,
              },
            ],
          },
        ],
      ]),
      claims: { names: [], subnets: [prefix('10.15.64.0/20')], addresses: [ip('192.168.205.11')] },
    })
  })

  it.each(['vxlan', ''])(
    'leaves peers of other backends alone, and reservations that wait for their node: %j',
    (type) => {
      expect(judged(judge, leaseRecord('10.15.64.0-20', value('192.168.205.11', type)))).toEqual({ ignored: true })
    },
  )

  it('keeps the rules of every backend: the older of two with overlapping subnets is reached', () => {
    const peers = new PeerTable(judge)
    peers.put(leaseRecord('10.16.0.0-20', value('192.168.205.11'), { createRevision: 2n }))
    peers.put(leaseRecord('10.16.0.0-16', value('192.168.205.12'), { createRevision: 3n }))
    expect(peers.drain().map(({ key }) => key)).toEqual(['10.16.0.0-20'])
    expect(peers.rejected.get('10.16.0.0-16')).toContain('overlaps')
    expect(judged(judge, leaseRecord('10.30.0.0-20', value('192.168.205.10')))).toHaveProperty('rejected')
  })
})

it('leases of alloc and host-gw are of the types that upstream knows', () => {
  expect([configuredAlloc.leaseType, configuredHostGw.leaseType]).toEqual(['alloc', 'host-gw'])
})

it('alloc reaches nobody, whatever they lease, and rejects nobody', () => {
  const alloc = backendJudge(node([allocBackend(OWN)]))
  for (const type of ['alloc', 'vxlan'])
    expect(judged(alloc, leaseRecord('10.15.64.0-20', value('192.168.205.11', type)))).toEqual({ ignored: true })
})
