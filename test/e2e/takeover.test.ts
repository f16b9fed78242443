import { describe, expect, test } from 'vitest'
import { SUBNET_FILE, waitFor, type LabHost, type PingStream } from '../lab/index.ts'
import { parseObject } from '../lab/json.ts'
import { peersAre, type ReadLease } from '../lab/expected-tables.ts'
import {
  leaveUpstreamBehind,
  upstreamRoutes,
  upstreamSubnetFile,
  upstreamValue,
  type UpstreamLegacy,
} from './upstream-node.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

/** Nodes as upstream has made them, with the random MACs that it gives its devices. */
const NODES: readonly [ReadLease, ReadLease, ReadLease] = [
  { base: '10.15.64.0', subnet: '10.15.64.0/20', publicIp: '192.168.205.10', mac: '82:53:2e:6a:a9:43' },
  { base: '10.73.16.0', subnet: '10.73.16.0/20', publicIp: '192.168.205.11', mac: 'e6:0f:51:88:0b:7d' },
  { base: '10.40.0.0', subnet: '10.40.0.0/20', publicIp: '192.168.205.12', mac: '3e:9c:04:d1:72:fa' },
]
/** An agent starts in a second; a machine that is busy with other tests takes longer. */
const STARTS_WITHIN_MS = 40_000
const others = (own: ReadLease): readonly ReadLease[] => NODES.filter((node) => node !== own)
const legacyOf = (own: ReadLease): UpstreamLegacy => ({ own: { v4: own }, peers: others(own).map((v4) => ({ v4 })) })

describe('a host that upstream flanneld has left', () => {
  const lab = useLab({ hosts: 3 }, async (made) => {
    await made.putConfig(CONFIG)
    for (const [at, node] of NODES.entries()) await leaveUpstreamBehind(made, made.host(at), legacyOf(node))
    await Promise.all(made.hosts.map((host) => host.addContainer()))
  })

  const addressOn = (host: LabHost): string => host.containers[0]?.address ?? ''

  /** From and to the host's container, to and from every other. */
  const pingThrough = async (host: LabHost): Promise<readonly PingStream[]> => {
    const rest = lab().hosts.filter((other) => other !== host)
    const streams = [
      ...rest.flatMap(({ containers }) => containers.map((from) => from.pingStream(addressOn(host)))),
      ...rest.flatMap((other) => host.containers.map((from) => from.pingStream(addressOn(other)))),
    ]
    for (const stream of streams) await stream.progress(10, STARTS_WITHIN_MS)
    return streams
  }

  const nothingWasLost = async (streams: readonly PingStream[]): Promise<void> => {
    for (const stream of streams) {
      await stream.progress(20, STARTS_WITHIN_MS)
      expect((await stream.stop()).lost).toEqual([])
    }
  }

  /** The etcd lease that a key hangs on, in digits. */
  const etcdLeaseOf = async (name: string): Promise<string> => {
    const answer = await lab().etcdctl('get', `/coreos.com/network/subnets/${name}`, '-w', 'json')
    return /"lease":(\d+)/.exec(answer)?.[1] ?? 'none'
  }

  /** What the kernel reports of the routes there while `act` runs, oldest first. */
  const followRoutes = async ({ place }: LabHost, act: () => Promise<void>): Promise<readonly string[]> => {
    const monitor = place.start('/dev/null', 'sh', ['-c', 'exec stdbuf -oL ip -4 monitor route >/run/routes.log'])
    const read = (): Promise<string> => place.exec('cat', ['/run/routes.log'])
    const marked = async (mark: string): Promise<void> => {
      await waitFor('the monitor to report the mark', async () => {
        await place.ipBatch([`route replace ${mark} dev lo`, `route delete ${mark} dev lo`])
        return (await read()).includes(mark)
      })
    }
    await marked('203.0.113.1')
    await act()
    await marked('203.0.113.2')
    monitor.kill()
    return (await read()).split('\n').filter((line) => line.includes(DEVICE))
  }

  test('is taken over with subnet, MAC, device and lease, without a ping lost', async () => {
    const [host, node] = [lab().host(0), NODES[0]]
    const before = { link: await host.link(DEVICE), lease: await etcdLeaseOf('10.15.64.0-20') }
    const streams = await pingThrough(host)
    const routes = await followRoutes(host, async () => {
      host.agent.start()
      await peersAre(host, others(node), STARTS_WITHIN_MS)
      await waitFor('the lease to name its node', async () => (await lab().leases())[0]?.value.includes('"Node"'))
    })
    await nothingWasLost(streams)

    expect(await host.link(DEVICE)).toEqual(before.link)
    expect(await host.place.exec('cat', [SUBNET_FILE])).toBe(upstreamSubnetFile(legacyOf(node)))
    const leases = await lab().leases()
    expect(leases.map(({ name }) => name)).toEqual(['10.15.64.0-20', '10.40.0.0-20', '10.73.16.0-20'])
    expect(parseObject(leases[0]?.value ?? '')).toMatchObject(parseObject(upstreamValue({ v4: node })))
    expect(await etcdLeaseOf('10.15.64.0-20')).toBe(before.lease)
    expect(leases.map(({ version }) => version)).toEqual([2, 1, 1])
    for (const { subnet } of others(node)) {
      const about = routes.filter((line) => line.includes(subnet))
      expect(about).toEqual([
        expect.stringMatching(/^10.* proto 70 metric \d+ onlink/),
        expect.stringMatching(/^Deleted 10(?!.*(proto 70|metric))/),
      ])
    }
  })

  test('carries traffic between nodes of ours and one of upstream, both ways', async () => {
    const [ours, alsoOurs] = [lab().host(0), lab().host(1)]
    const streams = await pingThrough(alsoOurs)
    alsoOurs.agent.start()
    await peersAre(alsoOurs, others(NODES[1]), STARTS_WITHIN_MS)
    await peersAre(ours, others(NODES[0]))
    await nothingWasLost(streams)
    expect(lab().host(2).agent.isRunning).toBe(false)
    const theirs = await lab().host(2).peerTables(DEVICE)
    expect(theirs.routes.map(({ protocol, metric }) => ({ protocol, metric }))).toEqual([
      { protocol: 'boot', metric: 0 },
      { protocol: 'boot', metric: 0 },
    ])
  })

  test('is handed back the same way: upstream finds all that it left, without a ping lost', async () => {
    const [host, node] = [lab().host(0), NODES[0]]
    const streams = await pingThrough(host)
    expect(await host.agent.stop()).toEqual({ code: 0, signal: null })
    expect(await host.link(DEVICE)).toMatchObject({ mac: node.mac, mtu: 1450, up: true })
    expect(await host.place.exec('cat', [SUBNET_FILE])).toBe(upstreamSubnetFile(legacyOf(node)))
    const lease = (await lab().leases()).find(({ name }) => name === '10.15.64.0-20')
    expect(parseObject(lease?.value ?? '')).toMatchObject(parseObject(upstreamValue({ v4: node })))
    expect(await etcdLeaseOf('10.15.64.0-20')).toMatch(/^[1-9]/)
    // what upstream does with what it finds: its own routes go beside ours, and win, being without a metric
    await host.place.ipBatch(upstreamRoutes(legacyOf(node).peers))
    await host.place.exec('ip', ['route', 'flush', 'dev', DEVICE, 'proto', '70'])
    await nothingWasLost(streams)
    const { routes } = await host.peerTables(DEVICE)
    expect(routes.map(({ protocol }) => protocol)).toEqual(['boot', 'boot'])
  })
})
