import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runTool, type RunTool } from '../../src/firewall/command.ts'
import { LinuxForeignRules } from '../../src/firewall/others/linux-foreign-rules.ts'
import { sayVerdict, type ForeignVerdicts, type OverlayPath } from '../../src/kernel/foreign-rules.ts'
import { prefix } from '../../src/net/prefix.ts'
import { ADDRESSES, FirewallWorld, SPEC } from './firewall-world.ts'

const { signal } = new AbortController()
const PATHS: readonly OverlayPath[] = [
  { family: 4, network: prefix('10.0.0.0/8'), subnet: prefix('10.20.0.0/20'), device: 'ov', bridge: 'pod' },
  { family: 6, network: prefix('fd00:10::/32'), subnet: prefix('fd00:10:1::/64'), device: 'ov', bridge: 'pod' },
]

let world: FirewallWorld

beforeEach(async () => {
  world = await FirewallWorld.create()
})

afterEach(() => world.close())

/** The judge on the host as it is; `variant` names its iptables. */
async function verdicts(variant: 'nft' | 'legacy' = 'nft'): Promise<ForeignVerdicts> {
  const run: RunTool = (tool, args, input, stop, mostBytes) => {
    const name = tool.replace(/tables-(?!nft-|legacy-)/, `tables-${variant}-`)
    const [command, ...words] = world.host.line(name, args)
    return runTool(command, words, input, stop, mostBytes)
  }
  const read = (path: string): Promise<string> => world.host.exec('cat', [path])
  const found = await new LinuxForeignRules(run, read).judge(PATHS, [], signal)
  if (found === undefined) throw new Error('the rules could not be read')
  return found
}

/** A script on the host, its iptables named in full. */
const shell = (script: string): Promise<string> => world.host.exec('sh', ['-ec', script])

/** Whether a pod of another host reaches ours. */
const arrives = async (family: 4 | 6): Promise<boolean> =>
  (await world.seenFrom(world.remote, undefined, ADDRESSES[family].pod, world.pod)) !== undefined

const texts = ({ drops }: ForeignVerdicts): string => drops.map(sayVerdict).join('\n')

describe('what is said of other people’s rules is what the kernel does', () => {
  it('without any, nothing, and packets arrive', async () => {
    expect(await verdicts()).toEqual({ drops: [], masquerades: [] })
    expect([await arrives(4), await arrives(6)]).toEqual([true, true])
  })

  it.each([
    [
      'a table of its own',
      'nft "add table inet own; add chain inet own fwd1 { type filter hook forward priority 5; policy drop; }"',
      'nft flush ruleset',
      /^the policy of nftables inet own, chain fwd1/,
    ],
    [
      'iptables',
      'iptables-nft -P FORWARD DROP; ip6tables-nft -P FORWARD DROP',
      'iptables-nft -P FORWARD ACCEPT; ip6tables-nft -P FORWARD ACCEPT',
      /^the policy of nftables ip filter, chain FORWARD/,
    ],
    [
      'legacy iptables beside nft’s',
      'iptables-legacy -P FORWARD DROP; ip6tables-legacy -P FORWARD DROP',
      'iptables-legacy -P FORWARD ACCEPT; ip6tables-legacy -P FORWARD ACCEPT',
      /^the policy of iptables-legacy filter, chain FORWARD/,
    ],
    [
      'a rule before the routing',
      'iptables-nft -t raw -A PREROUTING -d 10.20.0.2 ! -i pod -j DROP; ip6tables-nft -t raw -A PREROUTING -i ov -j DROP',
      'iptables-nft -t raw -F; ip6tables-nft -t raw -F',
      /^nftables ip raw, chain PREROUTING \(-A PREROUTING -d 10\.20\.0\.2\/32 ! -i pod -j DROP\)/,
    ],
  ])('%s drops all: it is named for both families, until it is gone', async (_, set, undo, named) => {
    await shell(set)
    expect([await arrives(4), await arrives(6)]).toEqual([false, false])
    const found = await verdicts()
    expect(texts(found)).toMatch(named)
    expect(texts(found)).toMatch(/fd00:10::\/32|ip6/)
    await shell(undo)
    expect(await verdicts()).toEqual({ drops: [], masquerades: [] })
  })

  it('rules that nft has no words for, before a policy to drop, are read with iptables', async () => {
    await shell(
      'iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; ' +
        'iptables-nft -A FORWARD -p icmp -m conntrack --ctstate NEW -m comment --comment "ping only" -j ACCEPT',
    )
    expect(await arrives(4)).toBe(true) // connections other than pings do not
    expect(texts(await verdicts())).toMatch(/^the policy of nftables ip filter, chain FORWARD/)
    await shell('iptables-nft -A FORWARD -m conntrack --ctstate NEW -j ACCEPT')
    expect(await verdicts()).toEqual({ drops: [], masquerades: [] })
  })

  it('a drop whose condition iptables cannot print is none', async () => {
    await shell(
      'iptables-nft -A FORWARD -s 192.0.2.77 -j ACCEPT; nft "add set ip filter bad { type ipv4_addr; }; insert rule ip filter FORWARD ip saddr @bad counter drop"',
    )
    expect(await arrives(4)).toBe(true)
    expect(await verdicts()).toEqual({ drops: [], masquerades: [] })
  })

  it('our own rules let packets pass, in either kind, and are nobody else’s', async () => {
    await shell('iptables-nft -P FORWARD DROP; ip6tables-nft -P FORWARD DROP')
    for (const kind of ['iptables', 'nftables'] as const) {
      await world.firewall().sync({ ...SPEC, kind }, signal)
      expect([await arrives(4), await arrives(6)]).toEqual([true, true])
      expect(await verdicts()).toEqual({ drops: [], masquerades: [] })
    }
  })

  it('a masquerade that stands beside ours, which returns, is named', async () => {
    await world.firewall().sync({ ...SPEC, kind: 'iptables' }, signal)
    await shell('iptables-nft -t nat -I POSTROUTING -s 10.20.0.0/20 ! -o pod -j MASQUERADE')
    expect(await world.seenFrom(world.pod, undefined, ADDRESSES[4].remotePod, world.remote)).toBe(ADDRESSES[4].device)
    const { drops, masquerades } = await verdicts()
    expect(drops).toEqual([])
    expect(masquerades.map(sayVerdict)).toEqual([
      expect.stringMatching(
        /^nftables ip nat, chain POSTROUTING .*changes the source of packets from containers of this host/,
      ),
    ])
  })
})
