import fc from 'fast-check'
import { expect, test } from 'vitest'
import { order } from '../../src/etcd/keys/keyspace.ts'
import { fuzzRuns } from './fuzz-runs.ts'

/** Few octets, so that many begin alike. */
const key = fc.uint8Array({ max: 2, maxLength: 4 }).map((octets) => Buffer.from(octets))
const high = fc.constantFrom(Buffer.of(0x7f), Buffer.of(0x80), Buffer.of(0xff))

test('keys are in the order in which Buffer.compare has them, wherever they stand', () => {
  fc.assert(
    fc.property(fc.oneof(key, high), fc.oneof(key, high), key, (a, b, beside) => {
      const [first, second] = [Buffer.concat([beside, a, beside]), Buffer.concat([b, beside])]
      const found = order(first, beside.length, beside.length + a.length, second, 0, b.length)
      expect(Math.sign(found)).toBe(Buffer.compare(a, b))
    }),
    { numRuns: fuzzRuns(2_000) },
  )
})
