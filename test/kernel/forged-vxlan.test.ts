import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runTool, type RunTool } from '../../src/firewall/command.ts'
import { NftPeerFilter } from '../../src/firewall/peer-filter/nft-peer-filter.ts'
import { ip } from '../../src/net/ip.ts'
import { Namespace } from '../lab/namespace.ts'

/*
 * A host with the peer filter, a peer on its underlay, a pod, and a node that reaches the underlay through the host. The peer counts what
 * comes to its VXLAN port from the host's side: the host's own device must get through, and nothing that is made up here.
 */

const OVERLAY = { vni: 100, port: 8472 }
const DEVICE = { 4: 'flannel.100', 6: 'flannel-v6.100' } as const
const HOST = { 4: '10.99.0.1', 6: 'fd00:99::1' } as const
const PEER = { 4: '10.99.0.2', 6: 'fd00:99::2' } as const
const HOST_IN_OVERLAY = { 4: '10.20.0.0', 6: 'fd00:20::' } as const
const PEER_IN_OVERLAY = { 4: '10.30.0.0', 6: 'fd00:30::' } as const
const POD = { 4: '10.20.0.2', 6: 'fd00:20::2' } as const
const GATEWAY = { 4: '10.20.0.1', 6: 'fd00:20::1' } as const
/** A peer, too, whose way to others leads through the host. */
const BEHIND = '10.98.0.2'
const MACS = { 4: ['82:00:00:00:04:01', '82:00:00:00:04:02'], 6: ['82:00:00:00:06:01', '82:00:00:00:06:02'] } as const
const FAMILIES = [4, 6] as const

const { signal } = new AbortController()
const UP = 'ip link set lo up; for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done'
const FORWARDS = 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'

let host: Namespace
let peer: Namespace
let pod: Namespace
let behind: Namespace
let filter: NftPeerFilter

/** nft opens its standard input by name, which has to be a pipe. */
const onHost: RunTool = (tool, args, input, stop) =>
  runTool('sh', ['-c', 'cat | "$0" "$@"', ...host.line(tool, args)], input, stop)

const join = (place: Namespace, name: string): readonly string[] => [
  `link add ${name} type veth peer name eth0 netns ${place.pid}`,
  `link set ${name} up`,
]

/** The overlay of both families, as the agent makes it, from one end to the other. */
const overlay = (own: 0 | 1): readonly string[] =>
  FAMILIES.flatMap((family) => {
    const ends = [HOST_IN_OVERLAY[family], PEER_IN_OVERLAY[family]] as const
    const [mine, theirs] = own === 0 ? ends : [ends[1], ends[0]]
    const device = DEVICE[family]
    const length = family === 4 ? '32' : '128'
    return [
      `link add ${device} address ${MACS[family][own]} type vxlan id ${OVERLAY.vni} dstport ${OVERLAY.port} local ${(own === 0 ? HOST : PEER)[family]} dev eth0 nolearning`,
      `address add ${mine}/${length} dev ${device}${family === 6 ? ' nodad' : ''}`,
      `link set ${device} up`,
      `neighbour replace ${theirs} lladdr ${MACS[family][1 - own] ?? ''} dev ${device} nud permanent`,
      `route add ${theirs}/${family === 4 ? '24' : '64'} via ${theirs} dev ${device} onlink`,
    ]
  })

beforeAll(async () => {
  const [first, ...others] = await Promise.all(
    [`${UP}; ${FORWARDS}`, UP, UP, UP].map((setup) => Namespace.create(setup)),
  )
  const [second, third, fourth] = others
  if (first === undefined || second === undefined || third === undefined || fourth === undefined) throw new Error('no')
  ;[host, peer, pod, behind] = [first, second, third, fourth]
  await host.ipBatch([
    ...[...join(peer, 'eth0'), ...join(pod, 'pod'), ...join(behind, 'behind')],
    ...[`address add ${HOST[4]}/24 dev eth0`, `address add ${HOST[6]}/64 dev eth0 nodad`],
    ...[`address add ${GATEWAY[4]}/24 dev pod`, `address add ${GATEWAY[6]}/64 dev pod nodad`],
    'address add 10.98.0.1/24 dev behind',
    `route add 10.96.0.1 via ${PEER[4]}`,
    ...overlay(0),
  ])
  await peer.ipBatch([
    ...['link set eth0 up', `address add ${PEER[4]}/24 dev eth0`, `address add ${PEER[6]}/64 dev eth0 nodad`],
    ...[`route add default via ${HOST[4]}`, `route add default via ${HOST[6]}`],
    ...overlay(1),
  ])
  await pod.ipBatch([
    ...['link set eth0 up', `address add ${POD[4]}/24 dev eth0`, `address add ${POD[6]}/64 dev eth0 nodad`],
    ...[
      `address add ${BEHIND}/32 dev lo`,
      `route add default via ${GATEWAY[4]}`,
      `route add default via ${GATEWAY[6]}`,
    ],
  ])
  await behind.ipBatch(['link set eth0 up', `address add ${BEHIND}/24 dev eth0`, 'route add default via 10.98.0.1'])
  for (const [place, at] of [
    [host, 1],
    [peer, 0],
  ] as const)
    // prettier-ignore
    for (const family of FAMILIES)
      await place.exec('bridge', [
        ...['fdb', 'append', MACS[family][at], 'dev', DEVICE[family]],
        ...['dst', (at === 1 ? PEER : HOST)[family], 'self', 'permanent'],
      ])
  await peer.exec('nft', ['-f', '-'], { input: WITNESS })
  filter = new NftPeerFilter(onHost, true)
})

afterAll(() => Promise.all([pod, behind, peer, host].map((place) => place.close())))

/** Counts, and keeps, what is forged: it would be answered by an ICMP error else, or be taken by the device. */
const WITNESS = `table inet witness {
  counter forged {}
  chain seen {
    type filter hook input priority -400;
    udp dport { 8472, 9999 } @th,192,32 0x666f7267 counter name forged drop
  }
}`

const masquerade = (): Promise<string> =>
  host.exec('nft', ['-f', '-'], {
    input: `table inet masq {
      chain out {
        type nat hook postrouting priority 100;
        ip saddr 10.20.0.0/24 oifname "eth0" masquerade
        ip6 saddr fd00:20::/64 oifname "eth0" masquerade
      }
    }`,
  })

beforeEach(async () => {
  for (const place of [host, peer]) await place.attempt('nft', ['delete', 'table', 'inet', 'masq'])
  await filter.install(OVERLAY, [ip(PEER[4]), ip(PEER[6]), ip(BEHIND)], signal)
})

/** VXLAN of our network with "forg" inside. `from`: bound to that address. */
async function forge(
  place: Namespace,
  to: string,
  options: { port?: number; vni?: number; from?: string } = {},
): Promise<void> {
  const { port = OVERLAY.port, vni = OVERLAY.vni, from } = options
  const script = `const s = require('dgram').createSocket('${to.includes(':') ? 'udp6' : 'udp4'}')
    const packet = Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 0, ${vni}, 0]), Buffer.alloc(8), Buffer.from('forg'), Buffer.alloc(8)])
    s.bind(0, ${from === undefined ? 'undefined' : `'${from}'`}, () => s.send(packet, ${port}, '${to}', () => s.close()))`
  await place.exec(process.execPath, ['-e', script])
}

async function arrived(): Promise<number> {
  const text = await peer.exec('nft', ['reset', 'counter', 'inet', 'witness', 'forged'])
  return Number(/packets (\d+)/.exec(text)?.[1])
}

/** What is sent after it, over the same way to another port, has arrived as well: then the first has been seen, or dropped. */
async function arrives(place: Namespace, to: string, options: Parameters<typeof forge>[2] = {}): Promise<boolean> {
  await arrived()
  await forge(place, to, options)
  await forge(place, to, { ...options, port: 9999 })
  return (await arrived()) === 2
}

const dropped = async (): Promise<number> => (await filter.read(OVERLAY, 'rules', signal))?.drops.forged ?? -1

describe.each(FAMILIES)('with the peer filter, over IPv%i', (family) => {
  test('the device carries what containers and processes of the host send', async () => {
    for (const place of [host, pod]) {
      const { code } = await place.attempt('ping', ['-n', '-c2', '-i0.1', '-W1', PEER_IN_OVERLAY[family]])
      expect(code).toBe(0)
    }
    const listen = `require('net').createServer(function (s) { s.end('x'); this.close() }).listen(5000)`
    const fetch = `const s = require('net').connect(5000, '${PEER_IN_OVERLAY[family]}'); s.on('data', d => console.log('got ' + d)); s.on('error', e => console.log(e.code))`
    const server = peer.attempt('timeout', ['5', process.execPath, '-e', listen])
    await expect
      .poll(() => host.exec(process.execPath, ['-e', fetch]), { timeout: 4_000, interval: 50 })
      .toBe('got x\n')
    await server
    expect(await dropped()).toBe(0)
  })

  test('what a process of the host forges does not leave it, and is counted', async () => {
    expect(await arrives(host, PEER[family])).toBe(false)
    expect(await dropped()).toBe(1)
    await filter.remove(signal)
    expect(await arrives(host, PEER[family])).toBe(true)
  })

  test.each(['with', 'without'])('what a container forges does not leave the host, %s masquerade', async (how) => {
    if (how === 'with') await masquerade()
    expect(await arrives(pod, PEER[family])).toBe(false)
    expect(await dropped()).toBe(1)
    await filter.remove(signal)
    expect(await arrives(pod, PEER[family])).toBe(true)
  })

  test('VXLAN of a container that leaves with another source is dropped, whatever network its first datagram names', async () => {
    await masquerade()
    expect(await arrives(pod, PEER[family], { vni: 99 })).toBe(false)
    expect(await dropped()).toBe(1)
    expect(await arrives(host, PEER[family], { vni: 99 })).toBe(true)
  })

  test('VXLAN of other networks, to other ports and to others than peers goes its way', async () => {
    for (const place of [host, pod]) {
      expect(await arrives(place, PEER[family], { vni: 99 })).toBe(true)
      expect(await arrives(place, PEER[family], { port: 4789 })).toBe(false) // the witness counts 8472 and 9999 alone
      expect(await arrives(place, PEER_IN_OVERLAY[family])).toBe(true)
    }
    expect(await dropped()).toBe(0)
  })
})

test("what a container forges with a peer's address is dropped, and that peer's own packets are forwarded", async () => {
  for (const vni of [OVERLAY.vni, 99]) expect(await arrives(pod, PEER[4], { from: BEHIND, vni })).toBe(false)
  expect(await arrives(behind, PEER[4])).toBe(true)
})

test('what is led to a peer by a rule on its way is dropped, from a process and from a container', async () => {
  const redirection = (hook: string): string => `
    chain ${hook} {
      type nat hook ${hook} priority -100;
      ip daddr 10.96.0.1 dnat ip to ${PEER[4]}
    }`
  const input = `table inet masq { ${redirection('output')}${redirection('prerouting')}\n}`
  await host.exec('nft', ['-f', '-'], { input })
  for (const place of [host, pod]) {
    expect(await arrives(place, '10.96.0.1')).toBe(false)
    expect(await arrives(place, '10.96.0.1', { vni: 99 })).toBe(true)
  }
})

test('makes no host track connections that does not do so anyway', async () => {
  const plain = new NftPeerFilter(onHost)
  await plain.install(OVERLAY, [ip(PEER[4])], signal)
  expect(await host.exec('nft', ['list', 'table', 'inet', 'flannel-peers'])).not.toMatch(/\bct /)
  expect(await arrives(host, PEER[4])).toBe(false)
  expect(await plain.read(OVERLAY, 'rules', signal)).toMatchObject({ isWhole: true })
})

test('another VXLAN device on the same port carries what its own network sends', async () => {
  for (const [place, at, to] of [
    [host, 1, PEER[4]],
    [peer, 2, HOST[4]],
  ] as const)
    // prettier-ignore
    await place.ipBatch([
      `link add other type vxlan id 200 dstport ${OVERLAY.port} remote ${to} dev eth0`,
      `address add 10.77.0.${at}/24 dev other`,
      'link set other up',
    ])
  expect((await host.attempt('ping', ['-n', '-c1', '-W1', '10.77.0.2'])).code).toBe(0)
})

test('rules and queues of others see a packet of ours with the priority that it would have had', async () => {
  const input = `table inet masq {
    counter marked {}
    counter every {}
    chain out {
      type filter hook output priority -309;
      udp dport 8472 counter name every
      udp dport 8472 meta priority & ffff:0 != 0 counter name marked
    }
  }`
  await host.exec('nft', ['-f', '-'], { input })
  await host.exec('ping', ['-n', '-c1', '-W1', PEER_IN_OVERLAY[4]])
  const counted = await host.exec('nft', ['list', 'counters', 'table', 'inet', 'masq'])
  const [marked, every] = Array.from(counted.matchAll(/packets (\d+)/g), ([, packets]) => Number(packets))
  expect(marked).toBe(0)
  expect(every).toBeGreaterThan(0) // the other device speaks when it likes: IPv6 asks for routers
})

test('where the kernel does not know what this needs, strangers are kept out all the same, and it is said why', async () => {
  const old = new NftPeerFilter((tool, args, input, stop) =>
    onHost(tool, args, input.replaceAll('"oif"', '"nothing"'), stop),
  )
  await old.install(OVERLAY, [ip(PEER[4])], signal)
  const state = await old.read(OVERLAY, 'all', signal)
  expect(state).toMatchObject({ isWhole: true, peers: [ip(PEER[4])] })
  expect(state?.oneWay).toContain('Invalid fib result')
  expect(await host.exec('nft', ['list', 'table', 'inet', 'flannel-peers'])).not.toContain('forged')
  await filter.install(OVERLAY, [ip(PEER[4])], signal)
  expect((await filter.read(OVERLAY, 'rules', signal))?.oneWay).toBeUndefined()
})
