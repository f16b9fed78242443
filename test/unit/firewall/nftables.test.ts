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
