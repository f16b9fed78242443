import { beforeEach, describe, expect, test } from 'vitest'
import { LinuxFirewall } from '../../../src/firewall/linux-firewall.ts'
import { FirewallError, type FirewallReport, type FirewallSpec } from '../../../src/kernel/firewall.ts'
import { FakeFirewallTools } from '../../fake/fake-firewall-tools.ts'
import { SPEC } from './samples.ts'

const signal = new AbortController().signal
const QUIET: FirewallReport = { changed: [], stands: true, problems: [] }
const NONE = { masquerade: false, forward: false }

const IN_IPTABLES: FirewallSpec = { ...SPEC, kind: 'iptables' }
const IN_NFTABLES: FirewallSpec = { ...SPEC, kind: 'nftables' }

const ALL_IPTABLES = [
  ...['iptables FLANNEL-POSTRTG', 'iptables FLANNEL-FWD'],
  ...['ip6tables FLANNEL-POSTRTG', 'ip6tables FLANNEL-FWD'],
]
const ALL_NFTABLES = ['nftables table ip flannel-ipv4', 'nftables table ip6 flannel-ipv6']

let tools: FakeFirewallTools
let firewall: LinuxFirewall

beforeEach(() => {
  tools = new FakeFirewallTools()
  firewall = new LinuxFirewall(tools.run)
})

const sync = (spec: FirewallSpec): Promise<FirewallReport> => firewall.sync(spec, signal)
const chains = () =>
  (['iptables', 'ip6tables'] as const).flatMap((tool) => [
    tools[tool].rules('nat', 'FLANNEL-POSTRTG')?.length,
    tools[tool].rules('filter', 'FLANNEL-FWD')?.length,
  ])

describe('rules in iptables', () => {
  test('are written for both families, each table with the jump to it, and said to be', async () => {
    expect(await sync(IN_IPTABLES)).toEqual({ ...QUIET, changed: ALL_IPTABLES })
    expect(chains()).toEqual([6, 2, 6, 2])
    expect(tools.iptables.rules('nat', 'POSTROUTING')).toEqual([
      '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
    ])
    expect(tools.ip6tables.rules('filter', 'FORWARD')).toEqual([
      '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
    ])
  })

  test('are not written again while they stand, and what is not in use is not looked at again', async () => {
    for (let look = 0; look < 2; look++) await sync(IN_IPTABLES)
    tools.ran.length = 0
    expect(await sync(IN_IPTABLES)).toEqual(QUIET)
    expect(tools.ran).toEqual(['iptables-save', 'ip6tables-save'])
  })

  test.each([
    ['nat', 'FLANNEL-POSTRTG', 'iptables FLANNEL-POSTRTG'],
    ['filter', 'FLANNEL-FWD', 'iptables FLANNEL-FWD'],
  ])('of table %s are put right alone when somebody empties chain %s', async (table, chain, changed) => {
    await sync(IN_IPTABLES)
    const whole = tools.iptables.rules(table, chain)?.slice()
    tools.iptables.write(table, `-F ${chain}`)
    expect(await sync(IN_IPTABLES)).toEqual({ ...QUIET, changed: [changed] })
    expect(tools.iptables.rules(table, chain)).toEqual(whole)
  })

  test('go when they are not wanted, and those of others stay', async () => {
    const theirs = '-A FORWARD -s 203.0.113.7/32 -j ACCEPT'
    tools.iptables.write('filter', theirs)
    await sync(IN_IPTABLES)
    expect(await sync({ ...IN_IPTABLES, ...NONE })).toEqual({ ...QUIET, changed: ALL_IPTABLES })
    expect(chains()).toEqual([undefined, undefined, undefined, undefined])
    expect(tools.iptables.rules('filter', 'FORWARD')).toEqual([theirs])
    expect(tools.iptables.rules('nat', 'POSTROUTING')).toEqual([])
    expect(await sync({ ...IN_IPTABLES, ...NONE })).toEqual(QUIET)
    tools.ran.length = 0
    expect(await sync({ ...IN_IPTABLES, ...NONE })).toEqual(QUIET)
    expect(tools.ran).toEqual([])
  })

  test('that iptables repeats in words of its own are written once', async () => {
    const save = tools.iptables.save.bind(tools.iptables)
    tools.iptables.save = (header) => save(header).replaceAll('-j RETURN', '-j RETURN --other-words')
    expect((await sync(IN_IPTABLES)).changed).toEqual(ALL_IPTABLES)
    expect(await sync(IN_IPTABLES)).toEqual(QUIET)
    expect(await sync(IN_IPTABLES)).toEqual(QUIET)
    tools.iptables.write('nat', '-F FLANNEL-POSTRTG')
    expect((await sync(IN_IPTABLES)).changed).toEqual(['iptables FLANNEL-POSTRTG'])
  })

  test('are tried again where the jump to them does not stand, whatever others jump to', async () => {
    tools.iptables.write('nat', '-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE')
    const restore = tools.iptables.restore.bind(tools.iptables)
    tools.iptables.restore = (input) => {
      restore(input.replaceAll(/^-A POSTROUTING .*$/gm, ''))
    }
    await sync(IN_IPTABLES)
    for (let time = 0; time < 2; time++) expect((await sync(IN_IPTABLES)).changed).toEqual(['iptables FLANNEL-POSTRTG'])
  })

  test('are tried again where what was written does not stand', async () => {
    tools.iptables.restore = () => undefined
    for (let time = 0; time < 2; time++)
      expect((await sync(IN_IPTABLES)).changed).toEqual(expect.arrayContaining(['iptables FLANNEL-POSTRTG']))
  })
})

describe('rules in nftables', () => {
  test('are written for both families, and said to be', async () => {
    expect(await sync(IN_NFTABLES)).toEqual({ ...QUIET, changed: ALL_NFTABLES })
    expect(tools.nft.names).toEqual(['ip flannel-ipv4', 'ip6 flannel-ipv6'])
    expect(await firewall.planRemoval(signal)).toEqual({ standing: ALL_NFTABLES, problems: [] })
  })

  test('are not written again while they stand: one look at each table does', async () => {
    for (let look = 0; look < 2; look++) await sync(IN_NFTABLES)
    tools.ran.length = 0
    expect(await sync(IN_NFTABLES)).toEqual(QUIET)
    expect(tools.ran).toEqual(['nft', 'nft', 'iptables-save', 'ip6tables-save'])
  })

  test('are put right when somebody removes a table', async () => {
    await sync(IN_NFTABLES)
    tools.nft.delete('ip6 flannel-ipv6')
    expect(await sync(IN_NFTABLES)).toEqual({ ...QUIET, changed: ['nftables table ip6 flannel-ipv6'] })
    expect(await sync(IN_NFTABLES)).toEqual(QUIET)
  })

  test('go when they are not wanted', async () => {
    await sync(IN_NFTABLES)
    expect(await sync({ ...IN_NFTABLES, ...NONE })).toEqual({ ...QUIET, changed: ALL_NFTABLES })
    expect(tools.nft.names).toEqual([])
  })

  test('that nft repeats in words of its own are written once', async () => {
    const run = tools.nft.run.bind(tools.nft)
    tools.nft.run = (args, input) => run(args, input).replaceAll('"return":null', '"return":{"other":"words"}')
    expect((await sync(IN_NFTABLES)).changed).toEqual(ALL_NFTABLES)
    expect(await sync(IN_NFTABLES)).toEqual(QUIET)
    expect(await sync({ ...IN_NFTABLES, randomFully: false })).toEqual({ ...QUIET, changed: ALL_NFTABLES })
  })

  test('of which nft repeats one less than were written are tried again at every look', async () => {
    const run = tools.nft.run.bind(tools.nft)
    tools.nft.run = (args, input) => {
      const answer = JSON.parse(run(args, input) || '{"nftables":[]}') as { nftables: object[] }
      const last = answer.nftables.findLastIndex((object) => 'rule' in object)
      return JSON.stringify({ nftables: answer.nftables.filter((_, at) => at !== last) })
    }
    for (let look = 0; look < 3; look++) expect((await sync(IN_NFTABLES)).changed).toEqual(ALL_NFTABLES)
  })

  test('that nft repeats in words of its own are put right when somebody alters them, and not because of their handles', async () => {
    let [words, handle] = ['other', 1]
    const run = tools.nft.run.bind(tools.nft)
    tools.nft.run = (args, input) =>
      run(args, input).replaceAll('"accept":null', `"jump":"${words}"`).replaceAll('"handle":7', `"handle":${handle}`)
    await sync(IN_NFTABLES)
    handle = 2
    expect(await sync(IN_NFTABLES)).toEqual(QUIET)
    words = 'altered'
    expect(await sync(IN_NFTABLES)).toEqual({ ...QUIET, changed: ALL_NFTABLES })
  })

  test.each([
    ['JSON', 'NO_JSON', /built without JSON/],
    ['nothing at all', 'REFUSED', /^nft failed/],
  ])('are a problem with its cure where nft speaks not %s', async (what, code, message) => {
    tools.nft.run = (args) => {
      if (what !== 'JSON' || args[0] === '-j') throw new FirewallError('nft', 'REFUSED', 'nft failed (exit code 1)')
      return 'table inet filter'
    }
    const { stands, problems } = await sync(IN_NFTABLES)
    expect(stands).toBe(false)
    expect(problems).toMatchObject([{ code, message: expect.stringMatching(message) as unknown }])
  })

  test('are a problem where nft prints what cannot be read', async () => {
    tools.nft.run = () => 'table ip nat {'
    expect(await sync(IN_NFTABLES)).toMatchObject({ stands: false, problems: [{ code: 'UNREADABLE' }] })
  })
})

describe('the kind that is not asked for', () => {
  test.each([
    [IN_IPTABLES, IN_NFTABLES, [...ALL_NFTABLES, ...ALL_IPTABLES]],
    [IN_NFTABLES, IN_IPTABLES, [...ALL_IPTABLES, ...ALL_NFTABLES]],
  ])('goes after the other stands: $kind', async (before, after, changed) => {
    await sync(before)
    expect(await sync(after)).toEqual({ ...QUIET, changed })
    expect(await sync(after)).toEqual(QUIET)
    expect((await firewall.planRemoval(signal)).standing.join('\n')).not.toContain(
      before.kind === 'nftables' ? 'nftables' : 'tables chain',
    )
  })

  test('stays while the other does not stand', async () => {
    await sync(IN_IPTABLES)
    tools.broken.set('nft', new FirewallError('nft', 'REFUSED', 'no'))
    expect(await sync(IN_NFTABLES)).toMatchObject({ changed: [], stands: false, problems: [{ code: 'REFUSED' }] })
    expect(chains()).toEqual([6, 2, 6, 2])
  })

  test('is no problem where its program is not there, and a problem where it fails', async () => {
    tools.uninstall('iptables-save', 'ip6tables-save')
    expect(await sync(IN_NFTABLES)).toEqual({ ...QUIET, changed: ALL_NFTABLES })
    tools.broken.set('iptables-save', new FirewallError('iptables', 'REFUSED', 'no'))
    firewall = new LinuxFirewall(tools.run)
    expect(await sync(IN_NFTABLES)).toMatchObject({ changed: [], stands: true, problems: [{ code: 'REFUSED' }] })
  })

  test.each(['DROP', 'ACCEPT'])('lets what is forwarded pass in iptables where the policy is to %s', async (policy) => {
    tools.iptables.write('filter', `-P FORWARD ${policy}`)
    let whenTried: unknown
    await firewall.sync(IN_NFTABLES, signal, () => {
      whenTried = chains()
      return Promise.resolve()
    })
    expect(chains()).toEqual(whenTried) // containers are started then
    expect(chains()).toEqual([undefined, policy === 'DROP' ? 2 : undefined, undefined, undefined])
    expect(await sync(IN_NFTABLES)).toEqual(QUIET)
  })
})

describe('what is not asked for', () => {
  test.each([IN_IPTABLES, IN_NFTABLES])('goes also when it was not asked for before it was: $kind', async (spec) => {
    await sync({ ...spec, ...NONE })
    await sync(spec)
    expect((await sync({ ...spec, ...NONE })).changed.length).toBeGreaterThan(0)
    expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
  })

  test('goes at once from the variant of iptables that is not in use where nothing else is asked for', async () => {
    for (const tables of [tools.iptables, tools.unused.iptables]) tables.write('filter', ':FLANNEL-FWD - [0:0]')
    const [changed, leftovers] = [['iptables FLANNEL-FWD'], ['iptables-nft FLANNEL-FWD']]
    expect(await sync({ ...IN_IPTABLES, ...NONE })).toEqual({ ...QUIET, changed, leftovers })
  })

  test('goes from the variant of iptables that is not in use when all else has been found standing', async () => {
    tools.unused.iptables.write('filter', ':FLANNEL-FWD - [0:0]')
    expect((await sync(IN_IPTABLES)).changed).toEqual(ALL_IPTABLES)
    expect(await sync(IN_IPTABLES)).toEqual({ ...QUIET, leftovers: ['iptables-nft FLANNEL-FWD'] })
    expect(await sync(IN_IPTABLES)).toEqual(QUIET)
  })
})

describe('a start over rules that stand already', () => {
  test('runs no program but the one that reads them; the variant that is not in use is looked at next time', async () => {
    await sync(IN_IPTABLES)
    tools.unused.iptables.write('filter', ':FLANNEL-FWD - [0:0]')
    tools.ran.length = 0
    const restarted = new LinuxFirewall(tools.run)
    expect(await restarted.sync(IN_IPTABLES, signal)).toEqual(QUIET)
    expect(tools.ran).toEqual(['iptables-save', 'ip6tables-save', 'nft'])
    expect((await restarted.sync(IN_IPTABLES, signal)).leftovers).toEqual(['iptables-nft FLANNEL-FWD'])
  })

  test('is told of once they have been read, before anything is run for what is not asked for', async () => {
    const [four] = IN_IPTABLES.families
    const spec = { ...IN_IPTABLES, families: four === undefined ? [] : [four] }
    await sync(spec)
    tools.ran.length = 0
    let ranBefore: readonly string[] = []
    await new LinuxFirewall(tools.run).sync(spec, signal, () => {
      ranBefore = [...tools.ran]
      return Promise.resolve()
    })
    expect(ranBefore).toEqual(['iptables-save'])
    expect(tools.ran).toEqual(['iptables-save', 'ip6tables-save', 'nft'])
  })
})

describe('a table that iptables does not print', () => {
  beforeEach(() => {
    tools.iptables.save = () => "# Table `filter' is incompatible, use 'nft' tool.\n"
  })

  test.each([
    ['MISSING', 'there is no nft'],
    ['REFUSED', 'no JSON'],
  ] as const)('does not stand where nft cannot be asked (%s), and is not written to', async (code, words) => {
    tools.broken.set('nft', new FirewallError('nft', code, words))
    const report = await sync({ ...IN_IPTABLES, masquerade: false })
    const message = expect.stringContaining(`(${words}); nothing is written there. Cure: install nftables`) as unknown
    expect(report).toMatchObject({ stands: false, problems: [{ code: 'UNREADABLE', message }] })
    expect(tools.iptables.rules('filter', 'FORWARD')).toBeUndefined()
  })

  test('does not stand where nft prints what is no JSON', async () => {
    tools.nft.run = () => 'table ip filter {'
    expect(await sync(IN_IPTABLES)).toMatchObject({ stands: false, problems: [{ code: 'UNREADABLE' }] })
  })
})

describe('a program that is not there', () => {
  test('is a problem where it has to write rules', async () => {
    tools.uninstall('ip6tables-save', 'nft')
    const report = await sync(IN_IPTABLES)
    expect(report).toMatchObject({
      ...{ changed: ['iptables FLANNEL-POSTRTG', 'iptables FLANNEL-FWD'], stands: false },
      problems: [{ code: 'MISSING', tool: 'ip6tables-save' }],
    })
  })

  test('is a problem for one family as for both', async () => {
    const [four] = SPEC.families
    tools.uninstall('nft')
    const report = await sync({ ...IN_NFTABLES, families: four === undefined ? [] : [four] })
    expect(report).toMatchObject({ stands: false, problems: [{ code: 'MISSING' }] })
  })

  test('is asked again by the next look', async () => {
    tools.uninstall('nft')
    expect(await sync(IN_NFTABLES)).toMatchObject({ stands: false, problems: [{ code: 'MISSING' }] })
    tools.broken.clear()
    expect(await sync(IN_NFTABLES)).toEqual({ ...QUIET, changed: ALL_NFTABLES })
  })

  test('has nothing of ours to list or remove', async () => {
    tools.uninstall('nft', 'iptables-save', 'ip6tables-save')
    expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
    expect(await firewall.removeAll(signal)).toEqual(QUIET)
  })
})

describe('removing all', () => {
  test('takes both kinds away, and lists before what it will take', async () => {
    await sync(IN_NFTABLES)
    for (const [table, chain, builtin] of [
      ['nat', 'FLANNEL-POSTRTG', 'POSTROUTING'],
      ['filter', 'FLANNEL-FWD', 'FORWARD'],
    ] as const) {
      tools.iptables.write(table, `:${chain} - [0:0]`)
      tools.iptables.write(table, `-A ${chain} -j RETURN`)
      tools.iptables.write(table, `-A ${builtin} -j ${chain}`)
    }
    expect(await firewall.planRemoval(signal)).toEqual({
      standing: [
        ...ALL_NFTABLES,
        'iptables rule in nat POSTROUTING: -A POSTROUTING -j FLANNEL-POSTRTG',
        'iptables chain nat FLANNEL-POSTRTG (rules: 1)',
        'iptables rule in filter FORWARD: -A FORWARD -j FLANNEL-FWD',
        'iptables chain filter FLANNEL-FWD (rules: 1)',
      ],
      problems: [],
    })
    const changed = [...ALL_NFTABLES, 'iptables FLANNEL-POSTRTG', 'iptables FLANNEL-FWD']
    expect(await firewall.removeAll(signal)).toEqual({ ...QUIET, changed })
    expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
    expect([tools.nft.names, chains()]).toEqual([[], [undefined, undefined, undefined, undefined]])
  })

  test('looks again at what was known to hold nothing', async () => {
    await sync({ ...IN_NFTABLES, ...NONE })
    tools.iptables.write('filter', ':FLANNEL-FWD - [0:0]')
    const standing = ['iptables chain filter FLANNEL-FWD (rules: 0)']
    expect(await firewall.planRemoval(signal)).toEqual({ standing, problems: [] })
    expect(await firewall.removeAll(signal)).toEqual({ ...QUIET, changed: ['iptables FLANNEL-FWD'] })
  })

  test('names what failed, and does the rest', async () => {
    await sync(IN_NFTABLES)
    tools.broken.set('iptables-save', new FirewallError('iptables', 'TIMEOUT', 'too slow'))
    const problems = [{ code: 'TIMEOUT', tool: 'iptables' }]
    expect(await firewall.planRemoval(signal)).toMatchObject({ standing: ALL_NFTABLES, problems })
    expect(await firewall.removeAll(signal)).toMatchObject({ changed: ALL_NFTABLES, stands: true, problems })
  })

  test('passes on what is no failure of a program', async () => {
    const mistake = new TypeError('a mistake of ours')
    tools.nft.run = () => {
      throw mistake
    }
    await expect(firewall.planRemoval(signal)).rejects.toBe(mistake)
    await expect(firewall.removeAll(signal)).rejects.toBe(mistake)
  })
})

describe('a chain that others lead to', () => {
  const HOLDER = '-A OPERATORS -s 203.0.113.7/32 -j FLANNEL-FWD'
  const problems = [
    {
      code: 'HELD',
      message: `iptables chain filter FLANNEL-FWD can be emptied but not removed while other rules lead to it: ${HOLDER}`,
    },
  ]

  beforeEach(async () => {
    await sync(IN_IPTABLES)
    tools.iptables.write('filter', ':OPERATORS - [0:0]')
    tools.iptables.write('filter', HOLDER)
  })

  test('is no problem while it is wanted', async () => {
    expect(await sync(IN_IPTABLES)).toEqual(QUIET)
  })

  test('is emptied and named, at every look, until they let it go', async () => {
    const unwanted = { ...IN_IPTABLES, forward: false }
    expect(await sync(unwanted)).toMatchObject({ stands: true, problems })
    expect(await sync(unwanted)).toMatchObject({ changed: [], stands: true, problems })
    expect(tools.iptables.rules('filter', 'FLANNEL-FWD')).toEqual([])
    tools.iptables.write('filter', '-F OPERATORS')
    expect(await sync(unwanted)).toEqual({ ...QUIET, changed: ['iptables FLANNEL-FWD'] })
    expect(tools.iptables.rules('filter', 'FLANNEL-FWD')).toBeUndefined()
  })

  test('keeps its name and loses its content when all is removed', async () => {
    const content = 'iptables content of chain filter FLANNEL-FWD (rules: 2)'
    const plan = await firewall.planRemoval(signal)
    expect(plan.standing).toContain(content)
    expect(plan).toMatchObject({ problems })
    expect(await firewall.removeAll(signal)).toMatchObject({ problems })
    expect(await firewall.planRemoval(signal)).toMatchObject({ standing: [], problems })
    tools.iptables.write('filter', '-A FORWARD -j FLANNEL-FWD')
    expect((await firewall.planRemoval(signal)).standing).toEqual([
      'iptables rule in filter FORWARD: -A FORWARD -j FLANNEL-FWD',
    ])
  })
})

describe('where the kernel says that no rule has changed', () => {
  let generation = 1
  const looks = async (count: number): Promise<number> => {
    tools.ran.length = 0
    for (let look = 0; look < count; look++) expect(await sync(IN_IPTABLES)).toEqual(QUIET)
    return tools.ran.length
  }

  beforeEach(async () => {
    firewall = new LinuxFirewall(tools.run, () => generation)
    await sync(IN_IPTABLES)
  })

  test('nothing is read but once in a while, and at once when it says otherwise', async () => {
    tools.variant = 'nft'
    await looks(3)
    expect(await looks(5)).toBe(0)
    expect(await looks(12)).toBe(2)
    generation++
    tools.iptables.write('filter', '-F FLANNEL-FWD')
    expect((await sync(IN_IPTABLES)).changed).toEqual(['iptables FLANNEL-FWD'])
    generation++
    expect(await looks(1)).toBe(2)
  })

  test('other rules that are asked for are written', async () => {
    tools.variant = 'nft'
    await looks(4)
    expect((await sync({ ...IN_IPTABLES, masquerade: false })).changed).toEqual([
      'iptables FLANNEL-POSTRTG',
      'ip6tables FLANNEL-POSTRTG',
    ])
  })

  test('a legacy iptables is read all the same: it is not asked about', async () => {
    await looks(2)
    expect(await looks(5)).toBe(10)
  })
})
