import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Listing } from '../../src/lease/acquire/listing.ts'
import { decodeLease, encodeLease, formatLeaseKey, parseLeaseKey } from '../../src/lease/codec.ts'
import type { LeaseClaim, LeaseFamily } from '../../src/lease/lease.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import type { LeaseTerms } from '../../src/lease/terms.ts'
import { ip, ipFromWords, sameIp } from '../../src/net/ip.ts'
import { prefix, prefixContains, prefixesOverlap, prefixOf, type Prefix } from '../../src/net/prefix.ts'
import { leaseRecord } from '../fake/samples.ts'
import { anyMac, withDefects } from './arbitraries.ts'
import { fuzzRuns } from './fuzz-runs.ts'

/** Few enough that leases meet one another, and this host. */
const ipv4 = fc.integer({ min: 0, max: 63 }).map((low) => ipFromWords(4, (10 << 24) | (low << 6)))
const subnet = fc.tuple(ipv4, fc.integer({ min: 20, max: 30 })).map(([base, length]) => prefixOf(base, length))
const ipv6Subnet = fc.integer({ min: 0, max: 3 }).map((low) => prefix(`fd00:0:0:${low}::/64`))
const backendData = anyMac.map((VtepMAC) => ({ VNI: 1, VtepMAC }))
const node = fc.option(
  fc.constantFrom('n1', 'n12', 'our-copy', 'a "name"').map((id) => ({ id, hostname: 'n1' })),
  { nil: undefined },
)
const inIpv4: fc.Arbitrary<LeaseFamily> = fc.record({ family: fc.constant(4), subnet, publicIp: ipv4, backendData })
const inIpv6: fc.Arbitrary<LeaseFamily> = fc.record({
  ...{ family: fc.constant(6), subnet: ipv6Subnet, backendData },
  publicIp: fc.constantFrom(ip('fd00:1::1'), ip('fd00:1::2')),
})
const claim: fc.Arbitrary<LeaseClaim> = fc.record({
  backendType: fc.constantFrom('vxlan', 'host-gw', ''),
  families: fc.oneof({ weight: 3, arbitrary: fc.tuple(inIpv4) }, { weight: 1, arbitrary: fc.tuple(inIpv4, inIpv6) }),
  node,
})
const record: fc.Arbitrary<LeaseRecord> = claim.chain((claimed) => {
  const key = formatLeaseKey(claimed.families.map((part) => part.subnet))
  return fc
    .tuple(
      fc.oneof({ weight: 6, arbitrary: fc.constant(key) }, fc.string()),
      withDefects(fc.constant(encodeLease(claimed))),
    )
    .map(([name, value]) => leaseRecord(name, value))
})

const terms = (id: string, copyId: string): LeaseTerms => {
  const one: LeaseTerms = {
    ...{ node: { id, hostname: id }, instance: '', overlays: [], backendType: 'vxlan', ttlSeconds: 60 },
    ...{ previousSubnets: [], hintedSubnets: [], avoid: [] },
    publicIps: new Map([
      [4, ip('10.0.1.0')],
      [6, ip('fd00:1::1')],
    ]),
    backendData: () => undefined,
    traceOf: () => undefined,
  }
  return { ...one, copy: { ...one, node: { id: copyId, hostname: id } } }
}

test('a listing finds what decoding every lease finds, in the same order', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 30 }), subnet, ipv6Subnet, (records, v4, v6) => {
      const listing = new Listing(records, terms('n1', 'our-copy'))
      for (const step of listing.reading()) expect(step).toBeUndefined()
      const all = records.flatMap((each) => {
        const lease = decodeLease(each)
        return 'rejected' in lease ? [] : [{ lease, record: each }]
      })
      const some = (isMeant: (part: LeaseFamily) => boolean) => all.filter(({ lease }) => lease.families.some(isMeant))
      const asked: readonly Prefix[] = [v4, v6]

      expect(listing.size).toBe(all.length)
      expect(listing.overlapping(asked)).toEqual(some((part) => asked.some((one) => prefixesOverlap(one, part.subnet))))
      expect(listing.publishedWithin(asked)).toEqual(
        some(({ publicIp }) => asked.some((one) => prefixContains(one, publicIp))),
      )
      const ours = [ip('10.0.1.0'), ip('fd00:1::1')]
      const related = all.filter(
        ({ lease }) =>
          ['n1', 'our-copy'].includes(lease.node?.id ?? '') ||
          lease.families.some(({ publicIp }) => ours.some((own) => sameIp(own, publicIp))),
      )
      expect(listing.related).toEqual(related)
      const except = new Set(records.slice(0, 1).map(({ key }) => key))
      const kept = records.filter(({ key }) => !except.has(key))
      const texts = (prefixes: Iterable<{ readonly text: string }>) => [...prefixes].map(({ text }) => text)
      expect(texts(listing.subnets(except))).toEqual(texts(kept.flatMap(({ key }) => parseLeaseKey(key) ?? [])))
      const published = all.flatMap(({ lease }) => lease.families.map(({ publicIp }) => publicIp))
      expect(texts(listing.addresses).toSorted()).toEqual(texts(published).toSorted())
    }),
    { numRuns: fuzzRuns(500) },
  )
})
