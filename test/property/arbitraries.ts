import fc from 'fast-check'
import { gatewayOf } from '../../src/config/network.ts'
import type { LeaseClaim, LeaseFamily } from '../../src/lease/lease.ts'
import { ipFromInteger, type Family, type Ip } from '../../src/net/ip.ts'
import { locallyAdministeredMac, type Mac } from '../../src/net/mac.ts'
import { prefixOf, type Prefix } from '../../src/net/prefix.ts'

export const family: fc.Arbitrary<Family> = fc.constantFrom(4, 6)

export const ipOf = (of: Family): fc.Arbitrary<Ip> =>
  fc.bigInt({ min: 0n, max: (1n << (of === 4 ? 32n : 128n)) - 1n }).map((value) => ipFromInteger(of, value))

export const anyIp: fc.Arbitrary<Ip> = family.chain(ipOf)

export const prefixIn = (of: Family, shortest: number, longest: number): fc.Arbitrary<Prefix> =>
  fc.tuple(ipOf(of), fc.integer({ min: shortest, max: longest })).map(([address, length]) => prefixOf(address, length))

export const anyPrefix: fc.Arbitrary<Prefix> = family.chain((of) => prefixIn(of, 0, of === 4 ? 32 : 128))

export const anyMac: fc.Arbitrary<Mac> = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(locallyAdministeredMac)

const leaseFamily = (of: Family): fc.Arbitrary<LeaseFamily> =>
  fc.record({
    family: fc.constant(of),
    subnet: prefixIn(of, 0, of === 4 ? 32 : 128),
    publicIp: ipOf(of),
    backendData: fc.record({ VNI: fc.integer({ min: 0, max: 0xff_ffff }), VtepMAC: anyMac }),
  })

const nodeIdentity = fc.record({ id: fc.string({ unit: 'grapheme' }), hostname: fc.string({ unit: 'grapheme' }) })

/** Anything a node could want to publish: one family or both, with or without its name. */
export const leaseClaim: fc.Arbitrary<LeaseClaim> = fc
  .tuple(fc.string(), leaseFamily(4), fc.option(leaseFamily(6)), fc.option(nodeIdentity))
  .map(([backendType, v4, v6, node]) => ({
    backendType,
    families: v6 === null ? [v4] : [v4, v6],
    ...(node === null ? {} : { node }),
  }))

/** Text that comes close to JSON of the given shape and breaks somewhere: cut, with one character changed, or with a piece repeated. */
export const brokenJson = (valid: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(valid, fc.nat(), fc.nat(), fc.string({ unit: 'binary', maxLength: 3 })).map(([text, from, to, piece]) => {
    const [a, b] = [from % (text.length + 1), to % (text.length + 1)]
    return text.slice(0, a) + piece + text.slice(b)
  })

/** Mostly valid text; sometimes with a small defect. */
export const withDefects = (valid: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 2, arbitrary: valid }, { weight: 1, arbitrary: brokenJson(valid) })

/** What a file or a pipe may hold: any octets, read as UTF-8 as the program does it. */
export const rawText: fc.Arbitrary<string> = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => new TextDecoder().decode(bytes))

/** Mostly what is usual, now and then something else. */
export const rarely = <T>(usual: fc.Arbitrary<T>, ...others: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: usual }, ...others.map((arbitrary) => ({ weight: 1, arbitrary })))

const SUBNET_VARIABLES = [
  ...['FLANNEL_NETWORK', 'FLANNEL_SUBNET', 'FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET'],
  ...['FLANNEL_MTU', 'FLANNEL_IPMASQ', 'FLANNEL_', 'PATH'],
]

const subnetValue = fc.oneof(
  anyPrefix.map(({ text }) => text),
  anyIp.map(({ text }) => text),
  fc
    .array(
      anyPrefix.map(({ text }) => text),
      { maxLength: 3 },
    )
    .map((list) => list.join(',')),
  fc.integer({ min: -1, max: 70_000 }).map(String),
  fc.constantFrom('true', 'false', 'TRUE', '', '"10.15.64.1/20"', "'1450'", '$(reboot)', '`x`', '"; reboot; "', '\0'),
  fc.string({ unit: 'binary', maxLength: 20 }),
)

const subnetLine = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...SUBNET_VARIABLES), subnetValue).map((parts) => parts.join('=')) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('export ', ' ', '\t', '#'), fc.constantFrom(...SUBNET_VARIABLES))
      .map((parts) => `${parts.join('')}=x`),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
)

/** Lines of a subnet file, right, wrong, twice and missing, in any order; and what is no such file at all. */
export const subnetFileText: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.array(subnetLine, { maxLength: 8 }), fc.constantFrom('\n', '\r\n', '\n\n'))
      .map(([lines, end]) => lines.map((line) => line + end).join('')),
  },
  { weight: 1, arbitrary: rawText },
)

/** What the agent writes: one family or both, whatever the numbers. */
const writtenSubnetFile: fc.Arbitrary<string> = fc
  .record({
    v4: prefixIn(4, 2, 30),
    v6: fc.option(prefixIn(6, 2, 126)),
    mtu: fc.integer({ min: 576, max: 65_535 }),
    ipMasq: fc.boolean(),
  })
  .map(({ v4, v6, mtu, ipMasq }) => {
    const network = (subnet: Prefix): string => prefixOf(subnet.base, subnet.length - 2).text
    const first = (subnet: Prefix): string => `${gatewayOf(subnet).text}/${subnet.length}`
    const lines = [`FLANNEL_NETWORK=${network(v4)}`, `FLANNEL_SUBNET=${first(v4)}`]
    if (v6 !== null) lines.push(`FLANNEL_IPV6_NETWORK=${network(v6)}`, `FLANNEL_IPV6_SUBNET=${first(v6)}`)
    return [...lines, `FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${ipMasq}`, ''].join('\n')
  })

/** A file that the agent has written, often with a small defect. */
export const nearSubnetFile = withDefects(writtenSubnetFile)
