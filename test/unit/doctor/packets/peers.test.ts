import { describe, expect, it } from 'vitest'
import { judgeSizes } from '../../../../src/doctor/packets/path-mtu.ts'
import { judgePublished } from '../../../../src/doctor/packets/published.ts'
import type { KubeReads } from '../../../../src/doctor/kube-facts.ts'
import { judgeRejected, rejectedLeases } from '../../../../src/doctor/packets/rejected-leases.ts'
import { judgeWays } from '../../../../src/doctor/packets/routes.ts'
import { readArpTable } from '../../../../src/doctor/kernel/arp-table.ts'
import { judgeSilence, silentPeers } from '../../../../src/doctor/packets/silent-peer.ts'
import { storeWords } from '../../../../src/doctor/packets/words.ts'
import type { Echo, Knock } from '../../../../src/doctor/view.ts'
import type { RouteState, RuleState } from '../../../../src/kernel/kernel.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import type { PeerStatus, RejectedStatus, StatusDocument } from '../../../../src/status/document.ts'
import { fakeView } from '../../../fake/fake-view.ts'
import { sampleStatus } from '../../../fake/status-samples.ts'
import { UDP_DEVICE, HERE, link, silent } from '../samples.ts'

describe('a peer that does not answer', () => {
  const judged = (
    knock: Knock,
    echo: Echo = { is: 'silence' },
    openPorts: readonly number[] = [],
    mac?: string,
    hasReadRules = true,
  ) =>
    judgeSilence({
      ...{ here: HERE, peer: silent(), network: prefix('192.168.205.0/24'), knock, echo, openPorts },
      neighbours: new Map([['192.168.205.11', mac]]),
      hasReadRules,
    })
  const quiet = { is: 'silence' } as const
  const answered = { is: 'answered', rttMs: 0.4 } as const

  it('has nobody on the port', () => {
    const [found] = judged({ is: 'closed' }, answered, [4789])
    expect(found).toMatchObject({ cause: 'udp-port-differs', peer: 'two', isInferred: true })
    expect(found?.evidence).toEqual([
      'a datagram to 192.168.205.11:8472 comes back as "port unreachable"',
      expect.stringContaining('port 4789'),
    ])
    expect(found?.cure[0]).toContain('on two: ip -d link show type vxlan')
  })

  it('has nobody on the port of the udp backend, which has no device of VXLAN', () => {
    const here = { ...HERE, device: UDP_DEVICE }
    const facts = { here, peer: silent(), network: undefined, knock: { is: 'closed' }, echo: answered } as const
    const [found] = judgeSilence({ ...facts, openPorts: [], neighbours: new Map(), hasReadRules: true })
    expect(found?.cure[0]).toContain("on two: ss -uln 'sport = :8285'")
    expect(JSON.stringify(found)).not.toContain('vxlan')
  })

  it('is on, and drops the port without a word, or somebody between does', () => {
    const [found] = judged(quiet, answered)
    expect(found).toMatchObject({ cause: 'udp-port-dropped-there' })
    expect(found?.evidence[0]).toBe('ping 192.168.205.11: answers in 0.40 ms')
  })

  it('is not said to drop the port where the rules of this host could not be read', () => {
    const [found] = judged(quiet, answered, [], undefined, false)
    expect(found).toMatchObject({ cause: 'udp-port-dropped-somewhere', isInferred: true })
    expect(JSON.stringify(found)).not.toContain('nothing on this host')
    expect(found?.cure[0]).toContain('here, as root')
  })

  describe('of which we may ask nothing', () => {
    const refusal = 'nobody can be pinged: EPERM'
    const looked = (underlay: PeerStatus['underlay']) => {
      const { view } = fakeView({ overlay: [HERE], verdicts: 'nft: you must be root' })
      const probes = { ...view.probes, echo: () => Promise.reject(new Error(refusal)) }
      const peer = silent({ underlay })
      return silentPeers.look(
        { ...view, probes, suspects: () => Promise.resolve([peer]) },
        new AbortController().signal,
      )
    }

    it('is judged by what the agent has seen of it', async () => {
      const on = { answers: true, rttMs: 0.4, says: null }
      expect(await looked(on)).toMatchObject([{ cause: 'udp-port-dropped-somewhere' }])
    })

    it('is not judged where the agent has seen nothing either', async () => {
      await expect(looked(null)).rejects.toThrow(refusal)
    })
  })

  it('refuses the port in words', () => {
    const [found] = judged({ is: 'refused', says: 'administratively prohibited' }, answered)
    expect(found).toMatchObject({ cause: 'udp-port-dropped-there' })
    expect(found?.evidence[0]).toContain('administratively prohibited')
  })

  it('is on though it answers no ping, where it answers for its MAC', () => {
    const [found] = judged(quiet, quiet, [], '02:00:00:00:00:11')
    expect(found).toMatchObject({ cause: 'udp-port-dropped-there' })
    expect(found?.evidence[0]).toBe('ip neigh show 192.168.205.11: 02:00:00:00:00:11 answers')
  })

  it('is off, where nobody on the link answers for it', () => {
    expect(judged(quiet)[0]).toMatchObject({ cause: 'peer-off' })
  })

  it('is off or out of reach, where it is behind a router', () => {
    const far = silent({ publicIp: '203.0.113.9', name: 'far' })
    const facts = { here: HERE, peer: far, network: prefix('192.168.205.0/24'), openPorts: [], neighbours: new Map() }
    const [found] = judgeSilence({
      ...facts,
      hasReadRules: true,
      knock: quiet,
      echo: { is: 'refused', says: 'host unreachable from 192.168.205.1' },
    })
    expect(found).toMatchObject({ cause: 'peer-unreachable-on-underlay', peer: 'far' })
    expect(found?.evidence[0]).toBe('ping 203.0.113.9: host unreachable from 192.168.205.1')
  })

  it('has the address that every machine behind the NAT of VirtualBox has', () => {
    const peer = silent({ publicIp: '10.0.2.15', name: 'box' })
    const facts = { here: HERE, peer, network: undefined, openPorts: [], neighbours: new Map(), hasReadRules: true }
    const [found] = judgeSilence({ ...facts, knock: quiet, echo: quiet })
    expect(found).toMatchObject({ cause: 'public-ip-hidden', peer: 'box' })
    expect(found?.cure).toEqual([expect.stringMatching(/^on box: flanneld with --iface=/)])
  })

  it('is known to answer for its address by what /proc/net/arp says', () => {
    const text = [
      'IP address       HW type     Flags       HW address            Mask     Device',
      '192.168.205.11   0x1         0x2         02:00:00:00:00:11     *        eth0',
      '192.168.205.12   0x1         0x0         00:00:00:00:00:00     *        eth0',
    ].join('\n')
    expect([...readArpTable(text)]).toEqual([
      ['192.168.205.11', '02:00:00:00:00:11'],
      ['192.168.205.12', undefined],
    ])
    expect([...readArpTable('')]).toEqual([])
  })
})

describe('the size of packets that pass', () => {
  it('is the MTU for Backend, which is that of the underlay', () => {
    const [found] = judgeSizes(HERE, [silent({ reach: 'mtu', passesOctets: 1350 })])
    expect(found).toMatchObject({ cause: 'path-mtu-smaller', peer: 'two' })
    expect(found?.cure[0]).toMatch(/^"MTU": 1400 in "Backend"/)
    expect(found?.evidence[0]).toBe('ping -M do -s 1322 10.15.65.0 passes, one octet more does not')
  })

  it('is at the peer, where others take full size', () => {
    const counts = { reachable: 1, lossy: 0, mtu: 1, unreachable: 0, unknown: 0 }
    const [found] = judgeSizes(HERE, [silent({ reach: 'mtu', passesOctets: 1350 })], counts)
    expect(found?.summary).toMatch(
      /; other peers take full size: the narrow place is most likely at two or its uplink$/,
    )
    expect(found?.cure[0]).toMatch(/^on two: flanneld doctor/)
  })

  it('is the MTU of the interface with udp, whose overhead is smaller', () => {
    const [found] = judgeSizes({ ...HERE, device: UDP_DEVICE }, [silent({ reach: 'mtu', passesOctets: 1350 })])
    expect(found?.cure[0]).toMatch(/^ip link set dev eth0 mtu 1378 on each host/)
    expect(JSON.stringify(found)).not.toContain('Backend')
  })

  it('is told once of all peers that it is the same to', () => {
    const peers = ['two', 'three'].map((name) => silent({ name, reach: 'mtu', passesOctets: 1350 }))
    const found = judgeSizes(HERE, [...peers, silent({ name: 'four', reach: 'mtu', passesOctets: 1200 })])
    expect(found.map(({ peer }) => peer)).toEqual([undefined, 'four'])
    expect(found[0]?.summary).toContain('two, three')
  })

  describe('where no peer takes more', () => {
    const peers = ['two', 'three'].map((name) => silent({ name, reach: 'mtu', passesOctets: 1350 }))
    const counts = { reachable: 0, lossy: 0, mtu: 2, unreachable: 1, unknown: 0 }
    const isHere = (all = peers, of = counts): boolean =>
      judgeSizes(HERE, all, of).some(({ summary }) =>
        summary.includes('at this host, its uplink, or what all hosts share'),
      )

    it('is that of the way that all have in common', () => {
      const [found] = judgeSizes(HERE, peers, counts)
      expect(found?.summary).toMatch(
        /^on the way to all 2 peers that answer .*at this host, its uplink, or what all hosts share$/,
      )
      expect(found?.evidence).toContain('flanneld peers: no peer takes more, of 2')
      expect(found?.cure[0]).toContain('what eth0 is plugged into')
    })

    it('is not, where one peer takes full size, there is one alone, or they differ', () => {
      expect(isHere()).toBe(true)
      expect(isHere(peers, { ...counts, reachable: 1 })).toBe(false)
      expect(isHere(peers, { ...counts, lossy: 1 })).toBe(false)
      expect(isHere(peers.slice(1), { ...counts, mtu: 1 })).toBe(false)
      expect(isHere([...peers, silent({ name: 'four', reach: 'mtu', passesOctets: 1200 })])).toBe(false)
    })
  })

  it('is nobody’s business where it is not known, or the peer is of another family', () => {
    expect(
      judgeSizes(HERE, [silent({ reach: 'mtu' }), silent({ family: 6, reach: 'mtu', passesOctets: 1300 })]),
    ).toEqual([])
  })
})

const fakeKube: KubeReads = {
  ...{ netConfigPath: '/etc/kube-flannel/net-conf.json', server: 'server:', from: 'here' },
  ask: () => Promise.reject(new TypeError('not asked')),
  askBriefly: () => Promise.reject(new TypeError('not asked')),
  nodes: () => Promise.resolve(new Map()),
}

describe('a lease that is rejected', () => {
  const row = (reason: string, code: string): RejectedStatus => ({
    ...{ key: '10.15.65.0-24', subnet: '10.15.65.0/24', publicIp: '192.168.205.11', name: 'two', reason, code },
  })

  it.each([
    ['its VNI is 7, ours 100', 'other_vni', 'vni-differs', 'two has VNI 7, this host 100'],
    [
      'PublicIP 192.168.205.11 is our own, on eth0: two needs another, by --iface there',
      'own_public_ip',
      'duplicate-public-ip',
      'two publishes 192.168.205.11, which this host has on eth0 besides its own 192.168.205.10',
    ],
    [
      'its VtepMAC 02:00:00:00:01:11 is our own: has another machine the same machine id? Give one of them --node-id',
      'own_mac',
      'duplicate-machine-id',
      'same machine id',
    ],
    [
      'VtepMAC 02:00:00:00:00:11 is held by 10.15.66.0-24 of three, which claimed it before',
      'claimed_by_other',
      'duplicate-vtep-mac',
      'two and three both publish VtepMAC 02:00:00:00:00:11: three, which claimed it before, is reached, and two is not',
    ],
  ])('because %s', (reason, code, cause, words) => {
    const found = judgeRejected(row(reason, code), ['192.168.205.10'])
    expect(found).toMatchObject({ cause, severity: 'broken', peer: 'two' })
    expect(found.summary).toContain(words)
  })

  it('because both publish one address is the other’s to mend, and because this host has another’s, this host’s', () => {
    const reason = 'PublicIP 192.168.205.11 is our own, on eth0: two needs another, by --iface there'
    const both = judgeRejected(row(reason, 'own_public_ip'), ['192.168.205.11'])
    expect(both.summary).toBe('two and this host both publish 192.168.205.11')
    expect(both.cure[0]).toMatch(/^on two: --iface=/)
    const [cure] = judgeRejected(row(reason, 'own_public_ip'), ['192.168.205.10']).cure
    expect(cure).toBe('ip address delete 192.168.205.11 dev eth0, if it belongs to two')
  })

  it('is given up as a Node, where Kubernetes has it', () => {
    const words = storeWords({ kube: fakeKube })
    const reasons = [
      ['PublicIP 192.168.205.11 is our own, on eth0: two needs another, by --iface there', 'own_public_ip'],
      ['subnet 1.2.3.0/24 is outside Network 10.15.0.0/16', 'other_network'],
    ] as const
    for (const [reason, code] of reasons) {
      const cures = judgeRejected(row(reason, code), ['192.168.205.10'], words).cure.join('\n')
      expect(cures).toContain('kubectl delete node two')
      expect(cures).not.toContain('flanneld release')
    }
    const { cure } = judgeRejected(row('its VNI is 7, ours 100', 'other_vni'), [], words)
    expect(cure.join('\n')).toContain('ConfigMap')
    expect(cure.join('\n')).not.toContain('etcd')
    const nameless = { ...row('no JSON', 'malformed'), name: null }
    expect(judgeRejected(nameless, [], words).cure).toContainEqual(expect.stringContaining('kubectl delete node NAME'))
  })

  it('of a Node that has what is ours is told with the ages of both, and one of etcd as any other', async () => {
    const rows = [row('subnet 10.15.64.0/23 overlaps our own 10.15.64.0/24', 'own_subnet')]
    const { view } = fakeView({ agent: sampleStatus([], { rejected: { total: 1, rows } }) })
    const { signal } = new AbortController()
    expect(await rejectedLeases.look(view, signal)).toHaveLength(1)
    expect(await rejectedLeases.look({ ...view, kube: fakeKube }, signal)).toEqual([])
  })

  it('of a Node that says our address, as an agent of this host under its name had it say, is left to its own agent first', () => {
    const reason = 'PublicIP 192.168.205.11 is our own, on eth0: two needs another, by --iface there'
    const words = storeWords({ kube: fakeKube })
    const { cure } = judgeRejected(row(reason, 'own_public_ip'), ['192.168.205.11'], words)
    expect(cure[0]).toContain('NODE_NAME two until now: nothing')
    expect(cure.at(-1)).toMatch(/NotReady\): kubectl delete node two$/)
  })

  it('for a key that is no subnet has no host that could be asked, and is given back with --force alone', () => {
    const junk = { ...row('the key is not a subnet', 'malformed'), key: "junk it's", name: null, publicIp: null }
    expect(judgeRejected(junk, []).cure).toEqual([
      `if no host has it any more: flanneld release --force 'junk it'\\''s'`,
      'docs/troubleshooting.md explains the reason in the words of the agent',
    ])
    const subnets = { ...row('no JSON', 'malformed'), key: '10.15.65.0-24&fd00:1::-64' }
    expect(judgeRejected(subnets, []).cure.join()).not.toContain('--force')
  })

  it('for anything else is told in the agent’s words, as what may do harm', () => {
    expect(judgeRejected(row('subnet 1.2.3.0/24 is outside Network 10.15.0.0/16', 'other_network'), [])).toMatchObject({
      ...{ cause: 'lease-rejected', severity: 'risk' },
      evidence: ['lease 10.15.65.0-24 is rejected: subnet 1.2.3.0/24 is outside Network 10.15.0.0/16'],
    })
  })
})

describe('the published address', () => {
  const status = (reachable: number, unreachable: number): StatusDocument =>
    ({
      peers: {
        total: reachable + unreachable,
        byReach: { reachable, lossy: 0, mtu: 0, unreachable, unknown: 0 },
      },
    }) as StatusDocument
  const address = (text: string, linkIndex: number) => ({
    ...({ linkIndex, ip: ip(text), prefixLength: 24, scope: 'global', flags: [] } as const),
  })
  const facts = {
    addresses: [address('192.168.205.10', 2), address('10.0.2.15', 3)],
    links: [link(), link({ index: 3, name: 'enp0s3' })],
  }
  const natted = { ...HERE, underlay: { ...HERE.underlay, publicIp: ip('203.0.113.5') } }
  const hidden = {
    ...HERE,
    underlay: { interface: 'enp0s3', index: 3, address: ip('10.0.2.15'), publicIp: ip('10.0.2.15') },
  }

  it('is fine where any peer answers, wherever it leads', () => {
    expect(judgePublished({ ...facts, here: natted, status: status(1, 2) })).toEqual([])
    expect(judgePublished({ ...facts, here: hidden, status: status(1, 0) })).toEqual([])
    expect(judgePublished({ ...facts, here: HERE, status: status(0, 3) })).toEqual([])
  })

  it('is a router’s, which lets nothing through', () => {
    const [found] = judgePublished({ ...facts, here: natted, status: status(0, 2) })
    expect(found).toMatchObject({ cause: 'public-ip-behind-nat', isInferred: true })
    expect(found?.cure[0]).toContain('forward UDP port 8472 to 192.168.205.10')
  })

  it('is no router’s, where it lies on the link', () => {
    const here = { ...HERE, underlay: { ...HERE.underlay, publicIp: ip('192.168.205.50') } }
    const [found] = judgePublished({ ...facts, here, status: status(0, 2) })
    expect(found).toMatchObject({ cause: 'public-ip-behind-nat' })
    expect(found?.cure).toEqual([
      'if peers reach this host by 192.168.205.10, leave --public-ip out',
      expect.stringContaining('ip address add 192.168.205.50/24 dev eth0'),
    ])
  })

  it('is judged by what peers answer now, and not by what they did when the agent looked', () => {
    const { byReach } = status(0, 2).peers
    expect(judgePublished({ ...facts, here: natted, status: status(2, 0), counts: byReach })).toHaveLength(1)
  })

  it('is what every machine of Vagrant has, where another interface is to be named', () => {
    const [found] = judgePublished({ ...facts, here: hidden, status: status(0, 2) })
    expect(found).toMatchObject({ cause: 'public-ip-hidden', severity: 'broken' })
    expect(found?.cure).toEqual(['start flanneld with --iface=eth0 (192.168.205.10)'])
    expect(judgePublished({ ...facts, here: hidden, status: status(0, 0) })[0]?.severity).toBe('risk')
  })
})

describe('what packets to a peer follow', () => {
  const route = (fields: Partial<RouteState> = {}): RouteState => ({
    ...{ destination: prefix('10.15.65.0/24'), gateway: ip('192.168.205.1'), metric: 0, protocol: 'static' },
    ...{ scope: 'global', onlink: false, type: 'unicast', table: 'main', linkIndex: 2 },
    ...fields,
  })
  const rule: RuleState = {
    ...{ family: 4, priority: 100, isInverted: false, table: '200', action: 'lookup 200', to: prefix('10.15.0.0/16') },
  }
  const question = { destination: ip('10.15.65.0') }
  const judged = (
    answer: Parameters<typeof judgeWays>[0]['wrong'][number]['answer'],
    rules: readonly RuleState[] = [],
  ) => judgeWays({ here: HERE, rules, nameOf: () => 'eth0', wrong: [{ peer: silent(), question, answer }] })

  it('is a route of others, which is removed', () => {
    expect(judged({ is: 'route', route: route() })).toEqual([
      expect.objectContaining({
        ...{ cause: 'foreign-route-wins', peer: 'two' },
        summary: 'packets to two follow 10.15.65.0/24 via 192.168.205.1 dev eth0 proto static, not flannel.100',
        cure: ['ip route del 10.15.65.0/24 via 192.168.205.1 dev eth0 proto static', expect.any(String)],
      }),
    ])
  })

  it('is another table, by a rule of others', () => {
    const [found] = judged({ is: 'route', route: route({ table: '200' }) }, [rule])
    expect(found).toMatchObject({ cause: 'foreign-rule-wins' })
    expect(found?.cure).toEqual(['ip rule del priority 100', expect.stringContaining('lookup main priority 99')])
    expect(found?.explains).toContain('routes to peers of IPv4')
  })

  it('is a refusal', () => {
    expect(judged({ is: 'none', code: 'EINVAL' })[0]?.summary).toContain('a blackhole')
    const refusing: RuleState = { ...rule, table: undefined, action: 'prohibit' }
    expect(judged({ is: 'none', code: 'EACCES' }, [refusing])[0]?.cause).toBe('foreign-rule-wins')
  })

  it('is the route of our own bridge with an address of the peer’s, which nobody is told to remove', () => {
    const own = { gateway: undefined, protocol: 'kernel', linkIndex: 4 } as const
    const ways = [route(own), route({ ...own, type: 'local', table: 'local', destination: prefix('10.15.65.1/32') })]
    const wrong = ways.map((one) => ({ peer: silent(), question, answer: { is: 'route', route: one } as const }))
    const found = judgeWays({ here: HERE, rules: [], nameOf: () => 'docker0', wrong })
    expect(new Set(found.map(({ summary }) => summary)).size).toBe(1)
    expect(found[0]).toMatchObject({ cause: 'bridge-on-other-subnet', peer: 'two', covers: 'peer' })
    expect(JSON.stringify(found)).not.toContain('route del')
    expect(judgeWays({ here: HERE, rules: [], nameOf: () => 'br-lan', wrong })[0]?.cause).toBe('foreign-route-wins')
  })

  it('is told once, however many peers it takes', () => {
    const answer = { is: 'route', route: route({ destination: prefix('10.15.0.0/16') }) } as const
    const wrong = ['two', 'three', 'four', 'five'].map((name) => ({ peer: silent({ name }), question, answer }))
    const found = judgeWays({ here: HERE, rules: [], nameOf: () => 'eth0', wrong })
    expect(found).toEqual([expect.objectContaining({ covers: 'all peers' })])
    expect(found[0]?.summary).toContain('two, three, four and 1 more')
  })
})
