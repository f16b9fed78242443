import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeLease } from '../../src/lease/codec.ts'
import { plainNode, readPlainValue, writePlainValue } from '../../src/lease/plain/plain-value.ts'
import { macFromParts } from '../../src/net/mac.ts'
import { leaseRecord } from '../fake/samples.ts'
import { anyMac, withDefects } from './arbitraries.ts'
import { fuzzRuns } from './fuzz-runs.ts'

const name = fc.oneof({ weight: 5, arbitrary: fc.stringMatching(/^[a-z0-9.-]{0,20}$/) }, fc.string())

/** Members in the order in which they are written, nearly always with what nodes write; v0.6 wrote neither PublicIPv6 nor VNI. */
const value = fc
  .record(
    {
      PublicIP: fc.ipV4(),
      PublicIPv6: fc.constant(null),
      BackendType: fc.oneof({ weight: 5, arbitrary: fc.constantFrom('vxlan', 'host-gw') }, fc.string()),
      BackendData: fc.record(
        { VNI: fc.integer({ min: -1, max: 0x1000000 }), VtepMAC: anyMac },
        { requiredKeys: ['VtepMAC'] },
      ),
      Node: fc.record(
        { ID: name, Hostname: name, Earlier: fc.constantFrom('10.1.2.0/24', '10.1.2.0/24 10.3.0.0/16') },
        { requiredKeys: ['ID', 'Hostname'] },
      ),
    },
    { requiredKeys: ['PublicIP', 'BackendType'] },
  )
  .map((members) => JSON.stringify(members))
const numRuns = fuzzRuns(3_000)

describe('A value that is written as vxlan nodes write it', () => {
  it('is kept to the last octet, also with a defect, or is not taken for one', () => {
    let plain = 0
    fc.assert(
      fc.property(fc.oneof(value, withDefects(value)), (text) => {
        const read = readPlainValue(text)
        if (read === undefined) return
        plain++
        expect(writePlainValue(read)).toBe(text)
      }),
      { numRuns },
    )
    expect(plain / numRuns, 'plain ones').toBeGreaterThan(0.1)
  })

  it('says what it says as JSON', () => {
    fc.assert(
      fc.property(fc.oneof(value, withDefects(value)), (text) => {
        const read = readPlainValue(text)
        if (read === undefined) return
        const { PublicIP, PublicIPv6, BackendType, BackendData, Node } = JSON.parse(text) as Record<string, unknown>
        expect([PublicIPv6, BackendType]).toEqual([read.saysNoIpv6 ? null : undefined, read.backendType])
        expect(PublicIP).toBe([24, 16, 8, 0].map((shift) => (read.publicIp >>> shift) & 255).join('.'))
        expect(BackendData).toEqual(
          read.vtep && { VNI: read.vtep.vni, VtepMAC: macFromParts(read.vtep.macHigh, read.vtep.macLow) },
        )
        const node = read.node === undefined ? undefined : plainNode(read.node)
        expect(Node).toEqual(node && expect.objectContaining({ ID: node.id, Hostname: node.hostname }))
      }),
      { numRuns },
    )
  })

  it('decodes as the same value with a blank in front of it does', () => {
    fc.assert(
      fc.property(fc.oneof(value, withDefects(value)), (text) => {
        const [plain, otherwise] = [text, ` ${text}`].map((each) => decodeLease(leaseRecord('10.15.64.0-20', each)))
        if (readPlainValue(text) !== undefined) expect(plain).toEqual(otherwise)
      }),
      { numRuns },
    )
  })
})
