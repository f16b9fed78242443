import { describe, expect, it } from 'vitest'
import type { RunTool } from '../../../../src/firewall/command.ts'
import { LinuxForeignRules } from '../../../../src/firewall/others/linux-foreign-rules.ts'
import { FirewallError } from '../../../../src/kernel/firewall.ts'
import {
  sayVerdict,
  type ForeignVerdicts,
  type OverlayPath,
  type TunnelEnd,
} from '../../../../src/kernel/foreign-rules.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { textOf, toolsOf, type Captured } from './captured.ts'

const { signal } = new AbortController()
const network = prefix('10.15.0.0/16')
const PATH: OverlayPath = {
  ...{ family: 4, network, subnet: prefix('10.15.1.0/24') },
  ...{ device: 'flannel.100', bridge: 'cni0' },
}
const DOCKER: OverlayPath = { ...PATH, bridge: 'docker0' }
const TUNNEL: TunnelEnd = { family: 4, link: 'eth0', address: ip('192.168.205.10'), network, port: 8472 }
/** Verdicts in words. */
interface Said {
  readonly drops: readonly string[]
  readonly masquerades: readonly string[]
}

const NOTHING: Said = { drops: [], masquerades: [] }
const inWords = (verdicts: ForeignVerdicts | undefined): Said | undefined =>
  verdicts && { drops: verdicts.drops.map(sayVerdict), masquerades: verdicts.masquerades.map(sayVerdict) }
const noLegacy = (): Promise<string> => Promise.resolve('')

const judged = (name: Captured, path = PATH, absent: readonly string[] = []): Promise<Said | undefined> =>
  new LinuxForeignRules(toolsOf(name, absent).run, noLegacy).judge([path], [TUNNEL], signal).then(inWords)

/** A host where iptables-save prints this, and there is no nft. */
const saved = (text: string, path = PATH): Promise<Said | undefined> =>
  new LinuxForeignRules(
    (tool) =>
      tool === 'nft'
        ? Promise.reject(new FirewallError(tool, 'MISSING', 'no nft'))
        : Promise.resolve(tool === 'iptables-save' ? text : ''),
    noLegacy,
  )
    .judge([path], [], signal)
    .then(inWords)

describe('rules of others that let the overlay through', () => {
  it.each<[string, Captured, OverlayPath]>([
    ['kube-proxy and the CNI plugins', 'kube-proxy', PATH],
    ['Calico’s policies, fail2ban and an operator’s ban, with our accept behind them', 'canal', PATH],
    ['a ruleset that drops all but what is the overlay’s', 'nftables-conf-allowing', PATH],
  ])('%s: nothing is said', async (_, name, path) => {
    expect(await judged(name, path)).toEqual(NOTHING)
  })

  it.each<[string, Captured]>([
    ['both interfaces', 'firewalld-trusted'],
    ['the overlay’s addresses', 'firewalld-source'],
  ])('are those of firewalld that trusts %s; the port of the tunnels is another matter', async (_, name) => {
    expect(await judged(name)).toEqual({
      drops: [
        expect.stringMatching(/^nftables inet firewalld, chain filter_IN_public \(handle \d+\), .*UDP port 8472/),
      ],
      masquerades: [],
    })
  })
})

describe('rules of others that keep the overlay out are named with the cure', () => {
  it('firewalld that knows nothing of the overlay', async () => {
    expect(await judged('firewalld-default')).toEqual({
      drops: [
        expect.stringMatching(
          /^nftables inet firewalld, chain filter_FWD_public \(handle \d+\), drops packets between containers of different hosts\. Cure: firewall-cmd --permanent --zone=trusted --add-source=10\.15\.0\.0\/16 && firewall-cmd --reload$/,
        ),
        expect.stringMatching(
          /drops what other hosts send to UDP port 8472\. Cure: firewall-cmd .* --add-port=8472\/udp/,
        ),
      ],
      masquerades: [],
    })
  })

  it('an nft table of its own with a policy to drop, in both directions and at the tunnels’ port', async () => {
    expect(await judged('nftables-conf')).toEqual({
      drops: [
        'the policy of nftables inet filter, chain forward, drops packets between containers of different hosts. Cure: nft insert rule inet filter forward ip saddr 10.15.0.0/16 accept && nft insert rule inet filter forward ip daddr 10.15.0.0/16 accept',
        'the policy of nftables inet filter, chain input, drops what other hosts send to UDP port 8472. Cure: nft insert rule inet filter input udp dport 8472 accept',
      ],
      masquerades: [],
    })
  })

  it.each([
    ['device "eth0"', true],
    ['device eth0', true],
    ['devices = { "docker0", "eth0" }', true],
    ['devices = { docker0, eth1 }', false],
    ['device "eth01"', false],
  ])('a chain at a card, %s, as nft 1.0.6 prints it: %s', async (at, isOurs) => {
    const name = { family: 'netdev', table: 'early' }
    const chain = { ...name, name: 'in', type: 'filter', hook: 'ingress', prio: 0, policy: 'accept' }
    const port = { op: '==', left: { payload: { protocol: 'udp', field: 'dport' } }, right: 8472 }
    const rule = { ...name, chain: 'in', handle: 2, expr: [{ match: port }, { drop: null }] }
    const listing = `table netdev early {\n\tchain in {\n\t\ttype filter hook ingress ${at} priority filter; policy accept;\n\t}\n}\n`
    const run: RunTool = (tool, args) => {
      if (tool !== 'nft') return Promise.resolve('')
      return Promise.resolve(args.includes('-j') ? JSON.stringify({ nftables: [{ chain }, { rule }] }) : listing)
    }
    const verdicts = inWords(await new LinuxForeignRules(run, noLegacy).judge([PATH], [TUNNEL], signal))
    const said =
      'nftables netdev early, chain in (handle 2), drops what other hosts send to UDP port 8472. Cure: nft insert rule netdev early in udp dport 8472 accept'
    expect(verdicts).toEqual({ drops: isOurs ? [said] : [], masquerades: [] })
  })

  it('ufw, whose conditions nft does not know, where our accept is off', async () => {
    const verdicts = await judged('ufw')
    expect(verdicts?.drops).toEqual([
      expect.stringMatching(
        /^the policy of nftables ip filter, chain FORWARD, .* Cure: ufw route allow from 10\.15\.0\.0\/16 && /,
      ),
      expect.stringMatching(/^the policy of nftables ip filter, chain INPUT, .* Cure: ufw allow 8472\/udp$/),
    ])
    expect(verdicts).toEqual(await judged('ufw', PATH, ['nft']).then((alone) => alone && renamed(alone)))
  })

  it('Docker that masquerades its own bridge, and forwards nothing from elsewhere where our accept is off', async () => {
    expect(await judged('docker-20', DOCKER)).toEqual({
      drops: [
        expect.stringMatching(
          /chain FORWARD, drops packets from containers of other hosts to those of this host\. Cure: iptables -I FORWARD -s 10\.15\.0\.0\/16 -j ACCEPT .*--iptables-forward-rules/,
        ),
      ],
      masquerades: [
        expect.stringMatching(
          /\(-A POSTROUTING -s 10\.15\.1\.0\/24 ! -o docker0 -j MASQUERADE\), changes the source of packets from containers of this host .* Cure: start Docker with --ip-masq=false/,
        ),
      ],
    })
  })

  it('Docker 28 that drops what has not come over its bridge, container by container', async () => {
    const verdicts = await judged('docker-28', DOCKER)
    expect(verdicts?.drops).toContainEqual(
      expect.stringMatching(
        /^nftables ip raw, chain PREROUTING \(-A PREROUTING -d 10\.15\.1\.2\/32 ! -i docker0 -j DROP\), .* the container 10\.15\.1\.2 and 1 more\. Cure: "allow-direct-routing": true/,
      ),
    )
    expect(verdicts?.drops).toContainEqual(expect.stringMatching(/chain DOCKER .*from containers of other hosts/))
  })

  it('a legacy iptables that drops while iptables is nft’s', async () => {
    const legacy = textOf('docker-20', 'save').replaceAll(' (nf_tables)', '')
    const tools = toolsOf('kube-proxy')
    const run: RunTool = (tool, ...rest) =>
      tool === 'iptables-legacy-save' ? Promise.resolve(legacy) : tools.run(tool, ...rest)
    const rules = new LinuxForeignRules(run, (path) => Promise.resolve(path.includes('ip6') ? '' : 'filter\nnat\n'))
    const verdicts = await rules.judge([DOCKER], [], signal)
    expect(inWords(verdicts)?.drops).toEqual([
      expect.stringMatching(
        /^the policy of iptables-legacy filter, chain FORWARD, .* Cure: iptables-legacy -I FORWARD /,
      ),
    ])
    expect(verdicts?.mixed).toMatchObject([{ family: 4, used: 'nft' }])
    const [mix] = verdicts?.mixed ?? []
    expect(mix?.ofLegacy).toBe(legacy.split('\n').filter((line) => /^-A|^:\S+ DROP/.test(line)).length)
    expect(mix?.ofNft).toBeGreaterThan(1)
  })
})

/** The same in the words of a host without nft. */
const renamed = ({ drops, masquerades }: Said): Said => ({
  drops: drops.map((text) => text.replace('iptables filter', 'nftables ip filter')),
  masquerades,
})

describe('what is not known of all packets alike is no drop', () => {
  const filter = (...rules: readonly string[]): string =>
    ['# Generated by iptables-save v1.8.9', '*filter', ':FORWARD DROP [0:0]', ':MINE - [0:0]', ...rules, 'COMMIT'].join(
      '\n',
    )

  it.each([
    ['marks', '-A FORWARD -m mark --mark 0x1/0x1 -j ACCEPT'],
    ['sets', '-A FORWARD -m set --match-set pods src -j ACCEPT'],
    ['a part of the network', '-A FORWARD -s 10.15.64.0/20 -j ACCEPT\n-A FORWARD -d 10.15.64.0/20 -j ACCEPT'],
    ['a port', '-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT'],
    ['a target that nobody knows', '-A FORWARD -j FANCY'],
    ['a chain that may return', '-A FORWARD -m mark --mark 0x1 -j MINE\n-A MINE -j ACCEPT'],
  ])('%s', async (_, rules) => {
    expect(await saved(filter(rules))).toEqual(NOTHING)
  })

  it.each([
    ['other protocols', '-A FORWARD -p icmp -j ACCEPT'],
    ['connections that stand', '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'],
    ['other interfaces', '-A FORWARD -i eth+ -j ACCEPT'],
    ['other networks', '-A FORWARD ! -s 10.0.0.0/8 ! -d 10.0.0.0/8 -j ACCEPT'],
    ['nobody, since an earlier rule returns', '-A FORWARD -j MINE\n-A MINE -j RETURN\n-A MINE -j ACCEPT'],
    ['nobody, since the chain that was gone to does not come back', '-A FORWARD -g MINE\n-A FORWARD -j ACCEPT'],
  ])('but an accept for %s hides none', async (_, rules) => {
    const verdicts = await saved(filter(rules))
    expect(verdicts?.drops).toEqual([expect.stringMatching(/^the policy of iptables filter, chain FORWARD, /)])
  })

  it('is said of both directions apart', async () => {
    const verdicts = await saved(filter('-A FORWARD -i cni0 -j ACCEPT'))
    expect(verdicts?.drops).toEqual([expect.stringContaining('from containers of other hosts to those of this host')])
  })
})

describe('reading', () => {
  it('asks for chains, for tables that packets enter, and for what iptables has', async () => {
    const { run, ran } = toolsOf('docker-20')
    await new LinuxForeignRules(run, noLegacy).judge([DOCKER], [], signal)
    expect(ran).toEqual([
      'nft -j -t list chains',
      'nft -j -t list table ip nat',
      'nft -j -t list table ip filter',
      'iptables-save',
    ])
  })

  it('reads no more than the entered chains of a table that has very many', async () => {
    const { run, ran } = toolsOf('docker-20')
    const many = Array.from({ length: 400 }, (_, at) => ({ chain: { family: 'ip', table: 'nat', name: `svc-${at}` } }))
    const crowded: RunTool = async (tool, args, ...rest) => {
      const text = await run(tool, args, ...rest)
      return args.includes('chains')
        ? text.replace('{"nftables":[', `{"nftables":[${JSON.stringify(many).slice(1, -1)},`)
        : text
    }
    await new LinuxForeignRules(crowded, noLegacy).judge([DOCKER], [], signal)
    expect(ran).toContain('nft -j -t list chain ip nat POSTROUTING')
    expect(ran).not.toContain('nft -j -t list table ip nat')
  })

  it('reads no more than the entered chains of a table that prints too much, nor what is still too much', async () => {
    const { run, ran } = toolsOf('nftables-conf')
    const long: RunTool = (tool, args, ...rest) => {
      const answer = run(tool, args, ...rest)
      const isTooLong = tool === 'iptables-save' || args.includes('table') || args.includes('input')
      return isTooLong ? Promise.reject(new FirewallError(tool, 'TOO_LONG', 'too long')) : answer
    }
    const verdicts = await new LinuxForeignRules(long, noLegacy).judge([PATH], [TUNNEL], signal)
    expect(ran).toContain('nft -j -t list chain inet filter input')
    expect(inWords(verdicts)?.drops).toEqual([expect.stringContaining('chain forward')])
  })

  it('judges nothing where a program fails', async () => {
    const failing: RunTool = (tool) => Promise.reject(new FirewallError(tool, 'TIMEOUT', 'too slow'))
    expect(await new LinuxForeignRules(failing, noLegacy).judge([PATH], [], signal)).toBeUndefined()
    const why = new LinuxForeignRules(failing, noLegacy).judgeOrSay([PATH], [], signal)
    await expect(why).rejects.toThrow('too slow')
  })

  it('judges nothing that is not JSON', async () => {
    expect(
      await new LinuxForeignRules(() => Promise.resolve('nonsense'), noLegacy).judge([PATH], [], signal),
    ).toBeUndefined()
  })
})

describe('tunnels', () => {
  const rules = (lines: readonly string[], table = 'filter', chain = 'INPUT'): string =>
    [`*${table}`, `:${chain} ACCEPT [0:0]`, ...lines, 'COMMIT', ''].join('\n')

  /** Of a host where iptables-save prints this, and there is no nft. */
  async function tunnels(text: string, end: TunnelEnd = TUNNEL): Promise<readonly string[]> {
    const run: RunTool = (tool) =>
      tool === 'nft'
        ? Promise.reject(new FirewallError(tool, 'MISSING', 'no nft'))
        : Promise.resolve(tool === 'iptables-save' ? text : '')
    return (await new LinuxForeignRules(run, noLegacy).judge([], [end], signal).then(inWords))?.drops ?? []
  }

  it('are judged as they leave, too', async () => {
    expect(await tunnels(rules(['-A OUTPUT -p udp -m udp --dport 8472 -j DROP'], 'filter', 'OUTPUT'))).toEqual([
      'iptables filter, chain OUTPUT (-A OUTPUT -p udp -m udp --dport 8472 -j DROP), drops what this host sends other hosts to UDP port 8472. Cure: iptables -I OUTPUT -p udp --dport 8472 -j ACCEPT',
    ])
  })

  it.each(['raw', 'mangle'])('are judged in the table %s, whose cure names it', async (table) => {
    expect(await tunnels(rules(['-A PREROUTING -p udp -m udp --dport 8472 -j DROP'], table, 'PREROUTING'))).toEqual([
      expect.stringContaining(`Cure: iptables -t ${table} -I PREROUTING -p udp --dport 8472 -j ACCEPT`),
    ])
  })

  it('are left alone by rules for other ports, other interfaces, and what is forwarded', async () => {
    expect(await tunnels(rules(['-A INPUT -p udp -m udp --dport 8473 -j DROP']))).toEqual([])
    expect(await tunnels(rules(['-A OUTPUT -o eth1 -p udp -j DROP'], 'filter', 'OUTPUT'))).toEqual([])
    expect(await tunnels(rules(['-A FORWARD -p udp -j DROP'], 'filter', 'FORWARD'))).toEqual([])
  })

  it('of single hosts are judged where these are named', async () => {
    const text = rules(['-A INPUT -s 192.168.205.11/32 -p udp -j DROP'])
    expect(await tunnels(text)).toEqual([])
    const others = [ip('192.168.205.11'), ip('192.168.205.12'), ip('fd00::1')]
    expect(await tunnels(text, { ...TUNNEL, others })).toEqual([
      expect.stringContaining('drops what 192.168.205.11 sends to UDP port 8472. Cure: iptables -I INPUT '),
    ])
  })
})
