import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runTool } from '../../src/firewall/command.ts'
import { FirewallError, type FirewallReport, type FirewallSpec } from '../../src/kernel/firewall.ts'
import { waitFor } from '../lab/wait-for.ts'
import { ADDRESSES, FirewallWorld, SPEC } from './firewall-world.ts'

const { signal } = new AbortController()

const KINDS = [
  { kind: 'nftables', variant: 'nft' },
  { kind: 'iptables', variant: 'nft' },
  { kind: 'iptables', variant: 'legacy' },
] as const

let world: FirewallWorld

beforeEach(async () => {
  world = await FirewallWorld.create()
})

afterEach(() => world.close())

const iptables = (variant: 'nft' | 'legacy', ...args: readonly string[]): Promise<string> =>
  world.host.exec(`iptables-${variant}`, args)

/** Everything in both kinds of tables, as their own tools show it. */
async function everything(): Promise<string> {
  const commands = ['iptables-legacy-save', 'ip6tables-legacy-save'].map((tool) => world.host.exec(tool))
  const texts = await Promise.all([world.host.exec('nft', ['list', 'ruleset']), ...commands])
  return texts.join('\n').replaceAll(/^#.*\n|\[\d+:\d+\]|counter packets.*? bytes \d+ /gm, '')
}

const quiet: FirewallReport = { changed: [], stands: true, problems: [] }

describe.each(KINDS)('rules in $kind ($variant)', ({ kind, variant }) => {
  const spec: FirewallSpec = { ...SPEC, kind }

  test.each([4, 6] as const)('keep sources inside the overlay and change them at its edges, IPv%i', async (family) => {
    expect((await world.firewall(variant).sync(spec, signal)).problems).toEqual([])
    const { pod, remote, host, world: outside } = world
    const a = ADDRESSES[family]
    expect(await world.seenFrom(pod, undefined, a.remotePod, remote), 'pod to pod').toBe(a.pod)
    expect(await world.seenFrom(remote, a.remotePod, a.pod, pod), 'pod from pod').toBe(a.remotePod)
    expect(await world.seenFrom(pod, undefined, a.world, outside), 'pod to outside').toBe(a.host)
    expect(await world.seenFrom(host, a.host, a.remotePod, remote), 'host to pod elsewhere').toBe(a.device)
    expect(await world.seenFrom(outside, a.world, a.pod, pod), 'outside to our pod').toBe(a.world)
    expect(await world.seenFrom(outside, a.world, a.remotePod, remote), 'outside to pod elsewhere').toBe(a.device)
    expect(await world.seenFrom(pod, undefined, a.marked, outside), 'marked').toBe(a.pod)
    expect(await world.seenFrom(host, a.sender, a.multicast, outside), 'multicast').toBe(a.sender)
  })

  test('are not written again while they stand, also by the next process', async () => {
    const firewall = world.firewall(variant)
    expect((await firewall.sync(spec, signal)).changed.length).toBeGreaterThan(0)
    const standing = await everything()
    for (const next of [firewall, world.firewall(variant)]) expect(await next.sync(spec, signal)).toEqual(quiet)
    expect(await everything()).toBe(standing)
    firewall.ran.length = 0
    await firewall.sync(spec, signal)
    expect(firewall.ran.length).toBeLessThanOrEqual(4)
  })

  test('are put right when somebody takes one out, or all of them', async () => {
    const firewall = world.firewall(variant)
    await firewall.sync(spec, signal)
    const standing = await everything()
    const spoil =
      kind === 'nftables'
        ? ['nft flush chain ip flannel-ipv4 postrtg', 'nft delete table ip6 flannel-ipv6']
        : [
            `iptables-${variant} -t nat -D FLANNEL-POSTRTG 2`,
            `iptables-${variant} -t nat -F POSTROUTING`,
            `ip6tables-${variant} -F && ip6tables-${variant} -X`,
          ]
    for (const command of spoil) {
      await world.host.exec('sh', ['-c', command])
      expect((await firewall.sync(spec, signal)).changed, command).toHaveLength(1)
      expect(await firewall.sync(spec, signal)).toEqual(quiet)
    }
    expect((await everything()).split('\n').sort()).toEqual(standing.split('\n').sort())
  })

  test('follow a new subnet, and go when they are not wanted, and nothing of others with them', async () => {
    await iptables(variant, '-A', 'FORWARD', '-s', '203.0.113.7', '-j', 'ACCEPT')
    await iptables(variant, '-t', 'nat', '-A', 'POSTROUTING', '-s', '203.0.113.7', '-j', 'RETURN')
    const before = await everything()
    const firewall = world.firewall(variant)
    await firewall.sync(spec, signal)
    const [four] = SPEC.families
    const moved = { ...spec, families: four === undefined ? [] : [{ ...four, subnet: four.network }] }
    await firewall.sync(moved, signal)
    expect(await everything()).not.toContain('10.20.0.0')
    expect((await firewall.planRemoval(signal)).standing).not.toEqual([])
    expect((await firewall.removeAll(signal)).problems).toEqual([])
    expect(await firewall.planRemoval(signal)).toEqual({ standing: [], problems: [] })
    const after = await everything()
    expect(after).not.toMatch(/flannel/i)
    // Tables that iptables makes for itself stay, empty.
    for (const line of before.split('\n')) expect(after).toContain(line)
  })

  test('let packets of the overlay pass where the policy is to drop', async () => {
    await iptables(variant, '-P', 'FORWARD', 'DROP')
    const { pod, remote, world: outside } = world
    const a = ADDRESSES[4]
    expect(await world.seenFrom(pod, undefined, a.remotePod, remote)).toBeUndefined()
    const firewall = world.firewall(variant)
    await firewall.sync(spec, signal)
    expect(await world.seenFrom(pod, undefined, a.remotePod, remote)).toBe(a.pod)
    expect(await world.seenFrom(pod, undefined, a.world, outside)).toBe(a.host)
    expect(await firewall.sync(spec, signal)).toEqual(quiet)
    await iptables(variant, '-I', 'FORWARD', '-j', 'DROP')
    expect((await firewall.sync(spec, signal)).changed).toEqual(['iptables FLANNEL-FWD'])
    expect(await world.seenFrom(pod, undefined, a.remotePod, remote)).toBe(a.pod)
  })
})

describe.each(['nft', 'legacy'] as const)('a chain that somebody else jumps to (%s)', (variant) => {
  const HOLDERS = ['-A OPERATORS -s 203.0.113.7/32 -j FLANNEL-FWD', '-A OPERATORS -g FLANNEL-POSTRTG']
  const hold = async (): Promise<void> => {
    await iptables(variant, '-N', 'OPERATORS')
    await iptables(variant, '-A', 'OPERATORS', '-s', '203.0.113.7', '-j', 'FLANNEL-FWD')
    await iptables(variant, '-t', 'nat', '-N', 'OPERATORS')
    await iptables(variant, '-t', 'nat', '-A', 'OPERATORS', '-g', 'FLANNEL-POSTRTG')
  }
  const letGo = async (): Promise<void> => {
    for (const table of ['filter', 'nat']) await iptables(variant, '-t', table, '-F', 'OPERATORS')
  }
  const problems = [['nat', 'FLANNEL-POSTRTG'] as const, ['filter', 'FLANNEL-FWD'] as const].map(([table, chain]) => ({
    code: 'HELD',
    message: `iptables chain ${table} ${chain} can be emptied but not removed while other rules lead to it: ${
      HOLDERS.find((line) => line.endsWith(chain)) ?? ''
    }`,
  }))

  test('is emptied and kept, all else of ours goes, and the rule is named', async () => {
    const firewall = world.firewall(variant)
    await firewall.sync({ ...SPEC, kind: 'iptables' }, signal)
    await hold()
    const plan = await firewall.planRemoval(signal)
    expect(plan.problems).toMatchObject(problems)
    expect(plan.standing).toContain('iptables content of chain filter FLANNEL-FWD (rules: 2)')
    expect(await firewall.removeAll(signal)).toMatchObject({ problems })
    const left = (await everything()).split('\n').filter((line) => /flannel/i.test(line))
    for (const chain of ['FLANNEL-FWD', 'FLANNEL-POSTRTG'])
      expect(left.filter((line) => line.includes(chain) && !HOLDERS.includes(line)).length, chain).toBeGreaterThan(0)
    expect(await iptables(variant, '-S', 'FLANNEL-FWD')).toBe('-N FLANNEL-FWD\n')
    expect(await iptables(variant, '-t', 'nat', '-S', 'FLANNEL-POSTRTG')).toBe('-N FLANNEL-POSTRTG\n')
    expect(left.join('\n')).not.toContain('flanneld')
    expect(await iptables(variant, '-S', 'OPERATORS')).toBe(`-N OPERATORS\n${HOLDERS[0] ?? ''}\n`)
    expect(await firewall.planRemoval(signal)).toMatchObject({ standing: [], problems })
    await letGo()
    expect(await firewall.removeAll(signal)).toMatchObject({ problems: [] })
    expect(await everything()).not.toMatch(/flannel/i)
  })

  test('keeps nobody from moving to the other kind, and goes when it is let go', async () => {
    const firewall = world.firewall(variant)
    await firewall.sync({ ...SPEC, kind: 'iptables' }, signal)
    await hold()
    const masquerading = { ...SPEC, forward: false }
    expect(await firewall.sync(masquerading, signal)).toMatchObject({ stands: true, problems })
    expect(await firewall.sync(masquerading, signal)).toMatchObject({ changed: [], stands: true, problems })
    expect(await world.seenFrom(world.pod, undefined, ADDRESSES[4].world, world.world)).toBe(ADDRESSES[4].host)
    await letGo()
    expect(await firewall.sync(masquerading, signal)).toMatchObject({ stands: true, problems: [] })
    expect(await everything()).not.toMatch(/FLANNEL-/)
    await firewall.sync({ ...SPEC, kind: 'iptables' }, signal)
    await iptables(variant, '-A', 'OPERATORS', '-j', 'FLANNEL-FWD')
    expect(await firewall.sync({ ...SPEC, kind: 'iptables' }, signal)).toEqual(quiet)
  })
})

test('the kind that is not in use goes after the other stands, whichever way, while pings go on', async () => {
  const firewall = world.firewall('nft')
  const own = (text: string): readonly boolean[] => [/table ip flannel-ipv4/.test(text), /FLANNEL-POSTRTG/.test(text)]
  for (const kind of ['iptables', 'nftables', 'iptables'] as const) {
    expect((await firewall.sync({ ...SPEC, kind }, signal)).problems).toEqual([])
    expect(own(await everything()), kind).toEqual([kind === 'nftables', kind === 'iptables'])
    expect(await world.seenFrom(world.pod, undefined, ADDRESSES[4].world, world.world)).toBe(ADDRESSES[4].host)
  }
  expect((await firewall.sync({ ...SPEC, masquerade: false, forward: false }, signal)).problems).toEqual([])
  expect(own(await everything())).toEqual([false, false])
})

describe('an iptables before 1.6.2', () => {
  /** The real one, but for the options that it did not know. */
  const old = (tool: string, args: readonly string[], input: string): string | FirewallError | undefined => {
    if (args.includes('--version') && !tool.endsWith('-save')) return `${tool} v1.4.21`
    const unknown = args.includes('--wait') ? '--wait' : /--random-fully/.exec(input)?.[0]
    return unknown === undefined
      ? undefined
      : new FirewallError(tool, 'REFUSED', `${tool} failed (exit code 2): unknown option "${unknown}"`)
  }

  test('is written to without what it does not know, which is said, and masquerades', async () => {
    const firewall = world.firewall('legacy', old)
    const report = await firewall.sync({ ...SPEC, kind: 'iptables' }, signal)
    expect(report).toMatchObject({ stands: true, problems: [], lacksRandomFully: 'v1.4.21' })
    expect(await world.seenFrom(world.pod, undefined, ADDRESSES[4].world, world.world)).toBe(ADDRESSES[4].host)
    expect(await iptables('legacy', '-t', 'nat', '-S', 'FLANNEL-POSTRTG')).toMatch(/MASQUERADE\n/)
    expect(await firewall.sync({ ...SPEC, kind: 'iptables' }, signal)).toMatchObject({ changed: [], stands: true })
    const plain = world.firewall('legacy', old)
    const report2 = await plain.sync({ ...SPEC, kind: 'iptables', randomFully: false }, signal)
    expect(report2).toEqual(quiet)
  })

  test('is asked for its version only when it has refused something, and a newer one is not believed to be old', async () => {
    const refuse = new FirewallError('iptables-restore', 'REFUSED', 'iptables-restore failed (exit code 4)')
    const firewall = world.firewall('nft', (tool) => (tool.endsWith('-restore') ? refuse : undefined))
    const report = await firewall.sync({ ...SPEC, kind: 'iptables' }, signal)
    expect(report).toMatchObject({ stands: false, problems: [refuse] })
    expect(report).not.toHaveProperty('lacksRandomFully')
    expect(firewall.ran.filter((tool) => tool === 'iptables')).toHaveLength(1)
    const willing = world.firewall('nft')
    await willing.sync({ ...SPEC, kind: 'iptables' }, signal)
    expect(willing.ran).not.toContain('iptables')
  })
})

test('a lock that somebody keeps is waited for, named, and no reason for more; what it held up comes when it is free', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'xtables-'))
  const lock = join(folder, 'lock')
  process.env['XTABLES_LOCKFILE'] = lock
  const holder = world.host.start('/dev/null', 'flock', ['--no-fork', lock, 'sleep', '60'])
  try {
    await waitFor('the lock to be held', async () => {
      const { code } = await world.host.attempt('flock', ['--nonblock', lock, 'true'])
      return code !== 0
    })
    const [four] = SPEC.families
    const spec: FirewallSpec = { ...SPEC, kind: 'iptables', families: four === undefined ? [] : [four] }
    const firewall = world.firewall('legacy')
    const message = expect.stringMatching(/holding the xtables lock/) as unknown
    expect(await firewall.sync(spec, signal)).toMatchObject({ stands: false, problems: [{ code: 'REFUSED', message }] })
    holder.kill('SIGKILL')
    await waitFor('the rules', async () => (await firewall.sync(spec, signal)).stands)
    expect(await firewall.sync(spec, signal)).toEqual(quiet)
  } finally {
    holder.kill('SIGKILL')
    delete process.env['XTABLES_LOCKFILE']
    await rm(folder, { recursive: true })
  }
})

describe('a program that fails', () => {
  test('is named with its cure when it is not there', async () => {
    await expect(runTool('iptables-that-nobody-has', [], '', signal)).rejects.toMatchObject({
      code: 'MISSING',
      message: expect.stringContaining('install iptables') as unknown,
    })
  })

  test('is quoted', async () => {
    await expect(runTool('nft', ['list', 'nonsense'], '', signal)).rejects.toMatchObject({ code: 'REFUSED' })
  })

  test('and needs a pipe, is killed with all that it was started with', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slow-nft-'))
    const [path, stop] = [process.env['PATH'], new AbortController()]
    const pidFile = join(folder, 'pid')
    await writeFile(
      join(folder, 'nft'),
      `#!/bin/sh\necho $$ > ${pidFile}.new\nmv ${pidFile}.new ${pidFile}\nexec sleep 1000\n`,
    )
    await chmod(join(folder, 'nft'), 0o755)
    process.env['PATH'] = `${folder}:${path ?? ''}`
    try {
      const run = runTool('nft', ['-f', '-'], '{}', stop.signal)
      await waitFor('the program to run', () => existsSync(pidFile))
      const pid = (await readFile(pidFile, 'utf8')).trim()
      stop.abort(new Error('stopped'))
      await expect(run).rejects.toThrow('stopped')
      await waitFor('the program to end', () => !existsSync(`/proc/${pid}`))
    } finally {
      process.env['PATH'] = path
      await rm(folder, { recursive: true })
    }
  })

  test('has not been told what was meant for us alone', async () => {
    process.env['FLANNELD_ETCD_PASSWORD'] = 'secret'
    const seen = await runTool('env', [], '', signal).finally(() => {
      delete process.env['FLANNELD_ETCD_PASSWORD']
    })
    expect(seen).toContain('PATH=')
    expect(seen).not.toContain('secret')
  })

  test('and does not end, is killed with whoever asked', async () => {
    const stop = new AbortController()
    const run = runTool('sleep', ['1000'], '', stop.signal)
    stop.abort(new Error('stopped'))
    await expect(run).rejects.toThrow('stopped')
  })
})
