import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocBackend } from '../../src/backend/alloc/backend.ts'
import { decodeChallenge } from '../../src/etcd/challenge-codec.ts'
import { decodeLease, encodeLease, formatLeaseKey, parseLeaseKey } from '../../src/lease/codec.ts'
import type { Rejected } from '../../src/lease/rejection.ts'
import type { Lease } from '../../src/lease/lease.ts'
import { PeerTable } from '../../src/lease/peers/peer-table.ts'
import { backendJudge } from '../../src/backend/judge.ts'
import { NO_ENTRIES } from '../../src/reconcile/entries.ts'
import { hostGwBackend } from '../../src/backend/hostgw/backend.ts'
import { vxlanBackend } from '../../src/backend/vxlan/backend.ts'
import { ipFromInteger } from '../../src/net/ip.ts'
import { prefixOf } from '../../src/net/prefix.ts'
import { leaseRecord, OVERLAY, VTEP, VXLAN } from '../fake/samples.ts'
import { anyMac, brokenJson, leaseClaim, rarely, rawText, withDefects } from './arbitraries.ts'
import { judged } from '../fake/judges.ts'

const key = leaseClaim.map(({ families }) => formatLeaseKey(families.map(({ subnet }) => subnet)))
const value = leaseClaim.map(encodeLease)

/** JSON whose fields have the right names and any content. */
const misfit = fc
  .record(
    {
      PublicIP: fc.oneof(fc.ipV4(), fc.jsonValue()),
      PublicIPv6: fc.oneof(fc.ipV6(), fc.jsonValue()),
      BackendType: fc.oneof(fc.constant('vxlan'), fc.jsonValue()),
      BackendData: fc.jsonValue(),
      BackendV6Data: fc.jsonValue(),
      Node: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  .map((fields) => JSON.stringify(fields))

const vtepData = rarely<unknown>(
  fc.record(
    {
      VNI: rarely<unknown>(fc.constant(100), fc.integer(), fc.jsonValue()),
      VtepMAC: rarely<unknown>(anyMac, fc.string(), fc.jsonValue()),
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
)

/** What gets past the decoder, into the rules for peers and the backends. */
const nearMiss = fc
  .record(
    {
      PublicIP: rarely<unknown>(fc.ipV4(), fc.string()),
      PublicIPv6: rarely<unknown>(fc.ipV6(), fc.constant(null)),
      BackendType: rarely<unknown>(fc.constantFrom('vxlan', 'host-gw', 'alloc'), fc.string()),
      BackendData: vtepData,
      BackendV6Data: vtepData,
    },
    { requiredKeys: ['PublicIP'] },
  )
  .map((fields) => JSON.stringify(fields))

/** A lease in the network of the samples, as a good peer of this backend writes it. */
const goodPeer = (backendType: string): fc.Arbitrary<readonly [key: string, value: string]> =>
  fc
    .record({
      number: fc.integer({ min: 0, max: 0xffff }),
      length: fc.integer({ min: 16, max: 28 }),
      host: fc.integer({ min: 1, max: 254 }),
      mac: anyMac,
      node: fc.boolean(),
    })
    .map(({ number, length, host, mac, node }) => [
      formatLeaseKey([prefixOf(ipFromInteger(4, 0x0a000000n + BigInt(number) * 256n), length)]),
      JSON.stringify({
        PublicIP: `192.168.205.${host}`,
        BackendType: backendType,
        BackendData: { VNI: 100, VtepMAC: mac },
        ...(node && { Node: { ID: `node-${number}`, Hostname: `host-${host}` } }),
      }),
    ])

/** The same, with a small defect in one of both now and then. */
const nearPeer = (backendType: string): fc.Arbitrary<readonly [key: string, value: string]> => {
  const good = goodPeer(backendType)
  return fc.tuple(withDefects(good.map(([name]) => name)), withDefects(good.map(([, text]) => text)))
}

const anyKey = fc.oneof(key, rawText, fc.string({ unit: 'binary' }), brokenJson(key))
const anyValue = fc.oneof(value, misfit, nearMiss, brokenJson(value), rawText, fc.string({ unit: 'binary' }), fc.json())

describe('a lease', () => {
  it('says after decoding what it said before encoding', () => {
    fc.assert(
      fc.property(leaseClaim, (claim) => {
        const record = leaseRecord(formatLeaseKey(claim.families.map(({ subnet }) => subnet)), encodeLease(claim))
        const { key: name, etcdLeaseId, createRevision, modRevision } = record
        expect(decodeLease(record)).toEqual({ ...claim, key: name, etcdLeaseId, createRevision, modRevision })
      }),
    )
  })

  it('is encoded the same again, so that an unchanged one is never rewritten', () => {
    fc.assert(
      fc.property(leaseClaim, (claim) => {
        const lease = decodeLease(
          leaseRecord(formatLeaseKey(claim.families.map(({ subnet }) => subnet)), encodeLease(claim)),
        )
        expect('rejected' in lease ? lease : encodeLease(lease)).toBe(encodeLease(claim))
      }),
    )
  })

  it('means the same with fields that nobody knows', () => {
    const plain = ({ rejected, ...lease }: Partial<Rejected> & Partial<Lease>) =>
      rejected ?? { ...lease, modRevision: 0n }
    fc.assert(
      fc.property(leaseClaim, fc.string(), fc.jsonValue(), (claim, name, content) => {
        const known = /^(PublicIP|PublicIPv6|BackendType|BackendData|BackendV6Data|Node)$/i
        fc.pre(!known.test(name) && name !== '__proto__')
        const at = formatLeaseKey(claim.families.map(({ subnet }) => subnet))
        const text = encodeLease(claim)
        const extended = `{${JSON.stringify(name)}:${JSON.stringify(content)},${text.slice(1)}`
        expect(plain(decodeLease(leaseRecord(at, extended)))).toEqual(plain(decodeLease(leaseRecord(at, text))))
      }),
    )
  })
})

describe('whatever stands in etcd', () => {
  it('is decoded or rejected with a reason, never thrown at', () => {
    fc.assert(
      fc.property(anyKey, anyValue, (name, text) => {
        const lease = decodeLease(leaseRecord(name, text))
        if ('rejected' in lease) expect(lease.rejected.length).toBeGreaterThan(5)
        else expect(lease.families.length).toBeGreaterThan(0)
      }),
      { numRuns: 3_000 },
    )
  })

  it('has a key that is either refused or written back the same', () => {
    fc.assert(
      fc.property(anyKey, (name) => {
        const subnets = parseLeaseKey(name)
        if (subnets !== undefined) expect(formatLeaseKey(subnets)).toBe(name)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is accepted, ignored or rejected with a reason by every backend, and claims no less than it programs', () => {
    const own = { overlay: OVERLAY, subnet: VTEP.subnet }
    const around = () => ({
      overlays: [OVERLAY],
      own: [VTEP.subnet],
      interfaceOf: () => undefined,
      ownPublicIps: [],
      protectedPrefixes: [],
    })
    const runs = 1_000
    for (const [backend, leastAccepted] of [
      [vxlanBackend({ vtep: VTEP, config: VXLAN }), runs / 8],
      [hostGwBackend(own), runs / 8],
      [allocBackend(own), 0], // its peers are somebody else's business
    ] as const) {
      const type = backend.leaseTypes[0] ?? ''
      const verdicts = { accepted: 0, rejected: 0, ignored: 0 }
      const judge = backendJudge({ backends: [backend], ownKey: '10.20.0.0-20', limits: around })
      fc.assert(
        fc.property(fc.oneof(nearPeer(type), fc.tuple(anyKey, anyValue)), ([name, text]) => {
          const verdict = judged(judge, leaseRecord(name, text))
          if ('rejected' in verdict) {
            verdicts.rejected++
            expect(verdict.rejected.length).toBeGreaterThan(5)
          } else if ('accepted' in verdict) {
            verdicts.accepted++
            const { onDevice, onUnderlay } = verdict.accepted.get(4) ?? NO_ENTRIES
            const { subnets, names, addresses } = verdict.claims
            expect(subnets).toEqual([...onDevice.routes, ...onUnderlay].map(({ destination }) => destination))
            expect(names).toEqual(onDevice.fdb.map(({ mac }) => `VtepMAC ${mac}`))
            expect(addresses.map((address) => address.text)).toEqual(
              expect.arrayContaining(onDevice.fdb.map(({ remote }) => remote.text)),
            )
          } else verdicts.ignored++
        }),
        { numRuns: runs },
      )
      expect(verdicts.accepted).toBeGreaterThanOrEqual(leastAccepted)
      expect(verdicts.rejected).toBeGreaterThan(runs / 10)
      if (leastAccepted === 0) expect(verdicts.ignored).toBeGreaterThan(runs / 8)
    }
  })

  it('is no challenge, or one whose names a log can bear', () => {
    const text = rarely<unknown>(fc.string({ minLength: 1, maxLength: 400 }), fc.jsonValue())
    const challenger = rarely<unknown>(fc.record({ ID: text, Hostname: text, Instance: text }), fc.jsonValue())
    const challenge = fc.record({ From: challenger, By: challenger }, { requiredKeys: ['From'] })
    const written = challenge.map((fields) => JSON.stringify(fields))
    fc.assert(
      fc.property(fc.oneof(written, brokenJson(written), rawText, fc.json()), (value) => {
        const { from, by } = decodeChallenge(value)
        for (const { id, hostname, instance } of [from, by].flatMap((each) => each ?? []))
          expect(Math.max(id.length, hostname.length, instance.length)).toBeLessThanOrEqual(128)
      }),
      { numRuns: 2_000 },
    )
  })

  it('never keeps a good peer from being programmed', () => {
    const around = {
      overlays: [OVERLAY],
      own: [VTEP.subnet],
      interfaceOf: () => undefined,
      ownPublicIps: [],
      protectedPrefixes: [],
    }
    const good = leaseRecord(
      '10.15.64.0-20',
      '{"PublicIP":"192.168.205.11","BackendType":"vxlan","BackendData":{"VtepMAC":"82:53:2e:6a:a9:43"}}',
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(anyKey, anyValue), { maxLength: 10 }), (others) => {
        const table = new PeerTable(
          backendJudge({
            backends: [vxlanBackend({ vtep: VTEP, config: VXLAN })],
            ownKey: '10.20.0.0-20',
            limits: () => around,
          }),
        )
        for (const [at, [name, text]] of others.entries())
          table.put(leaseRecord(name, text, { createRevision: BigInt(at + 10) }))
        table.put(good)
        expect(
          table
            .drain()
            .find((change) => change.key === good.key)
            ?.entries?.get(4)?.onDevice.routes,
        ).toHaveLength(1)
      }),
    )
  })
})
