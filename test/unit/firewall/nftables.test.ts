import { describe, expect, test } from 'vitest'
import { objectAt } from '../../../src/firewall/json.ts'
import { nftReplace, nftText } from '../../../src/firewall/nft-render.ts'
import { readNftTables } from '../../../src/firewall/nft-read.ts'
import { NO_RULES, rulesFor } from '../../../src/firewall/rules.ts'
import { SPEC } from './samples.ts'

/** What nft 1.0.6 prints of a table: first the chains, then all rules, each with a handle. */
function listing(commands: readonly object[]): string {
  const added = commands.slice(2).map((command) => objectAt(command, 'add') ?? {})
  const objects = added.map((object, handle) => {
    const [kind = ''] = Object.keys(object)
    return { [kind]: { ...objectAt(object, kind), handle } }
  })
  const rules = objects.filter((object) => 'rule' in object)
  const metainfo = { version: '1.0.6', json_schema_version: 1 }
  return JSON.stringify({ nftables: [{ metainfo }, ...objects.filter((object) => !rules.includes(object)), ...rules] })
}

describe('rules in nftables', () => {
  test.each(rulesFor(SPEC))('of IPv$family are read as they were written', (rules) => {
    const tables = readNftTables(listing(nftReplace(rules)))
    expect(tables.get(rules.family)).toBe(nftText(rules))
    expect(nftText(rules).split('\n')).toHaveLength(10)
  })

  test.each([
    ['a set', { set: { family: 'ip', table: 'flannel-ipv4', name: 's' } }],
    ['a chain', { chain: { family: 'ip', table: 'flannel-ipv4', name: 'more' } }],
    ['a rule', { rule: { family: 'ip', table: 'flannel-ipv4', chain: 'forward', expr: [{ drop: null }] } }],
    ['a rule without verdict', { rule: { family: 'ip', table: 'flannel-ipv4', chain: 'forward', expr: [] } }],
  ])('do not count as right with %s more in the table', (_, object) => {
    const [rules] = rulesFor(SPEC)
    if (rules === undefined) throw new Error('no rules')
    const text = `${listing(nftReplace(rules))}\n${JSON.stringify({ nftables: [object] })}`
    expect(readNftTables(text).get(4)).not.toBe(nftText(rules))
  })

  test.each([
    [
      'a second source',
      { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '10.9.9.9' } },
    ],
    [
      'a source and another operator',
      { match: { op: '<', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '10.9.9.9' } },
    ],
    [
      'an address of the other family',
      { match: { op: '==', left: { payload: { protocol: 'ip6', field: 'daddr' } }, right: 'fd00::1' } },
    ],
    ['a protocol', { match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 'tcp' } }],
    ['a second mark', { match: { op: '==', left: { '&': [{ meta: { key: 'mark' } }, 1] }, right: 1 } }],
    ['a mark that is not to be', { match: { op: '!=', left: { '&': [{ meta: { key: 'mark' } }, 1] }, right: 1 } }],
    ['a verdict before its own', { accept: null }],
    ['a counter', { counter: { packets: 0, bytes: 0 } }],
  ])('are none of ours with %s more in each', (_, expression) => {
    const [rules] = rulesFor(SPEC)
    if (rules === undefined) throw new Error('no rules')
    const more = JSON.stringify(expression)
    const text = listing(nftReplace(rules)).replaceAll('"expr":[', `"expr":[${more},`)
    const known = nftText(rules)
      .split('\n')
      .filter((line) => !/: (nat|filter) /.test(line))
    const read = readNftTables(text).get(4)?.split('\n') ?? []
    expect([read.length, read.filter((line) => known.includes(line))]).toEqual([10, []])
  })

  test('are told from those in tables of others', () => {
    const others = {
      nftables: [{ table: { family: 'inet', name: 'flannel-ipv4' } }, { table: { family: 'ip', name: 'nat' } }],
    }
    expect(readNftTables(JSON.stringify(others)).size).toBe(0)
  })

  test('go with their table', () => {
    expect(nftReplace(NO_RULES[0] ?? { family: 4, postrouting: [], forward: [] })).toEqual([
      { add: { table: { family: 'ip', name: 'flannel-ipv4' } } },
      { delete: { table: { family: 'ip', name: 'flannel-ipv4' } } },
    ])
  })
})
