import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type LabHost, Place, waitFor } from '../lab/index.ts'

/** Stands in for the agent: says what it was given, and ends on SIGTERM with a code of its own. */
const STAND_IN = 'echo "flags: $*"; trap "exit 3" TERM; while :; do sleep 0.02; done'

/** Joins two hosts by a VXLAN device made by hand, with the entries an agent would make. */
async function joinByHand(host: LabHost, peer: LabHost): Promise<void> {
  const [own, other] = [host, peer].map(({ address }) => Number(address.split('.').pop()))
  await host.place.ipBatch([
    `link add flannel.100 address 82:00:00:00:00:${own} type vxlan id 100 local ${host.address} dev eth0 dstport 8472 nolearning`,
    'link set flannel.100 mtu 1450 up',
    `address add 10.${own}.0.0/32 dev flannel.100`,
    `neighbour replace 10.${other}.0.0 lladdr 82:00:00:00:00:${other} dev flannel.100 nud permanent`,
    `route add 10.${other}.0.0/20 via 10.${other}.0.0 dev flannel.100 onlink`,
  ])
  const entry = ['fdb', 'append', `82:00:00:00:00:${other}`, 'dev', 'flannel.100', 'dst', peer.address]
  await host.place.exec('bridge', entry)
  const lines = `FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.${own}.0.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`
  await host.place.exec('sh', ['-c', 'mkdir -p /run/flannel && cat > /run/flannel/subnet.env'], { input: lines })
}

describe('the laboratory', () => {
  let lab: Lab
  let first: LabHost
  let second: LabHost

  beforeAll(async () => {
    lab = await Lab.create({ hosts: 2, agentCommand: ['sh', '-c', STAND_IN, 'sh'] })
    first = lab.host(0)
    second = lab.host(1)
    await joinByHand(first, second)
    await joinByHand(second, first)
    await Promise.all([first.addContainer(), second.addContainer()])
  })

  afterAll(() => lab.close())

  test('gives every machine a name, a machine id and a /run of its own', async () => {
    const read = (host: LabHost): Promise<string> => host.place.exec('sh', ['-c', 'hostname; cat /etc/machine-id'])
    const [one, two] = await Promise.all([read(first), read(second)])
    expect(one).toMatch(/^host0\n[0-9a-f]{32}\n$/)
    expect(two).toMatch(/^host1\n[0-9a-f]{32}\n$/)
    expect(one.slice(6)).not.toBe(two.slice(6))
    await first.place.exec('touch', ['/run/mark'])
    expect((await second.place.attempt('test', ['-e', '/run/mark'])).code).toBe(1)
    expect((await new Place().attempt('test', ['-e', '/run/mark'])).code).toBe(1)
  })

  test('carries pings of containers as VXLAN packets that the switch sees', async () => {
    const capture = await lab.capture()
    const [from, to] = [first.containers[0], second.containers[0]]
    expect(await from?.ping(to?.address ?? '', { count: 3 })).toEqual({ sent: 3, received: 3 })
    const packets = await capture.stop()
    const requests = packets.filter(({ icmpType }) => icmpType === 8)
    expect(requests).toHaveLength(3)
    expect(requests[0]).toMatchObject({
      outerSource: first.address,
      outerDestination: second.address,
      port: 8472,
      vni: 100,
      innerSource: '10.10.0.2',
      innerDestination: '10.11.0.2',
    })
  })

  test('reads links and peer tables', async () => {
    expect(await first.link('flannel.100')).toMatchObject({
      mtu: 1450,
      up: true,
      vxlan: { vni: 100, port: 8472, local: first.address, underlay: 'eth0' },
    })
    expect(await first.link('flannel.7')).toBeUndefined()
    expect(await first.peerTables('flannel.100')).toEqual({
      neighbours: [{ address: '10.11.0.0', mac: '82:00:00:00:00:11', permanent: true }],
      fdb: [{ mac: '82:00:00:00:00:11', remote: second.address, permanent: true }],
      routes: [{ destination: '10.11.0.0/20', gateway: '10.11.0.0', metric: 0, protocol: 'boot', onlink: true }],
    })
  })

  test('cuts and mends a link', async () => {
    const stream = first.containers[0]?.pingStream(second.containers[0]?.address ?? '')
    await stream?.progress()
    await first.faults.cut()
    expect(await first.place.exec('ip', ['link', 'show', 'eth0'])).toContain('NO-CARRIER')
    await expect(stream?.progress(1, 200)).rejects.toThrow('more ping answers')
    await first.faults.restore()
    await stream?.progress()
    await stream?.stop()
  })

  test('drops packets on demand, and counts what was lost', async () => {
    const stream = first.containers[0]?.pingStream(second.containers[0]?.address ?? '')
    await stream?.progress()
    await first.faults.drop(100)
    await expect(stream?.progress(1, 200)).rejects.toThrow('more ping answers')
    await first.faults.drop(0)
    await stream?.progress()
    const { sent, received, lost } = (await stream?.stop()) ?? { sent: 0, received: 0, lost: [] }
    expect(lost.length).toBeGreaterThan(10)
    expect(received + lost.length).toBe(sent)
  })

  test('slows a link on demand', async () => {
    const from = first.place
    await first.faults.limitRate(1)
    expect(await from.exec('tc', ['qdisc', 'show', 'dev', 'eth0'])).toContain('rate 1Mbit')
    await first.faults.limitRate(undefined)
    expect(await from.exec('tc', ['qdisc', 'show', 'dev', 'eth0'])).not.toContain('tbf')
  })

  test('starts, stops, kills and freezes an agent, and keeps its log', async () => {
    const { agent } = first
    const stateOfProcess = async (): Promise<string> => new Place().exec('ps', ['-o', 'state=', '-p', `${agent.pid}`])
    agent.start(['--extra'])
    await waitFor('the first line', async () => (await agent.log()).includes('\n'))
    expect(await agent.logOfRun()).toBe(
      'flags: --etcd-endpoints=http://192.168.205.2:2379 --etcd-prefix=/coreos.com/network --iface=eth0 --v=0 ' +
        '--healthz-ip=127.0.0.1 --healthz-port=8081 --extra\n',
    )
    agent.freeze()
    await waitFor('the process to stand still', async () => (await stateOfProcess()).startsWith('T'))
    agent.thaw()
    expect(await agent.stop()).toEqual({ code: 3, signal: null })
    agent.startWith(['again'])
    await waitFor('its memory to be that of a program', async () => (await agent.residentBytes()) > 100_000)
    expect(await agent.kill()).toEqual({ code: null, signal: 'SIGKILL' })
    await expect(agent.stop()).rejects.toThrow('does not run')
  })

  test('writes configuration and leases to etcd and reads them back', async () => {
    await lab.putConfig({ Network: '10.0.0.0/8' })
    const before = await lab.revision()
    await lab.putLease('10.20.0.0-20', '{"PublicIP":"192.168.205.99"}')
    expect(await lab.revision()).toBe(before + 1)
    expect(await lab.leases()).toEqual([
      {
        name: '10.20.0.0-20',
        value: '{"PublicIP":"192.168.205.99"}',
        createRevision: before + 1,
        modRevision: before + 1,
        version: 1,
      },
    ])
    await lab.deleteLease('10.20.0.0-20')
    expect(await lab.leases()).toEqual([])
  })
})

test('nothing of a laboratory remains after it is closed', async () => {
  const here = new Place()
  const processes = async (): Promise<string> => here.exec('ps', ['-e', '-o', 'pid=,args='])
  const look = async (): Promise<unknown> => ({
    files: await readdir(tmpdir()),
    links: (await here.ip('link')).map((link) => link['ifname']),
    holders: (await processes()).split('\n').filter((line) => /etcd|exec cat|stand-in/.test(line)),
  })
  const before = await look()
  const lab = await Lab.create({ hosts: 1, etcdMembers: 3, agentCommand: ['sh', '-c', STAND_IN, 'stand-in'] })
  lab.host(0).agent.start()
  expect(await look()).not.toEqual(before)
  await lab.close()
  expect(await look()).toEqual(before)
})
