import { describe, expect, test } from 'vitest'
import { forwards, SUBNET_FILE, waitFor, type Container, type LabHost, type PingStream } from '../lab/index.ts'
import { AGENT } from '../lab/program.ts'
import { UNDERLAY } from '../lab/underlay.ts'
import { FreshFlows } from './fresh-flows.ts'
import { leaveUpstreamBehind, upstreamSubnetFile, type UpstreamLegacy, type UpstreamNode } from './upstream-node.ts'
import { CONFIG, DEVICE, DUAL, useLab } from '../lab/use-lab.ts'
import { difference, everything } from './whole-host.ts'

/** An agent starts in a second; a machine that is busy with other tests takes longer. */
const STARTS_WITHIN_MS = 90_000
/** 33 pings per second from each end to each other. */
const PING_EVERY_MS = 30

const OURS: UpstreamNode = {
  v4: { base: '10.15.64.0', subnet: '10.15.64.0/20', publicIp: '192.168.205.10', mac: '82:53:2e:6a:a9:43' },
  v6: { base: 'fd00:10:0:15::', subnet: 'fd00:10:0:15::/64', publicIp: 'fd00:205::10', mac: 'd6:31:5f:0a:92:c1' },
}
const PEER: UpstreamNode = {
  v4: { base: '10.73.16.0', subnet: '10.73.16.0/20', publicIp: '192.168.205.11', mac: 'e6:0f:51:88:0b:7d' },
  v6: { base: 'fd00:10:0:73::', subnet: 'fd00:10:0:73::/64', publicIp: 'fd00:205::11', mac: '7a:e4:19:c3:5d:06' },
}
const ROUTE_TO_PEER = /^(?:10\.73\.16\.0|fd00:10:0:73:)/

interface Shape extends Required<Pick<UpstreamLegacy, 'way' | 'rules'>> {
  readonly title: string
  /** What the network asks for, beside what all shapes do. */
  readonly asks: object
  readonly isDual?: boolean
  /** Rules that should stand after the takeover. */
  readonly ends: 'iptables' | 'nftables'
  /** FORWARD drops what nobody accepts, as Docker has it. */
  readonly drops?: boolean
}

const NFT = { EnableNFTables: true }

const SHAPES: readonly Shape[] = [
  ...(['iptables', 'iptables-legacy'] as const).map((rules): Shape => ({
    title: `vxlan, with rules in ${rules}`,
    ...{ way: 'vxlan', rules, asks: {}, ends: 'iptables', drops: true },
  })),
  {
    title: 'vxlan, with rules in iptables where nftables is asked for',
    ...{ way: 'vxlan', rules: 'iptables', asks: NFT, ends: 'nftables', drops: true },
  },
  {
    title: 'vxlan of both families, with tables of nftables',
    ...{ way: 'vxlan', rules: 'nftables', asks: NFT, ends: 'nftables', isDual: true },
  },
  {
    title: 'DirectRouting of both families, with tables of nftables where iptables is asked for',
    asks: { Backend: { ...CONFIG.Backend, DirectRouting: true } },
    ...{ way: 'direct', rules: 'nftables', ends: 'iptables', isDual: true },
  },
  {
    title: 'host-gw of both families, with rules in iptables',
    asks: { Backend: { Type: 'host-gw' } },
    ...{ way: 'host-gw', rules: 'iptables', ends: 'iptables', isDual: true, drops: true },
  },
]

const inOneFamily = ({ v4 }: UpstreamNode): UpstreamNode => ({ v4 })

/** Where a host keeps the iptables that it calls by its plain names. */
const TOOLS = '/run/tools'
const PREFER_LEGACY = `mkdir ${TOOLS}
for tool in iptables ip6tables; do for verb in -save -restore; do
  ln -s "$(command -v $tool-legacy$verb)" ${TOOLS}/$tool$verb
done; done`

describe.each(SHAPES)('a host that upstream has left: $title', (shape) => {
  const { way, rules, isDual = false, ends } = shape
  const [own, peer] = isDual ? [OURS, PEER] : [inOneFamily(OURS), inOneFamily(PEER)]
  const legacies: readonly UpstreamLegacy[] = [
    { own, peers: [peer], way, rules },
    { own: peer, peers: [own], way, rules },
  ]
  /** The host with its container, before upstream came to it. */
  let bare: readonly string[] = []
  let taken: readonly string[] = []

  const agentCommand = ['env', `PATH=${TOOLS}:${process.env['PATH'] ?? ''}`, ...AGENT] as const
  const lab = useLab({ hosts: 2, agentCommand: [...agentCommand] }, async (made) => {
    await made.putConfig({ ...(isDual ? DUAL : CONFIG), ...shape.asks })
    for (const [at, legacy] of legacies.entries()) {
      const host = made.host(at)
      await host.place.exec('sh', ['-ec', `mkdir /run/flannel; cat >${SUBNET_FILE}`], {
        input: upstreamSubnetFile(legacy),
      })
      await host.addContainer()
      await host.place.exec('rm', ['-r', '/run/flannel'])
      if (rules === 'iptables-legacy') await host.place.exec('sh', ['-ec', PREFER_LEGACY])
      if (shape.drops === true)
        for (const family of ['', '6'])
          await host.place.exec(rules.replace('ip', `ip${family}`), ['-P', 'FORWARD', 'DROP'])
      if (at === 0) bare = await everything(host)
      await leaveUpstreamBehind(made, host, legacy)
    }
  })

  const host = (): LabHost => lab().host(0)
  const containerOn = (at: number): Container => {
    const [container] = lab().host(at).containers
    if (container === undefined) throw new Error('no container')
    return container
  }
  const addressesOf = ({ address, address6 }: Container): readonly string[] =>
    address6 === undefined ? [address] : [address, address6]

  /** Between containers of both hosts, each way and in each family, and from ours to the world, each ping a connection of its own. */
  async function traffic(): Promise<{ readonly pings: readonly PingStream[]; readonly flows: readonly FreshFlows[] }> {
    const [ours, theirs] = [containerOn(0), containerOn(1)]
    const pings = [
      ...addressesOf(theirs).map((to) => ours.pingStream(to, PING_EVERY_MS)),
      ...addressesOf(ours).map((to) => theirs.pingStream(to, PING_EVERY_MS)),
    ]
    const gateways = isDual ? [UNDERLAY.gateway, UNDERLAY.gateway6] : [UNDERLAY.gateway]
    const flows = gateways.map((to) => new FreshFlows(ours, to))
    for (const stream of [...pings, ...flows]) await stream.progress(10, STARTS_WITHIN_MS)
    return { pings, flows }
  }

  /** Of an agent that forwards: it has come to rest, holds the lease, and nothing of upstream's making is left beside its own. */
  async function atRest(): Promise<readonly string[]> {
    expect((await lab().leases()).filter(({ value }) => value.includes('"Node"'))).toHaveLength(1)
    const all = await everything(host())
    const routes = all.filter((line) => ROUTE_TO_PEER.test(line) && line.includes(' via '))
    expect(routes).toHaveLength(isDual ? 2 : 1)
    for (const route of routes) expect(route).toContain('proto 70')
    expect(all.some((line) => line.startsWith('-A FLANNEL-POSTRTG '))).toBe(ends === 'iptables')
    expect(all.some((line) => line.startsWith('table ip flannel-ipv4 '))).toBe(ends === 'nftables')
    expect(all.join()).not.toContain('of upstream')
    return all
  }
  async function comesToRest(): Promise<readonly string[]> {
    await forwards(host(), { deadlineMs: STARTS_WITHIN_MS })
    return waitFor('the agent to come to rest', atRest, { deadlineMs: STARTS_WITHIN_MS, everyMs: 200 })
  }

  test('is taken over without a ping lost, and the rules of the other kind go', async () => {
    const { pings, flows } = await traffic()
    host().agent.start(['--ip-masq'])
    taken = await comesToRest()
    for (const stream of [...pings, ...flows]) await stream.progress(20, STARTS_WITHIN_MS)
    for (const stream of [...pings, ...flows]) expect((await stream.stop()).lost).toEqual([])
    if (way !== 'host-gw') expect((await host().link(DEVICE))?.mac).toBe(own.v4.mac)
    expect((await host().ready()).subnet.base.text).toBe(own.v4.base)
  })

  test('is then as after a start on an empty host, and cleanup leaves that empty host', async () => {
    expect(taken).not.toEqual([])
    await host().agent.stop()
    const cleanup = [...agentCommand.slice(1), 'cleanup']
    expect(await host().place.attempt('env', cleanup)).toMatchObject({ code: 0, stderr: '' })
    expect(difference(await everything(host()), bare)).toEqual([])
    host().agent.start(['--ip-masq'])
    const same = async (): Promise<boolean> => {
      expect(difference(await atRest(), taken)).toEqual([])
      return true
    }
    await forwards(host(), { deadlineMs: STARTS_WITHIN_MS })
    await waitFor('the same as after the takeover', same, { deadlineMs: STARTS_WITHIN_MS, everyMs: 200 })
    expect(await containerOn(0).ping(containerOn(1).address)).toEqual({ sent: 3, received: 3 })
  })
})
