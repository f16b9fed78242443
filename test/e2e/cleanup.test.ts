import { describe, expect, test } from 'vitest'
import { SUBNET_FILE, type LabHost } from '../lab/index.ts'
import { AGENT, agentCall } from '../lab/program.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { difference, everything } from './whole-host.ts'

const LEFTOVER = '/run/flannel/.subnet.env.00000000-0000-4000-8000-000000000000.tmp'

/** Things of ours that the daemon of the laboratory does not make as it is configured there. */
const MORE_OF_OURS = [
  'link add flannel-v6.7 type vxlan id 7 local fd00:205::10 dev eth0 dstport 8472 nolearning',
  'address add fd00:7:1::/128 dev flannel-v6.7 nodad',
  'link set flannel-v6.7 up',
  'route add 10.98.0.0/20 via 192.168.205.77 dev eth0 proto 70',
  'route add 10.98.16.0/20 via 192.168.205.77 dev eth0 proto 70 metric 70',
  'route add blackhole fd00:97::/64 proto 70',
]

/** Other people's things that resemble ours. */
const FOREIGN = [
  'link add flannel.5 type bridge',
  'link set flannel.5 alias flannel-agent up',
  'link add vxlan9 type vxlan id 9 local 192.168.205.10 dev eth0 dstport 8472 nolearning',
  'address add 10.96.0.0/32 dev vxlan9',
  'link set vxlan9 alias flannel-agent up',
  'route add 10.95.0.0/24 via 192.168.205.77 dev eth0',
  'route add 10.94.0.0/20 via 10.96.0.1 dev vxlan9 onlink',
  'route add blackhole 10.93.0.0/20',
]
const FOREIGN_RULES = `
iptables -A FORWARD -s 203.0.113.7 -m comment --comment "flanneld forward, but not quite" -j ACCEPT
iptables -t nat -A POSTROUTING -s 203.0.113.7 -j RETURN
nft add table inet flannel-foreign
nft add table ip witness`

const cleanup = ({ place }: LabHost, ...args: readonly string[]) => place.attempt(...agentCall('cleanup', ...args))

const linesOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

describe('flanneld cleanup', () => {
  const lab = useLab({ hosts: 1 }, (made) => made.putConfig(CONFIG))

  test('removes all that the daemon and upstream leave, and nothing else; the lease stays', async () => {
    const host = lab().host(0)
    await host.place.ipBatch(FOREIGN)
    await host.place.exec('sh', ['-ec', FOREIGN_RULES])
    const before = await everything(host)

    host.agent.start(['--ip-masq', '--ip-blackhole-route', '--vxlan-peer-filter'])
    const { subnet } = await host.ready()
    await host.agent.stop()
    await host.place.ipBatch(MORE_OF_OURS)
    await host.place.exec('nft', ['add', 'table', 'ip', 'flannel-ipv4'])
    await host.place.exec('touch', [LEFTOVER])
    const full = await everything(host)
    expect(difference(full, before).length).toBeGreaterThan(10)

    const dry = await cleanup(host, '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(difference(await everything(host), full)).toEqual([])
    const things = linesOf(dry.stdout).map((line) => line.replace(/^would remove /, 'removed '))
    for (const thing of [
      ...[`removed subnet file ${SUBNET_FILE}`, `removed temporary file ${LEFTOVER}`],
      ...[
        'route 10.98.0.0/20 via 192.168.205.77 dev eth0',
        'blackhole route fd00:97::/64',
        'blackhole route 10.',
        `device ${DEVICE} `,
      ],
      ...['device flannel-v6.7 ', 'peer filter', 'nftables table ip flannel-ipv4'],
      ...['iptables chain nat FLANNEL-POSTRTG', 'iptables chain filter FLANNEL-FWD'],
      'left alone device flannel.5: it is a bridge device, not vxlan',
    ])
      expect(things).toContainEqual(expect.stringContaining(thing))

    const wet = await cleanup(host)
    expect(wet).toMatchObject({ code: 0, stderr: '' })
    expect(linesOf(wet.stdout)).toEqual(things)
    expect(difference(await everything(host), before)).toEqual([])
    const again = await cleanup(host)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).not.toContain('removed')

    host.agent.start()
    expect((await host.ready()).subnet).toEqual(subnet)
  })

  test('names what it may not remove, and fails', async () => {
    const host = lab().host(0)
    if (!host.agent.isRunning) host.agent.start()
    await host.ready()
    await host.agent.stop()
    const run = ['--bounding-set=-all', '--inh-caps=-all', '--', ...AGENT, 'cleanup']
    const { code, stdout, stderr } = await host.place.attempt('setpriv', run)
    expect(code).toBe(1)
    expect(stdout).toContain(`removed subnet file ${SUBNET_FILE}`)
    expect(stderr).toMatch(new RegExp(`^flanneld cleanup: failed: device ${DEVICE} .*not permitted`, 'm'))
    expect(await host.link(DEVICE)).toBeDefined()
  })

  test('removes routes of upstream to peers where leases prove them, and only names the others', async () => {
    const host = lab().host(0)
    if (host.agent.isRunning) await host.agent.stop()
    const lease = { PublicIP: '192.168.205.77', PublicIPv6: 'fd00:205::77', BackendType: 'host-gw' }
    await lab().putLease('10.70.0.0-20&fd00:10:0:70::-64', JSON.stringify(lease))
    const proven = ['10.70.0.0/20 via 192.168.205.77 dev eth0', 'fd00:10:0:70::/64 via fd00:205::77 dev eth0']
    const others = ['10.70.0.0/20 via 192.168.205.77 dev eth0 metric 7', '10.71.0.0/20 via 192.168.205.77 dev eth0']
    const file = 'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.15.64.1/20\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n'
    await host.place.exec('sh', ['-ec', `mkdir -p /run/flannel; cat >${SUBNET_FILE}`], { input: file })
    await cleanup(host)
    await host.place.exec('sh', ['-ec', `mkdir -p /run/flannel; cat >${SUBNET_FILE}`], { input: file })
    await host.place.ipBatch(others.map((route) => `route add ${route}`))
    const before = (await everything(host)).filter((line) => !line.includes(SUBNET_FILE))
    await host.place.ipBatch(proven.map((route) => `route add ${route}`))

    const alone = await cleanup(host, '--dry-run')
    expect(alone.stdout).not.toContain('would remove route')
    for (const route of [proven[0], others[1]]) expect(alone.stdout).toContain(`left alone route ${route ?? ''}: `)
    const wrong = await cleanup(host, '--dry-run', '--etcd-endpoints=http://192.168.205.99:2379')
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('leases in etcd: ') as unknown })
    expect(wrong.stdout).not.toContain('would remove route')
    const asked = await cleanup(host, `--etcd-endpoints=${lab().etcd.endpoints.join(',')}`)
    expect(asked).toMatchObject({ code: 0, stderr: '' })
    for (const route of proven) expect(asked.stdout).toContain(`removed route ${route}`)
    expect(asked.stdout).toContain(`left alone route ${others[1] ?? ''}: no lease says`)
    expect(difference(await everything(host), before)).toEqual([])
  })

  test('leaves a file alone that is no subnet file', async () => {
    const { place } = lab().host(0)
    const { code, stdout } = await cleanup(lab().host(0), '--dry-run', '--subnet-file=/etc/machine-id')
    expect(code).toBe(0)
    expect(stdout).toContain('left alone /etc/machine-id')
    await place.exec('test', ['-s', '/etc/machine-id'])
  })
})
