import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FirewallReport, FirewallSpec } from '../../src/kernel/firewall.ts'
import { ADDRESSES, FirewallWorld, SPEC, withoutNft } from './firewall-world.ts'

/*
 * The nft variant of iptables works on tables in which anybody may write with nft, also what iptables has no words for. Real programs, real
 * packets.
 */

const { signal } = new AbortController()
const QUIET: FirewallReport = { changed: [], stands: true, problems: [] }
const IN_IPTABLES: FirewallSpec = { ...SPEC, kind: 'iptables' }
const JUMP = 'jump FLANNEL-FWD'
const { pod, remotePod } = ADDRESSES[4]

let world: FirewallWorld

beforeEach(async () => {
  world = await FirewallWorld.create()
})
afterEach(() => world.close())

const nft = (command: string): Promise<string> => world.host.exec('nft', [command])
const iptables = (...args: readonly string[]): Promise<string> => world.host.exec('iptables-nft', args)

/** Rules of FORWARD, in order, as nft prints them. */
async function inForward(): Promise<readonly string[]> {
  const text = await nft('list chain ip filter FORWARD')
  return text
    .split('\n')
    .map((line) => line.replaceAll(/counter packets \d+ bytes \d+ |^\s+/g, '').trim())
    .filter((line) => !/^(type|#|table|chain|}|$)/.test(line))
}

/** Source that the pod elsewhere sees when ours pings it; undefined: nothing arrives. */
const seenElsewhere = (): Promise<string | undefined> => world.seenFrom(world.pod, undefined, remotePod, world.remote)

/** As iptables would at its first rule there. */
async function makeChain(table: 'filter' | 'nat'): Promise<void> {
  const [chain, type] =
    table === 'filter'
      ? ['FORWARD', '{ type filter hook forward priority 0; }']
      : ['POSTROUTING', '{ type nat hook postrouting priority 100; }']
  await nft(`add table ip ${table}`)
  await nft(`add chain ip ${table} ${chain} ${type}`)
}

/** One rule in a table is enough for iptables-save to leave out the whole table. */
async function makeUnreadable(table: 'filter' | 'nat'): Promise<void> {
  await makeChain(table)
  const [chain, states] = table === 'filter' ? ['FORWARD', 'invalid : drop'] : ['POSTROUTING', 'invalid : accept']
  await nft(`insert rule ip ${table} ${chain} ct state vmap { ${states} }`)
  const save = await world.host.exec('iptables-nft-save')
  expect(save).toContain(`# Table \`${table}' is incompatible`)
}

async function banOurPod(): Promise<void> {
  await makeChain('filter')
  await nft('add set ip filter bad { type ipv4_addr; }')
  await nft(`add element ip filter bad { ${pod} }`)
  await nft('insert rule ip filter FORWARD ip saddr @bad drop')
  expect(await world.host.exec('iptables-nft-save')).toContain('-A FORWARD -j DROP\n')
}

describe('a table that iptables cannot print', () => {
  test('is read with nft: rules of ours come there once, work, and are not written again', async () => {
    await iptables('-P', 'FORWARD', 'DROP')
    await makeUnreadable('filter')
    await makeUnreadable('nat')
    const firewall = world.firewall()
    expect((await firewall.sync(IN_IPTABLES, signal)).problems).toEqual([])
    for (const next of [firewall, firewall, world.firewall()])
      expect(await next.sync(IN_IPTABLES, signal)).toEqual(QUIET)
    expect(await inForward()).toEqual(['ct state vmap { invalid : drop }', JUMP])
    expect(await seenElsewhere()).toBe(pod)
    expect(await world.seenFrom(world.pod, undefined, ADDRESSES[4].world, world.world)).toBe(ADDRESSES[4].host)
  })

  test('that has become so keeps our rules, and what is taken from them comes back', async () => {
    const firewall = world.firewall()
    await firewall.sync(IN_IPTABLES, signal)
    for (const table of ['filter', 'nat'] as const) await makeUnreadable(table)
    expect(await firewall.sync(IN_IPTABLES, signal)).toEqual(QUIET)
    await nft('flush chain ip nat FLANNEL-POSTRTG')
    await nft('flush chain ip filter FORWARD')
    await makeUnreadable('filter')
    const changed = ['iptables FLANNEL-POSTRTG', 'iptables FLANNEL-FWD']
    expect(await firewall.sync(IN_IPTABLES, signal)).toEqual({ ...QUIET, changed })
    expect(await firewall.sync(IN_IPTABLES, signal)).toEqual(QUIET)
  })

  test('is cleaned of all that is ours, also of the jumps that earlier versions piled up', async () => {
    await makeUnreadable('filter')
    await makeUnreadable('nat')
    const firewall = world.firewall()
    await firewall.sync(IN_IPTABLES, signal)
    const jump = ['FORWARD', '-m', 'comment', '--comment', 'flanneld forward', '-j', 'FLANNEL-FWD']
    for (let time = 0; time < 8; time++) await iptables('-I', ...jump)
    const { standing, problems } = await firewall.planRemoval(signal)
    expect(problems).toEqual([])
    expect(standing.filter((line) => line.startsWith('iptables rule in filter FORWARD'))).toHaveLength(9)
    expect((await firewall.removeAll(signal)).problems).toEqual([])
    expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
    expect(await nft('list ruleset')).not.toMatch(/FLANNEL/)
    expect(await inForward()).toEqual(['ct state vmap { invalid : drop }'])
  })

  test('loses the jumps too many as soon as it is looked at', async () => {
    await makeUnreadable('filter')
    const firewall = world.firewall()
    await firewall.sync(IN_IPTABLES, signal)
    await iptables('-A', 'FORWARD', '-m', 'comment', '--comment', 'flanneld forward', '-j', 'FLANNEL-FWD')
    expect((await firewall.sync(IN_IPTABLES, signal)).changed).toEqual(['iptables FLANNEL-FWD'])
    expect((await inForward()).filter((line) => line === JUMP)).toHaveLength(1)
  })

  test('names the rule of others that leads to our chain, and keeps that chain empty', async () => {
    const firewall = world.firewall()
    await firewall.sync(IN_IPTABLES, signal)
    await makeUnreadable('filter')
    await nft('add rule ip filter FORWARD ip saddr { 203.0.113.7, 203.0.113.8 } jump FLANNEL-FWD')
    const problems = [{ code: 'HELD', message: expect.stringContaining('-A FORWARD … -j FLANNEL-FWD') as unknown }]
    expect(await firewall.planRemoval(signal)).toMatchObject({ problems })
    expect(await firewall.removeAll(signal)).toMatchObject({ problems })
    expect((await inForward()).filter((line) => line.includes(JUMP))).toHaveLength(1)
  })

  test('is not written to without nft, which is named with its cure; the other table is', async () => {
    await makeUnreadable('filter')
    const firewall = world.firewall('nft', withoutNft)
    const before = await inForward()
    const report = await firewall.sync(IN_IPTABLES, signal)
    const cure =
      /^iptables: rules written with nft stand in table ip filter, which iptables cannot read.*install nftables/
    const problem = { code: 'UNREADABLE', message: expect.stringMatching(cure) as unknown }
    expect(report).toMatchObject({ stands: false, problems: [problem] })
    expect(report.changed).toContain('iptables FLANNEL-POSTRTG')
    expect(report.changed).not.toContain('iptables FLANNEL-FWD')
    for (let look = 0; look < 2; look++)
      expect(await firewall.sync(IN_IPTABLES, signal)).toMatchObject({
        changed: [],
        stands: false,
        problems: [problem],
      })
    expect(await inForward()).toEqual(before)
    expect(await firewall.planRemoval(signal)).toMatchObject({ problems: [problem] })
    expect(await firewall.removeAll(signal)).toMatchObject({ problems: [problem] })
  })
})

describe('a ban whose condition iptables leaves out', () => {
  test('is not overtaken, and the pod stays banned', async () => {
    const firewall = world.firewall()
    await firewall.sync(IN_IPTABLES, signal)
    expect(await seenElsewhere()).toBe(pod)
    await banOurPod()
    for (let look = 0; look < 3; look++) expect(await firewall.sync(IN_IPTABLES, signal)).toEqual(QUIET)
    expect(await inForward()).toEqual(['ip saddr @bad drop', JUMP])
    expect(await seenElsewhere()).toBeUndefined()
  })

  test.each([
    ['at the head', []],
    ['behind others', ['-s 203.0.113.7 -j ACCEPT', '-s 203.0.113.8 -j ACCEPT']],
  ])('is not overtaken at the start either, %s', async (_, others) => {
    await banOurPod()
    for (const rule of others) await iptables('-I', 'FORWARD', ...rule.split(' '))
    await iptables('-A', 'FORWARD', '-j', 'DROP')
    const firewall = world.firewall()
    expect((await firewall.sync(IN_IPTABLES, signal)).problems).toEqual([])
    const order = await inForward()
    expect(order.slice(-3)).toEqual(['ip saddr @bad drop', JUMP, 'drop'])
    expect(await seenElsewhere()).toBeUndefined()
    await nft(`delete element ip filter bad { ${pod} }`)
    expect(await seenElsewhere()).toBe(pod)
    expect(await firewall.sync(IN_IPTABLES, signal)).toEqual(QUIET)
  })

  test('is not overtaken where it jumps, and where a map decides', async () => {
    await makeChain('filter')
    await iptables('-N', 'BANNED')
    await nft('insert rule ip filter FORWARD ip saddr { 10.20.0.2, 10.20.0.3 } jump BANNED')
    await nft('insert rule ip filter FORWARD ip saddr vmap { 10.20.0.4 : drop }')
    await world.firewall().sync(IN_IPTABLES, signal)
    expect((await inForward()).at(-1)).toBe(JUMP)
  })

  test('and a drop of all before it: our accept stays behind both, which is named', async () => {
    await banOurPod()
    await iptables('-I', 'FORWARD', '-j', 'DROP')
    const firewall = world.firewall()
    const message = expect.stringMatching(/^iptables FORWARD: "-A FORWARD -j DROP" may drop .* no words for/) as unknown
    const blocked = { stands: true, problems: [{ code: 'BLOCKED', message }] }
    expect(await firewall.sync(IN_IPTABLES, signal)).toMatchObject(blocked)
    expect(await firewall.sync(IN_IPTABLES, signal)).toMatchObject({ ...blocked, changed: [] })
    expect(await inForward()).toEqual(['drop', 'ip saddr @bad drop', JUMP])
  })

  test('keeps nobody from being overtaken who drops all with nft', async () => {
    const firewall = world.firewall()
    await firewall.sync(IN_IPTABLES, signal)
    await nft('insert rule ip filter FORWARD drop')
    expect((await firewall.sync(IN_IPTABLES, signal)).changed).toEqual(['iptables FLANNEL-FWD'])
    expect(await inForward()).toEqual([JUMP, 'drop'])
  })

  test('cannot be told from a drop of all without nft: it is not overtaken, and named with its cure', async () => {
    await banOurPod()
    await iptables('-A', 'FORWARD', '-s', '203.0.113.7', '-j', 'ACCEPT')
    const firewall = world.firewall('nft', withoutNft)
    const message = expect.stringContaining('cannot be told without nft: install nftables') as unknown
    for (let look = 0; look < 2; look++)
      expect(await firewall.sync(IN_IPTABLES, signal)).toMatchObject({ problems: [{ code: 'BLOCKED', message }] })
    expect(await inForward()).toEqual(['ip saddr @bad drop', JUMP, 'ip saddr 203.0.113.7 accept'])
    expect(await seenElsewhere()).toBeUndefined()
  })

  test('is none without nft where it is the last of all: that one is for all', async () => {
    await iptables('-A', 'FORWARD', '-s', '203.0.113.7', '-j', 'ACCEPT')
    await iptables('-A', 'FORWARD', '-j', 'REJECT')
    const firewall = world.firewall('nft', withoutNft)
    expect((await firewall.sync(IN_IPTABLES, signal)).problems).toEqual([])
    expect((await inForward())[0]).toBe(JUMP)
    expect(await seenElsewhere()).toBe(pod)
  })
})

describe('the variant of iptables that is not in use', () => {
  test.each([
    ['nft', 'legacy'],
    ['legacy', 'nft'],
  ] as const)('is read as well: what was left there before %s gave way to %s goes', async (before, after) => {
    await world.firewall(before).sync(IN_IPTABLES, signal)
    const firewall = world.firewall(after)
    expect((await firewall.sync(IN_IPTABLES, signal)).problems).toEqual([])
    const leftovers = ['FLANNEL-POSTRTG', 'FLANNEL-FWD'].map((chain) => `iptables-${before} ${chain}`)
    expect((await firewall.sync(IN_IPTABLES, signal)).leftovers).toEqual(expect.arrayContaining(leftovers))
    expect(await world.host.exec(`iptables-${before}-save`)).not.toMatch(/FLANNEL/)
    expect(await firewall.sync(IN_IPTABLES, signal)).toEqual(QUIET)
    await world.firewall(before).sync(IN_IPTABLES, signal)
    expect((await firewall.planRemoval(signal)).standing.join('\n')).toContain(`iptables-${before} chain nat`)
    await firewall.removeAll(signal)
    expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
  })

  test('is not looked at again, and no other program is run while all stands', async () => {
    const firewall = world.firewall()
    for (let look = 0; look < 2; look++) await firewall.sync(IN_IPTABLES, signal)
    firewall.ran.length = 0
    await firewall.sync(IN_IPTABLES, signal)
    expect(firewall.ran).toEqual(['iptables-save', 'ip6tables-save'])
  })

  test('has no table afterwards that it had not before', async () => {
    const firewall = world.firewall()
    for (let look = 0; look < 2; look++) await firewall.sync(IN_IPTABLES, signal)
    await firewall.planRemoval(signal)
    expect(await world.host.exec('cat', ['/proc/net/ip_tables_names'])).toBe('')
  })
})
