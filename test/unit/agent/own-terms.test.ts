import { expect, test } from 'vitest'
import { ownTerms } from '../../../src/agent/own-terms.ts'
import type { Publisher } from '../../../src/backend/backend.ts'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import { decodeLease } from '../../../src/lease/codec.ts'
import type { Lease } from '../../../src/lease/lease.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { CONFIG, leaseRecord, leaseValue, NODE } from '../../fake/samples.ts'

function lease(): Lease {
  const value = leaseValue({ publicIp: '192.168.205.10', mac: '02:00:00:00:00:01' })
  const decoded = decodeLease(leaseRecord('10.15.64.0-20', value))
  if ('rejected' in decoded) throw new Error(decoded.rejected)
  return decoded
}

test.each([
  ['the subnet file, before the device', '10.15.64.0/20', true, 'subnet'],
  ['the device, where the file names another', '10.15.80.0/20', true, 'device'],
  ['nothing', '10.15.80.0/20', false, undefined],
])('this host shows of a lease %s', (_, previous, carries, expected) => {
  const publisher: Publisher = { publish: () => undefined, carries: () => carries }
  const host = { config: parseNetworkConfig(CONFIG), underlays: new Map(), endpoints: [] }
  const traces = {
    publishers: new Map([[4, publisher] as const]),
    previousSubnets: [prefix(previous)],
    hintedSubnets: [],
  }
  const { traceOf } = ownTerms({ node: NODE, instance: 'this' }, host, { leaseType: 'vxlan' }, traces)
  expect(traceOf(lease())).toBe(expected)
})
