import { expect, test } from 'vitest'
import { readNftChains, readNftRule } from '../../../src/firewall/nft-chains.ts'

const saddr = (right: unknown): object => ({
  match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right },
})
const COUNTER = { counter: { packets: 0, bytes: 0 } }
const COMMENT = { xt: { type: 'match', name: 'comment' } }

test.each([
  ['a drop of all', [{ drop: null }], { target: 'DROP', isConditional: false, mayDrop: true, isIptables: false }],
  ['one by iptables', [COUNTER, { drop: null }], { target: 'DROP', isConditional: false, isIptables: true }],
  ['one with a comment', [COMMENT, COUNTER, { drop: null }], { isConditional: false, isIptables: true }],
  ['a ban by iptables', [saddr('10.15.0.5'), COUNTER, { drop: null }], { isConditional: true, isIptables: true }],
  ['a ban by a named set', [saddr('@bad'), COUNTER, { drop: null }], { isConditional: true, isIptables: false }],
  ['a ban by a set', [saddr({ set: ['10.15.0.5'] }), COUNTER, { drop: null }], { isIptables: false }],
  ['a list of states', [saddr(['a', 'b']), COUNTER, { drop: null }], { isIptables: false }],
  ['a range', [saddr({ range: ['10.0.0.1', '10.0.0.9'] }), COUNTER, { drop: null }], { isIptables: true }],
  ['a map of verdicts', [{ vmap: {} }], { target: '', isConditional: true, mayDrop: true, isIptables: false }],
  ['a match of iptables', [{ xt: { type: 'match', name: 'set' } }, COUNTER, { drop: null }], { isConditional: true }],
  ['a match without a name', [{ xt: null }, COUNTER, { drop: null }], { isConditional: true, isIptables: true }],
  ['a target of iptables', [COUNTER, { xt: { type: 'target', name: 'REJECT' } }], { target: 'REJECT', mayDrop: true }],
  ['another', [COUNTER, { xt: { type: 'target', name: 'MARK' } }], { target: 'MARK', mayDrop: false }],
  ['an accept', [saddr('@good'), { accept: null }], { target: 'ACCEPT', mayDrop: false }],
  ['a jump', [COUNTER, { jump: { target: 'BANS' } }], { target: 'BANS', isConditional: false, mayDrop: true }],
  ['a goto', [{ goto: { target: 'BANS' } }], { target: 'BANS', mayDrop: true }],
  [
    'a rate',
    [{ limit: { rate: 5, per: 'second' } }, COUNTER, { drop: null }],
    { isConditional: true, isIptables: true },
  ],
  ['what is not known yet', [COUNTER, { novelty: null }], { isConditional: true, mayDrop: true, isIptables: false }],
  ['what is no expression', [7], { isConditional: true, mayDrop: true, isIptables: false }],
  ['a log', [{ log: { prefix: 'x' } }, COUNTER], { target: '', isConditional: false, mayDrop: false }],
])('%s is read for what it does to packets', (_, expressions, expected) => {
  expect(readNftRule(expressions)).toMatchObject(expected)
})

test('chains have their own rules, in order, and are told apart by family and table', () => {
  const place = { family: 'ip', table: 'filter', name: 'FORWARD' }
  const rule = (family: string, expr: readonly object[]): object => ({
    rule: { family, table: 'filter', chain: 'FORWARD', handle: 1, expr },
  })
  const listing = [
    { metainfo: {} },
    { table: { family: 'ip', name: 'filter' } },
    { chain: { ...place, type: 'filter', hook: 'forward', prio: -5, policy: 'drop' } },
    { chain: { ...place, family: 'ip6' } },
    ...[rule('ip', [{ accept: null }]), rule('ip6', [{ drop: null }]), rule('ip', [{ return: null }])],
  ]
  const [four, six] = readNftChains(JSON.stringify({ nftables: listing }))
  expect(four).toMatchObject({ ...place, type: 'filter', hook: 'forward', priority: -5, policy: 'drop' })
  expect(four?.rules.map(({ target }) => target)).toEqual(['ACCEPT', 'RETURN'])
  expect(six).toMatchObject({ family: 'ip6', hook: '', policy: '', priority: undefined })
  expect(six?.rules).toHaveLength(1)
  expect(() => readNftChains('table ip filter {')).toThrow(SyntaxError)
})
