import { execFileSync } from 'node:child_process'
import { afterAll, describe, expect, test } from 'vitest'
import { runTool, type RunTool } from '../../src/firewall/command.ts'
import { LinuxFirewall } from '../../src/firewall/linux-firewall.ts'
import { RulesGeneration } from '../../src/netlink/rules-generation.ts'
import { SPEC } from './firewall-world.ts'

const run = (command: string, ...args: readonly string[]): unknown => execFileSync(command, args, { stdio: 'pipe' })

describe('the generation of the rules', () => {
  const generation = new RulesGeneration()

  afterAll(() => {
    run('nft', 'delete', 'table', 'ip', 'generation')
    run('iptables-nft', '-t', 'mangle', '-X', 'GENERATION')
  })

  test.each([
    ['nft', ['add', 'table', 'ip', 'generation']],
    ['nft', ['add', 'chain', 'ip', 'generation', 'one', '{ type filter hook output priority 0; }']],
    ['nft', ['add', 'rule', 'ip', 'generation', 'one', 'counter']],
    ['iptables-nft', ['-t', 'mangle', '-N', 'GENERATION']],
    ['iptables-nft', ['-t', 'mangle', '-A', 'GENERATION', '-j', 'ACCEPT']],
    ['iptables-nft', ['-t', 'mangle', '-F', 'GENERATION']],
  ])('is another after %s %j', (command, args) => {
    const before = generation.read()
    run(command, ...args)
    expect(before).toEqual(expect.any(Number))
    expect(generation.read()).not.toBe(before)
  })

  test('stays while packets are counted and rules are listed', () => {
    const before = generation.read()
    run('ping', '-c', '1', '127.0.0.1')
    run('nft', 'list', 'ruleset')
    run('iptables-nft-save')
    expect(generation.read()).toBe(before)
  })

  test('spares the firewall its programs until somebody changes a rule, which is put right then', async () => {
    const ran: string[] = []
    const onNft: RunTool = (tool, ...rest) => {
      ran.push(tool)
      return runTool(tool.replace(/tables-/, 'tables-nft-'), ...rest)
    }
    const { signal } = new AbortController()
    const firewall = new LinuxFirewall(onNft, () => generation.read())
    const spec = { ...SPEC, kind: 'iptables' } as const
    const sync = async (): Promise<readonly string[]> => (await firewall.sync(spec, signal)).changed
    for (let look = 0; look < 4; look++) await sync()
    ran.length = 0
    for (let look = 0; look < 3; look++) expect(await sync()).toEqual([])
    expect(ran).toEqual([])
    run('iptables-nft', '-F', 'FLANNEL-FWD')
    expect(await sync()).toEqual(['iptables FLANNEL-FWD'])
    await firewall.removeAll(signal)
  })
})
