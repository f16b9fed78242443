import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../../lab/index.ts'
import { objectAt, objectsAt, numberAt, textAt } from '../../lab/json.ts'
import { agentCall } from '../../lab/program.ts'
import { CONFIG, useLab } from '../../lab/use-lab.ts'
import { containerOf, copy, DEVICE, OtherNode, PATIENTLY, PORT, reaches, told } from './scene.ts'

const UDP = { ...CONFIG, Backend: { Type: 'udp' } }
/** Enough that windows, queues and offloads all come to be what they are. */
const COPIED = 32 << 20
const MANY = 500

describe('udp', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(UDP)
    await made.startAgents()
    await Promise.all(made.hosts.map((host) => host.addContainer()))
  })
  let node: OtherNode | undefined
  let stranger: OtherNode | undefined

  beforeAll(async () => {
    const [victim, pretended] = [containerOf(lab().host(0)).address, containerOf(lab().host(1)).address]
    node = await OtherNode.create(lab().underlay, 70)
    stranger = await OtherNode.create(lab().underlay, 71, ['forge', pretended, victim, lab().host(0).address])
  })
  afterAll(async () => {
    await node?.close()
    await stranger?.close()
  })

  const both = async (): Promise<void> => {
    await reaches(lab().host(0), lab().host(1))
    await reaches(lab().host(1), lab().host(0))
  }

  /** What the agent has dropped, by why. */
  const drops = async (host: LabHost, why: string): Promise<number> => {
    const [family] = objectsAt(await told(host, 'status'), 'families')
    const forwarder = objectAt(objectAt(family ?? {}, 'device'), 'forwarder')
    return numberAt(objectAt(forwarder, 'drops'), why) ?? 0
  }

  test('containers reach each other by datagrams, through a device that the kernel names and one route', async () => {
    await both()
    const [first] = lab().hosts
    if (first === undefined) throw new Error('no hosts')
    const { subnet, mtu } = await first.ready()
    expect(mtu).toBe(1472)
    const own = subnet.text.replace(/\/.*/, '')
    const [link] = await first.place.ip('link', 'show', 'dev', DEVICE)
    expect(link).toMatchObject({ mtu: 1472, ifalias: 'flannel-agent', linkinfo: { info_kind: 'tun' } })
    const [addresses] = await first.place.ip('-4', 'address', 'show', 'dev', DEVICE)
    expect(addresses).toMatchObject({ addr_info: [{ local: own, prefixlen: 32 }] })
    const routes = await first.place.ip('route', 'show', 'dev', DEVICE)
    expect(routes).toEqual([expect.objectContaining({ dst: '10.0.0.0/8', protocol: '70' })])
    const [lease] = await lab().leases()
    const value: unknown = JSON.parse(lease?.value ?? '')
    expect(Object.keys(value ?? {}).sort()).toEqual(['Node', 'PublicIP', 'PublicIPv6'])
  })

  test('copies arrive whole, also where packets are lost; so do packets that are cut', async () => {
    const [first, second] = lab().hosts.map(containerOf)
    if (first === undefined || second === undefined) throw new Error('no containers')
    for (const [from, to] of [[first, second] as const, [second, first] as const]) {
      const [sent, received] = await copy(from, to, COPIED)
      expect(received).toBe(sent)
      expect(sent).toMatch(new RegExp(`^${COPIED} [0-9a-f]{64}\n$`))
    }
    const cut = await first.place.exec('ping', ['-n', '-c', '3', '-l', '3', '-M', 'dont', '-s', '8972', second.address])
    expect(cut).toContain(' 3 received')
    await lab().host(0).faults.drop(2)
    const [sent, received] = await copy(first, second, COPIED / 16)
    await lab().host(0).faults.drop(0)
    expect(received).toBe(sent)
  })

  test('copies arrive whole where datagrams overtake each other', async () => {
    const { place } = lab().host(0)
    const [first, second] = lab().hosts.map(containerOf)
    if (first === undefined || second === undefined) throw new Error('no containers')
    // one datagram in ten waits in a slow class of its own
    const classes = [
      'qdisc add dev eth0 root handle 1: htb default 1',
      'class add dev eth0 parent 1: classid 1:1 htb rate 10gbit',
      'class add dev eth0 parent 1: classid 1:2 htb rate 80mbit',
    ]
    for (const line of classes) await place.exec('tc', line.split(' '))
    const slow = `table ip slow { chain out { type filter hook output priority 0; udp dport ${PORT} numgen random mod 10 == 0 meta priority set 1:2 counter; }; }`
    await place.exec('nft', ['-f', '-'], { input: slow })
    const [sent, received] = await copy(first, second, COPIED / 16)
    const counted = await place.exec('tc', ['-s', 'class', 'show', 'dev', 'eth0', 'classid', '1:2'])
    expect(Number(/ (\d+) pkt/.exec(counted)?.[1] ?? 0)).toBeGreaterThan(10)
    await place.exec('tc', ['qdisc', 'delete', 'dev', 'eth0', 'root'])
    await place.exec('nft', ['delete', 'table', 'ip', 'slow'])
    expect(received).toBe(sent)
  })

  test('a node of another making is reached, and hears packets as they are; a stranger is not let in', async () => {
    const host = lab().host(0)
    await lab().putLease('10.70.0.0-20', JSON.stringify({ PublicIP: node?.address, PublicIPv6: null }))
    await reaches(host, '10.70.3.4')
    const heard = (await node?.heard()) ?? ''
    // a container's 64, less one at its host and one at the forwarder
    expect(heard).toContain(`from ${host.address}:${PORT} ttl 62 length 84 echo`)
    await waitFor('the stranger to be noticed', async () => (await drops(host, 'inStranger')) > 3, PATIENTLY)
    // as a peer it is known, but what it says is not from its subnet
    await lab().putLease('10.71.0.0-20', JSON.stringify({ PublicIP: stranger?.address, PublicIPv6: null }))
    await waitFor('what it forges to be noticed', async () => (await drops(host, 'inForeignSource')) > 3, PATIENTLY)
    expect(await stranger?.heard()).not.toContain('from')
  })

  test('senders learn that nobody has a subnet, and that a time to live has ended', async () => {
    const { place } = containerOf(lab().host(0))
    const far = await place.attempt('ping', ['-n', '-c', '1', '-W', '5', '10.98.0.1'])
    expect(far.stdout).toContain('Destination Net Unreachable')
    const other = containerOf(lab().host(1)).address
    const short = await place.attempt('ping', ['-n', '-c', '1', '-W', '5', '-t', '2', other])
    expect(short.stdout).toContain('Time to live exceeded')
  })

  test('commands say what there is: no entries of the kernel for a peer, one of the forwarder', async () => {
    const [host, other] = [lab().host(0), lab().host(1)]
    await waitFor('the peer to be known as reachable', async () => {
      const peers = objectsAt(await told(host, 'peers'), 'peers')
      const peer = peers.find((one) => textAt(one, 'publicIp') === other.address)
      return peer !== undefined && textAt(peer, 'reach') === 'reachable'
    })
    const [peer] = objectsAt(await told(host, 'peers', other.address), 'peers')
    const { subnet } = await other.ready()
    expect(peer).toMatchObject({
      mac: null,
      address: subnet.text.replace(/\/.*/, ''),
      isDirect: false,
      backendType: 'udp',
    })
    expect(peer?.['entries']).toEqual([
      { table: 'forwarder', row: `forwarder ${subnet.text} to ${other.address}`, isInKernel: true },
    ])
    const carried = objectAt(peer ?? {}, 'forwarder')
    expect(numberAt(carried, 'sentPackets')).toBeGreaterThan(COPIED / 65_536)
    expect(numberAt(carried, 'receivedOctets')).toBeGreaterThan(COPIED)
    expect(numberAt(carried, 'refusedPackets')).toBe(0)
    const shown = await host.place.attempt(...agentCall('peers', other.address))
    expect(shown.stdout).toMatch(/Carried +\d+ packets sent, \d+ received\n/)
    const trace = await host.place.attempt(...agentCall('trace', other.address))
    expect([trace.code, trace.stdout]).toEqual([0, expect.stringContaining(`dev ${DEVICE}`)])
    const doctor = await host.place.attempt(...agentCall('doctor'))
    expect(doctor.stdout).not.toMatch(/udp-port-taken|10\.70/)
    const metrics = await host.place.exec('bash', [
      '-c',
      'exec 3<>/dev/tcp/127.0.0.1/8081; printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3',
    ])
    expect(metrics).toMatch(/flannel_forwarded_packets_total\{family="4",direction="sent"\} [1-9]/)
    const plan = await host.place.attempt(...agentCall('plan'))
    expect(plan.stdout).toContain(`# flanneld makes the TUN device ${DEVICE} `)
    expect(plan.stdout).not.toContain('ip link delete')
  })

  test('with hundreds of peers, those that there are are reached as before, and others are left alone', async () => {
    const subnetOf = (at: number): string => `10.${200 + (at >> 8)}.${at & 255}.0-24`
    const leases = Array.from({ length: MANY }, (_, at): [string, string] => [
      subnetOf(at),
      JSON.stringify({ PublicIP: `172.20.${at >> 7}.${(at & 127) + 1}`, BackendType: at === 7 ? 'vxlan' : 'udp' }),
    ])
    await lab().putLeases(leases)
    const total = async (): Promise<number> => objectsAt(await told(lab().host(0), 'peers'), 'peers').length
    // one of them is none of ours; but there are the other host and two nodes of other making
    await waitFor('all to be known', async () => (await total()) === MANY + 2, PATIENTLY)
    await both()
    await reaches(lab().host(0), '10.70.9.9')
    expect(await lab().host(0).agent.log()).toMatch(/another backend.*vxlan/)
  })
})
