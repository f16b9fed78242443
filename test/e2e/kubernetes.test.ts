import { expect, test } from 'vitest'
import { prefix } from '../../src/net/prefix.ts'
import { fails, holds, isReady } from '../lab/health.ts'
import { SUBNET_FILE, waitFor, type LabHost, type PingStream } from '../lab/index.ts'
import { numberAt, objectAt, objectsAt, parseObject, type JsonObject } from '../lab/json.ts'
import { agentCall } from '../lab/program.ts'
import {
  annotation,
  annotationsOf,
  DEVICE,
  DEVICE6,
  NET_CONF,
  podCidrs,
  PREFIX,
  startOn,
  useKubeLab,
} from './kube-lab.ts'

const UPSTREAM_MAC = '82:53:2e:6a:a9:43'
const UPSTREAM_MAC6 = '82:53:2e:6a:a9:46'
/** An agent starts in a second; a machine that is busy with other tests takes longer. */
const STARTS_WITHIN_MS = 40_000

/** Hosts 0 and 1 run our agent; host 2 is as upstream's has left it. */
const kube = useKubeLab(3, async (made) => {
  await made.writeNetConf(NET_CONF)
  const [first, second, third] = made.lab.hosts
  if (first === undefined || second === undefined || third === undefined) throw new Error('too few hosts')
  const ours = [first, second]
  for (const host of ours) startOn(made, host)
  for (const host of ours) await isReady(host, { deadlineMs: STARTS_WITHIN_MS })
  await makeUpstream(third, ours)
  const { address: publicIp, address6 } = third
  made.api.nodes.patch(third.name, {
    metadata: { annotations: annotationsOf(publicIp, UPSTREAM_MAC, { publicIp: address6, mac: UPSTREAM_MAC6 }) },
  })
  await Promise.all(made.lab.hosts.map((host) => host.addContainer()))
  await Promise.all(ours.map((host) => knowsAll(host, made.lab.hosts)))
})

/** Until it has a route to each of the others: whoever is ready knows those that were there before. */
async function knowsAll(host: LabHost, hosts: readonly LabHost[]): Promise<void> {
  const others = hosts.flatMap((other, index) =>
    other === host ? [] : podCidrs(index).map((text) => prefix(text).text),
  )
  await waitFor(
    `${host.name} to know all others`,
    async () => {
      const routes = await Promise.all([host.peerTables(DEVICE, 4), host.peerTables(DEVICE6, 6)])
      const known = routes.flatMap((tables) => tables.routes.map(({ destination }) => destination))
      return others.every((subnet) => known.includes(subnet))
    },
    { deadlineMs: STARTS_WITHIN_MS },
  )
}

const node = (host: LabHost) => kube().api.nodes.get(host.name)
const macOf = (host: LabHost, name = 'backend-data'): string =>
  /"VtepMAC":"([^"]+)"/.exec(annotation(node(host), name) ?? '')?.[1] ?? ''

/** What upstream's flanneld leaves on a host: a device of each family, entries for peers, the subnet file. */
async function makeUpstream({ place, address, address6 }: LabHost, peers: readonly LabHost[]): Promise<void> {
  const families = [
    { device: DEVICE, base: '10.244.2.0', length: 32, mac: UPSTREAM_MAC, local: address },
    { device: DEVICE6, base: 'fd00:244:0:2::', length: 128, mac: UPSTREAM_MAC6, local: address6 },
  ] as const
  for (const { device, base, length, mac, local } of families) {
    await place.ipBatch([
      `link add ${device} address ${mac} mtu 1450 type vxlan id 1 local ${local} dev eth0 dstport 8472 nolearning`,
      `address add ${base}/${length} dev ${device}${length === 128 ? ' nodad' : ''}`,
      `link set ${device} up`,
    ])
    for (const [index, peer] of peers.entries()) {
      const [subnet, subnet6] = podCidrs(index)
      const [to, remote, data] =
        device === DEVICE
          ? ([subnet, peer.address, 'backend-data'] as const)
          : ([subnet6, peer.address6, 'backend-v6-data'] as const)
      const gateway = to.replace(/\/.*/, '')
      await place.ipBatch([
        `neighbour replace ${gateway} lladdr ${macOf(peer, data)} dev ${device} nud permanent`,
        `route replace ${to} via ${gateway} dev ${device} onlink`,
      ])
      await place.exec('bridge', [
        'fdb',
        'append',
        macOf(peer, data),
        'dev',
        device,
        'dst',
        remote,
        'self',
        'permanent',
      ])
    }
  }
  await place.exec('mkdir', ['-p', '/run/flannel'])
  await place.exec('tee', [SUBNET_FILE], {
    input:
      'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.2.1/24\nFLANNEL_IPV6_NETWORK=fd00:244::/48\n' +
      'FLANNEL_IPV6_SUBNET=fd00:244:0:2::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
  })
}

/** From every pod to every other, in both families. */
async function pingAll(): Promise<readonly PingStream[]> {
  const pods = kube().lab.hosts.flatMap(({ containers }) => containers)
  const streams = pods.flatMap((from) =>
    pods
      .filter((to) => to !== from)
      .flatMap((to) => [from.pingStream(to.address), from.pingStream(to.address6 ?? '', 50)]),
  )
  for (const stream of streams) await stream.progress(5, STARTS_WITHIN_MS)
  return streams
}

async function nothingWasLost(streams: readonly PingStream[]): Promise<void> {
  for (const stream of streams) await stream.progress(5, STARTS_WITHIN_MS)
  for (const stream of streams) expect((await stream.stop()).lost).toEqual([])
}

const destinations = async (host: LabHost, family: 4 | 6 = 4): Promise<readonly string[]> =>
  (await host.peerTables(family === 4 ? DEVICE : DEVICE6, family)).routes.map(({ destination }) => destination)

/** A command on that host, told who it is as its pod is. */
const flanneld = async (host: LabHost, ...args: readonly string[]) => {
  const [command, own] = agentCall(...args)
  return host.place.attempt('env', [`NODE_NAME=${host.name}`, command, ...own])
}

/** Whether every entry of that subnet is there, or gone, on this host. */
async function tablesName(host: LabHost, base: string, mac: string): Promise<readonly boolean[]> {
  const { neighbours, fdb, routes } = await host.peerTables(DEVICE)
  return [
    neighbours.some(({ address }) => address === base),
    fdb.some((entry) => entry.mac === mac),
    routes.some(({ gateway }) => gateway === base),
  ]
}

test('Nodes of ours and of upstream say the same of themselves, and their pods reach each other in both families', async () => {
  const [host] = kube().lab.hosts
  if (host === undefined) throw new Error('no host')
  const { annotations } = node(host)?.metadata ?? {}
  expect(annotations).toEqual(
    annotationsOf(host.address, macOf(host), { publicIp: host.address6, mac: macOf(host, 'backend-v6-data') }),
  )
  await waitFor('the condition of the Node', () =>
    Promise.resolve(
      node(host)?.status.conditions?.some(
        ({ type, status, reason }) => type === 'NetworkUnavailable' && status === 'False' && reason === 'FlannelIsUp',
      ),
    ),
  )
  const [v4, v6] = podCidrs(0)
  const file = await host.ready()
  expect([file.subnet.base.text, file.mtu]).toEqual([v4.replace('/24', ''), 1430])
  expect(v6).toContain(file.ipv6?.subnet.base.text.replace(/::$/, ''))
  await nothingWasLost(await pingAll())
})

test('a Node of upstream is taken over with its MAC, and handed back, without a ping lost', async () => {
  const host = kube().lab.host(2)
  const before = { link: await host.link(DEVICE), annotations: node(host)?.metadata.annotations }
  const streams = await pingAll()
  startOn(kube(), host)
  await isReady(host, { deadlineMs: STARTS_WITHIN_MS })
  await waitFor('routes of ours alone', async () =>
    (await host.peerTables(DEVICE)).routes.every(({ protocol }) => protocol === '70'),
  )
  expect(await host.link(DEVICE)).toEqual(before.link)
  expect(await host.agent.stop()).toEqual({ code: 0, signal: null })
  // what upstream does with what it finds: its own routes go beside ours, and win, being without a metric
  for (const [index] of [0, 1].entries()) {
    const [subnet] = podCidrs(index)
    await host.place.ipBatch([`route replace ${subnet} via ${subnet.replace('/24', '')} dev ${DEVICE} onlink`])
  }
  await host.place.exec('ip', ['route', 'flush', 'dev', DEVICE, 'proto', '70'])
  await nothingWasLost(streams)
  expect(await host.link(DEVICE)).toEqual(before.link)
  expect(node(host)?.metadata.annotations).toEqual(before.annotations)
  startOn(kube(), host)
  await isReady(host, { deadlineMs: STARTS_WITHIN_MS })
})

test('the MAC outlives kill -9 and the device', async () => {
  const [host, peer] = [kube().lab.host(0), kube().lab.host(1)]
  const mac = macOf(host)
  const { resourceVersion } = node(host)?.metadata ?? {}
  await host.agent.kill()
  await host.place.ipBatch([`link delete ${DEVICE}`])
  startOn(kube(), host)
  await isReady(host, { deadlineMs: STARTS_WITHIN_MS })
  expect(await host.link(DEVICE)).toMatchObject({ mac, up: true })
  await host.place.ipBatch([`link delete ${DEVICE}`])
  await waitFor('the device to be there again', async () => (await host.link(DEVICE))?.up)
  await waitFor('its entries', async () => (await destinations(host)).length === 2)
  expect((await host.link(DEVICE))?.mac).toBe(mac)
  expect(macOf(host)).toBe(mac)
  expect(node(host)?.metadata.resourceVersion).toBe(resourceVersion)
  expect((await peer.peerTables(DEVICE)).neighbours.map((entry) => entry.mac)).toContain(mac)
})

test('a Node that comes and goes is in the tables and gone from them; heartbeats write nothing', async () => {
  const host = kube().lab.host(1)
  const { nodes } = kube().api
  const mac = '0a:00:00:00:00:09'
  nodes.put('guest', { podCIDRs: ['10.244.9.0/24'], annotations: annotationsOf('192.168.205.99', mac) })
  nodes.put('bare', { podCIDRs: ['10.244.10.0/24'] })
  nodes.put('late', {})
  await waitFor('the guest in the tables', async () => (await tablesName(host, '10.244.9.0', mac)).every(Boolean))
  const writes = async (): Promise<number> => {
    const { stdout } = await flanneld(host, 'status', '--json')
    return numberAt(objectAt(parseObject(stdout), 'kernel'), 'writes') ?? NaN
  }
  const before = await writes()
  for (let beat = 0; beat < 50; beat++)
    for (const { metadata } of nodes.all())
      nodes.patch(metadata.name, {
        status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: `2026-11-30T08:00:${beat}Z` }] },
      })
  nodes.put('last', { podCIDRs: ['10.244.11.0/24'], annotations: annotationsOf('192.168.205.98', '0a:00:00:00:00:0b') })
  await waitFor('what came behind them', async () => (await destinations(host)).includes('10.244.11.0/24'))
  expect((await writes()) - before).toBe(3)
  for (const name of ['guest', 'bare', 'late', 'last']) nodes.delete(name)
  await waitFor('nothing of the guest', async () => (await tablesName(host, '10.244.9.0', mac)).every((is) => !is))
  expect(await destinations(host)).toEqual(['10.244.0.0/24', '10.244.2.0/24'])
})

test('without the API server nothing is lost, and what changed meanwhile is there after', async () => {
  const { api, lab } = kube()
  const streams = await pingAll()
  await api.stop()
  for (const host of lab.hosts) await fails(host, 'Kubernetes API', /./, { deadlineMs: STARTS_WITHIN_MS })
  api.nodes.put('new', {
    podCIDRs: ['10.244.9.0/24'],
    annotations: annotationsOf('192.168.205.99', '0a:00:00:00:00:09'),
  })
  for (const host of lab.hosts) expect(await destinations(host)).toHaveLength(2)
  await api.start()
  for (const host of lab.hosts)
    await waitFor(`${host.name} to know the new one`, async () => (await destinations(host)).length === 3)
  api.nodes.delete('new')
  for (const host of lab.hosts) {
    await holds(host, 'Kubernetes API')
    await waitFor(`${host.name} to know no more of it`, async () => (await destinations(host)).length === 2)
  }
  await nothingWasLost(streams)
})

test('peers are kept, and marked, when the API server has lost all Nodes; those that come back are peers as before', async () => {
  const { api, lab } = kube()
  const [host, peer] = [lab.host(0), lab.host(1)]
  const streams = await pingAll()
  const backup = api.nodes.backup()
  api.nodes.restore({ revision: 1, nodes: [] })
  api.cut()
  const peersOf = async (): Promise<readonly JsonObject[]> =>
    objectsAt(parseObject((await flanneld(host, 'peers', '--json')).stdout), 'peers')
  await waitFor('both to be kept', async () =>
    (await peersOf()).every(({ keptUntil }) => typeof keptUntil === 'string'),
  )
  expect(await peersOf()).toHaveLength(4)
  expect((await flanneld(host, 'peers')).stdout).toMatch(new RegExp(`^${peer.name} .*kept \\d+ min: lease lost`, 'm'))
  expect((await flanneld(host, 'status')).stdout).toMatch(/^Peers .*; 2 of them kept for a while/m)
  for (const [index, { metadata }] of backup.nodes.entries())
    api.nodes.put(metadata.name, {
      podCIDRs: podCidrs(index),
      ...(index === 2 && { annotations: metadata.annotations }),
    })
  await waitFor('none to be kept', async () => (await peersOf()).every(({ keptUntil }) => keptUntil === null))
  for (const one of lab.hosts.slice(0, 2)) await holds(one, 'lease')
  await nothingWasLost(streams)
})

test('an address that is published in the place of ours is shown as soon as it is followed', async () => {
  const host = kube().lab.host(0)
  const overwrite = (text: string | null): void =>
    void kube().api.nodes.patch(host.name, { metadata: { annotations: { [`${PREFIX}/public-ip-overwrite`]: text } } })
  const shown = async (): Promise<unknown> => {
    const [family] = objectsAt(parseObject((await flanneld(host, 'status', '--json')).stdout), 'families')
    return family && objectAt(family, 'underlay')['publicIp']
  }
  overwrite('192.168.205.77')
  await waitFor('it', async () => (await shown()) === '192.168.205.77')
  expect((await flanneld(host, 'status')).stdout).toContain(', published as 192.168.205.77')
  expect(annotation(node(host), 'public-ip')).toBe('192.168.205.77')
  overwrite(null)
  await waitFor('our own', async () => (await shown()) === host.address)
})

test('an address of the host that the operator names on its Node is used and published from the next start on', async () => {
  const host = kube().lab.host(0)
  const [other, length] = ['192.168.205.60', 24]
  const say = (text: string | null): void =>
    void kube().api.nodes.patch(host.name, { metadata: { annotations: { [`${PREFIX}/node-public-ip`]: text } } })
  const startAgain = async (): Promise<void> => {
    await host.agent.stop()
    startOn(kube(), host)
    await isReady(host, { deadlineMs: STARTS_WITHIN_MS })
  }
  await host.place.exec('ip', ['address', 'add', `${other}/${length}`, 'dev', 'eth0'])
  say(other)
  await startAgain()
  expect(annotation(node(host), 'public-ip')).toBe(other)
  expect(await host.place.exec('ip', ['-d', 'link', 'show', DEVICE])).toContain(`local ${other}`)
  say(host.address)
  await startAgain()
  expect(annotation(node(host), 'public-ip')).toBe(host.address)
  say(null)
  await host.place.exec('ip', ['address', 'delete', `${other}/${length}`, 'dev', 'eth0'])
})

test('of a Node that was given the podCIDR of a peer, trace says who the peer is, and promises nothing', async () => {
  const { api, lab } = kube()
  const [host, peer] = [lab.host(1), lab.host(0)]
  api.nodes.put('double', {
    podCIDRs: podCidrs(0),
    annotations: annotationsOf('192.168.205.98', '0a:00:00:00:00:0d', {
      publicIp: 'fd00:205::98',
      mac: '0a:00:00:00:00:0e',
    }),
    createdMs: Date.now() + 60_000,
  })
  await waitFor('it to be named', async () =>
    (await flanneld(host, 'status')).stdout.includes(`Nodes ${peer.name}, double have the same podCIDR`),
  )
  const { code, stdout } = await flanneld(host, 'trace', 'double')
  expect(code).toBe(1)
  expect(stdout).toMatch(new RegExp(`not used: for the agent, 10\\.244\\.0\\.0/24 is ${peer.name} at ${peer.address}`))
  expect(stdout).not.toContain('by itself')
  api.nodes.delete('double')
})

test('the configuration is followed as the ConfigMap is exchanged', async () => {
  const follows = async (host: LabHost, device: number, file: number): Promise<void> => {
    await waitFor(`the MTU of the device of ${host.name}`, async () => (await host.link(DEVICE))?.mtu === device)
    await waitFor(`that in the subnet file of ${host.name}`, async () => (await host.subnetFile())?.mtu === file)
  }
  await kube().writeNetConf({ ...NET_CONF, Backend: { Type: 'vxlan', MTU: 1400 } })
  for (const host of kube().lab.hosts) await follows(host, 1350, 1330)
  await kube().writeNetConf(NET_CONF)
  for (const host of kube().lab.hosts) await follows(host, 1450, 1430)
})

test('commands know of whom the agent asks, and ask there themselves where none runs', async () => {
  const [host, peer] = [kube().lab.host(1), kube().lab.host(0)]
  const asked = kube().flags.slice(0, 2)
  expect((await flanneld(host, 'status')).stdout).toMatch(/^Kubernetes API +answers.*http:\/\/192\.168\.205\.2:6443/m)
  const traced = await flanneld(host, 'trace', peer.name)
  expect([traced.code, traced.stdout]).toEqual([0, expect.stringContaining('10.244.0.0/24')])
  for (const [args, instead] of [
    [['config', 'get'], 'net-conf.json'],
    [['reserve', '10.244.7.0/24', '--public-ip=192.168.205.77'], 'podCIDRs'],
    [['release', '10.244.0.0/24'], 'kubectl delete node'],
  ] as const) {
    const refused = await flanneld(host, ...args)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(instead)])
  }
  await waitFor('nothing to plan', async () => (await flanneld(host, 'plan')).code === 0, { everyMs: 500 })
  await host.agent.kill()
  kube().api.nodes.put('bare', { podCIDRs: ['10.244.10.0/24'] })
  const away = parseObject((await flanneld(host, 'status', '--json', ...asked)).stdout)
  expect(away).toMatchObject({ state: 'away', store: { name: 'Kubernetes API', problem: null, leases: 3 } })
  const { stdout } = await flanneld(host, 'leases', ...asked)
  expect(stdout).toMatch(/10\.244\.1\.0\/24 .*host1 \(this host\)/)
  expect(stdout).toContain('bare: no agent has published it yet (podCIDR 10.244.10.0/24)')
  kube().api.faults = { refuse: { status: 403, onlyVerb: 'list' } }
  const found = parseObject((await flanneld(host, 'doctor', '--json', ...asked)).stdout)
  expect(found).toMatchObject({
    findings: expect.arrayContaining([expect.objectContaining({ cause: 'apiserver-role' })]) as unknown,
  })
  kube().api.faults = {}
  kube().api.nodes.delete('bare')
  startOn(kube(), host)
  await isReady(host, { deadlineMs: STARTS_WITHIN_MS })
})
