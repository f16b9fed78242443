import { describe, expect, test } from 'vitest'
import { AGENT } from '../lab/program.ts'
import { EtcdMetrics } from '../lab/etcd-metrics.ts'
import { SUBNET_FILE } from '../lab/index.ts'
import { leaseOf, peersAre, readLease } from '../lab/expected-tables.ts'
import { bringUp, DEVICE, useLab } from '../lab/use-lab.ts'

const ECHO_REQUEST = 8

/** How long an agent is watched doing nothing; longer than the time after which it asks etcd for a sign of life. */
const WATCHED_SECONDS = 7
const READ = 'etcdserverpb.KV/Range'

/** Looking at the firewall starts programs, whose sockets would be counted as the agent's. */
const QUIET_AGENT = [...AGENT, '--iptables-forward-rules=false'] as const

describe('three nodes that share an etcd', () => {
  const lab = useLab({ hosts: 3, health: false, agentCommand: [...QUIET_AGENT] }, bringUp)

  test('hold one lease each, named after the subnet, with their address and MAC in it', async () => {
    const leases = (await lab().leases()).map(readLease)
    const addresses = leases.map(({ publicIp }) => publicIp)
    expect(addresses.sort()).toEqual(['192.168.205.10', '192.168.205.11', '192.168.205.12'])
    for (const host of lab().hosts) {
      const own = await leaseOf(lab(), host)
      expect(own.subnet).toMatch(/^10\.\d+\.\d+\.0\/20$/)
      expect(await host.link(DEVICE)).toMatchObject({
        mac: own.mac,
        mtu: 1450,
        up: true,
        vxlan: { vni: 100, port: 8472, local: host.address, underlay: 'eth0' },
      })
      expect(await host.place.exec('ip', ['-o', '-4', 'address', 'show', 'dev', DEVICE])).toContain(
        `inet ${own.base}/32 `,
      )
    }
  })

  test('hold exactly neighbour, fdb entry and route of every other node', async () => {
    const leases = (await lab().leases()).map(readLease)
    for (const host of lab().hosts)
      await peersAre(
        host,
        leases.filter(({ publicIp }) => publicIp !== host.address),
      )
  })

  test('write a subnet file that Docker can be started with', async () => {
    const host = lab().host(0)
    const { base } = await leaseOf(lab(), host)
    expect(await host.place.exec('cat', [SUBNET_FILE])).toBe(
      `FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=${base.replace(/0$/, '1')}/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
    )
    expect(await host.place.exec('stat', ['-c', '%a', SUBNET_FILE])).toBe('644\n')
  })

  test('carry every ping between their containers as VXLAN network 100 on port 8472', async () => {
    const capture = await lab().capture()
    const containers = lab().hosts.flatMap((host) => host.containers)
    const pairs = containers.flatMap((from) => containers.filter((to) => to !== from).map((to) => ({ from, to })))
    for (const { from, to } of pairs)
      expect(await from.ping(to.address, { count: 3 })).toEqual({ sent: 3, received: 3 })
    const own = new Set(containers.map(({ address }) => address))
    const requests = (await capture.stop()).filter(
      ({ icmpType, innerSource }) => icmpType === ECHO_REQUEST && own.has(innerSource), // agents ask each other, too
    )
    expect(requests).toHaveLength(pairs.length * 3)
    expect(new Set(requests.map(({ vni, port }) => `${vni} ${port}`))).toEqual(new Set(['100 8472']))
    const [first, second] = [lab().host(0), lab().host(1)]
    expect(requests).toContainEqual(
      expect.objectContaining({
        outerSource: first.address,
        outerDestination: second.address,
        innerSource: first.containers[0]?.address,
        innerDestination: second.containers[0]?.address,
      }),
    )
  })

  test('carry packets as large as the announced MTU, unfragmented', async () => {
    const [from, to] = lab().hosts.flatMap((host) => host.containers)
    const icmpPayload = 1450 - 20 - 8
    const args = ['-c1', '-W2', '-M', 'do', '-s', `${icmpPayload}`, to?.address ?? '']
    expect((await from?.place.attempt('ping', args))?.code).toBe(0)
  })

  test('send nothing while nothing changes, except a small read on their connection to etcd every five seconds, and each peer one question every nine', async () => {
    const { agent, place } = lab().host(0)
    const before = await EtcdMetrics.read(lab().etcd.member.endpoint)
    const traced = ['-e', 'trace=write,writev,sendto,sendmsg,sendmmsg', '-e', 'signal=none']
    const strace = ['strace', '-f', '-yy', '-qq', ...traced, '-p', `${agent.pid}`]
    const { stderr } = await place.attempt('timeout', ['-s', 'INT', `${WATCHED_SECONDS}`, ...strace])
    const after = await EtcdMetrics.read(lab().etcd.member.endpoint)
    const sent = Array.from(stderr.matchAll(/(?:write|send)\w*\(\d+(<[A-Z].*)/g), ([, call = '']) => call)
    const isToKernel = (call: string): boolean => call.startsWith('<NETLINK:')
    // 0xa10 is NFT_MSG_GETGEN; nft lists what others have written
    const isRead = (call: string): boolean =>
      /nlmsg_type=(RTM_GET|NFNL_SUBSYS_NFTABLES<<8\|NFT_MSG_GET|0xa10 )/.test(call)
    const changing = sent.filter((call) => isToKernel(call) && !isRead(call))
    expect(changing, 'messages that may change the kernel').toEqual([])
    const isQuestion = (call: string): boolean => call.startsWith('<RAW:')
    // once, soon after a start, and every ten minutes
    const isClock = (call: string): boolean => call.includes('"GET /version HTTP')
    const isWithinHost = (call: string): boolean => isToKernel(call) || call.startsWith('<UNIX-')
    const rest = sent.filter((call) => !isWithinHost(call) && !isQuestion(call) && !isClock(call))
    const sockets = new Set(rest.map((call) => /^<.*?>(?=,)/.exec(call)?.[0]))
    expect([...sockets], 'connections that something is sent on').toEqual([
      expect.stringMatching(/^<TCP:\[.*->.*:2379\]>$/),
    ])
    const questions = sent.filter(isQuestion)
    expect(questions.length, 'questions to peers').toBeLessThanOrEqual(
      (lab().hosts.length - 1) * Math.ceil(WATCHED_SECONDS / 9),
    )
    expect(
      questions.filter((call) => !/ = 1430$/.test(call)),
      'questions of another than full size',
    ).toEqual([])
    const calls = after.callsSince(before)
    expect(Object.keys(calls)).toEqual([READ])
    expect((calls[READ] ?? 0) / lab().hosts.length, 'reads of each').toBeLessThanOrEqual(3)
  })

  test('stay below 100 MB of memory each', async () => {
    for (const { agent } of lab().hosts) expect(await agent.residentBytes()).toBeLessThan(100e6)
  })
})
