import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readChain } from '../../src/firewall/iptables-read.ts'
import { renderChain } from '../../src/firewall/iptables-plan.ts'
import { FORWARD_CHAIN, POSTROUTING_CHAIN } from '../../src/firewall/names.ts'
import { objectAt } from '../../src/firewall/json.ts'
import { readNftTables } from '../../src/firewall/nft-read.ts'
import { nftInput, nftReplace, nftText } from '../../src/firewall/nft-render.ts'
import { rulesFor } from '../../src/firewall/rules.ts'
import { prefixOf, subnetAt, type Prefix } from '../../src/net/prefix.ts'
import { ipFromInteger, type Family } from '../../src/net/ip.ts'
import type { FirewallFamily } from '../../src/kernel/firewall.ts'
import { fuzzRuns } from './fuzz-runs.ts'

const runs = { numRuns: fuzzRuns(300) }

const networkOf = (family: Family): fc.Arbitrary<Prefix> =>
  fc
    .tuple(fc.bigInt(1n, (1n << (family === 4 ? 32n : 128n)) - 1n), fc.integer({ min: 8, max: 24 }))
    .map(([value, length]) => prefixOf(ipFromInteger(family, value), length))

const partOf = (family: Family): fc.Arbitrary<FirewallFamily> =>
  networkOf(family).map((network) => ({ network, subnet: subnetAt(network, network.length + 2, 2n) }))

const spec = fc.record({
  kind: fc.constantFrom('nftables', 'iptables'),
  families: fc.tuple(partOf(4), partOf(6)),
  masquerade: fc.boolean(),
  randomFully: fc.boolean(),
  forward: fc.boolean(),
})

/** Words that occur in such output, to get beyond the first check. */
const WORD = fc.oneof(
  fc.constantFrom(
    ...['*nat', '*filter', ':POSTROUTING', ':FLANNEL-POSTRTG', '-A', 'POSTROUTING', 'FLANNEL-POSTRTG', 'FORWARD', '-s'],
    ...[
      '!',
      '-d',
      '-j',
      '-m',
      'mark',
      '--mark',
      '0x4000/0x4000',
      '"',
      '\\',
      'RETURN',
      '10.0.0.0/8',
      '\n',
      '-g',
      '/',
      '::',
    ],
  ),
  fc.string(),
)
const SAVED = fc.array(WORD).map((words) => words.join(' ').replaceAll(' \n ', '\n'))

const LISTED_KEYS = [
  'nftables',
  'table',
  'chain',
  'rule',
  'family',
  'name',
  'expr',
  'match',
  'left',
  'right',
  'op',
  '&',
]
const LISTED = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 7 },
    fc.constantFrom<unknown>(
      'ip',
      'flannel-ipv4',
      'postrtg',
      '==',
      '!=',
      'mark',
      'saddr',
      null,
      16384,
      -1,
      '10.0.0.0',
      33,
    ),
    fc.array(tie('value')),
    fc.dictionary(
      fc.constantFrom(...LISTED_KEYS, 'prefix', 'addr', 'len', 'payload', 'return', 'masquerade'),
      tie('value'),
    ),
  ),
})).value

describe('what iptables-save prints', () => {
  test('never stops us, whatever it is', () => {
    fc.assert(
      fc.property(SAVED, (saved) => {
        for (const chain of [POSTROUTING_CHAIN, FORWARD_CHAIN]) renderChain(chain, [], readChain(saved, chain))
      }),
      runs,
    )
  })

  test('is right when it is what was written', () => {
    fc.assert(
      fc.property(spec, (wanted) => {
        for (const { postrouting } of rulesFor(wanted)) {
          const written = renderChain(POSTROUTING_CHAIN, postrouting, readChain('', POSTROUTING_CHAIN))
          const again = renderChain(POSTROUTING_CHAIN, postrouting, readChain(written.join('\n'), POSTROUTING_CHAIN))
          expect(again).toEqual([])
        }
      }),
      runs,
    )
  })
})

describe('what nft prints', () => {
  test('never stops us, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.array(LISTED), (objects) => {
        readNftTables(JSON.stringify({ nftables: objects }))
        for (const object of objects) readNftTables(JSON.stringify(object))
      }),
      runs,
    )
  })

  test('and is no JSON, is a syntax error', () => {
    expect(() => readNftTables('Error: nothing')).toThrow(SyntaxError)
  })

  test('is right when it is what was written', () => {
    fc.assert(
      fc.property(spec, (wanted) => {
        for (const rules of rulesFor(wanted)) {
          const input = nftInput(
            nftReplace(rules).flatMap((command) => ('add' in command ? [objectAt(command, 'add') ?? {}] : [])),
          )
          expect(readNftTables(input).get(rules.family)).toBe(nftText(rules))
        }
      }),
      runs,
    )
  })
})
