import { describe, expect, test } from 'vitest'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { fails, waitFor } from '../lab/index.ts'
import { says } from '../lab/log.ts'
import { agentCall } from '../lab/program.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

const WRONG: readonly (readonly [what: string, config: object | string, said: RegExp])[] = [
  ['invalid JSON', '{"Network":', /network configuration: .*JSON/],
  ['no Network', { Backend: { Type: 'vxlan' } }, /Network: expected a network.* found nothing/],
  ['SubnetLen 31', { ...CONFIG, SubnetLen: 31 }, /SubnetLen: expected .*30.* found 31/],
  [
    'SubnetMin outside Network',
    { ...CONFIG, SubnetMin: '11.10.0.0' },
    /SubnetMin: expected .*10\.0\.0\.0\/8.* found "11\.10\.0\.0"/,
  ],
  [
    'SubnetMin off the boundary',
    { ...CONFIG, SubnetMin: '10.10.1.0' },
    /SubnetMin: expected .*\/20 boundary.* found "10\.10\.1\.0"/,
  ],
  [
    'an unknown backend type',
    { ...CONFIG, Backend: { Type: 'carrier-pigeon' } },
    /Backend\.Type: expected .*vxlan.* found "carrier-pigeon"/,
  ],
]

describe('an agent that is started before everything is ready', () => {
  const lab = useLab({ hosts: 1 })

  test('says what is missing or wrong, and goes on as soon as it is mended', async () => {
    const host = lab().host(0)
    const { agent } = host
    await lab().etcd.member.stop()
    agent.start()
    await says(host, /network configuration.*192\.168\.205\.2:2379.*retrying every few seconds/)
    await lab().etcd.restart()
    await says(host, /\/coreos\.com\/network\/config: expected the network configuration.* found nothing/)
    for (const [, config, said] of WRONG) {
      await lab().putConfig(config)
      await says(host, said)
    }
    await fails(host, 'network configuration', /Backend\.Type/)
    expect(await lab().leases()).toEqual([])
    await lab().putConfig(CONFIG)
    expect((await host.ready(5000)).subnet.text).toMatch(/^10\.\d+\.\d+\.0\/20$/)
    await agent.stop()
  })

  test('without the right to change the network it ends before it has leased anything, and says what is missing', async () => {
    const { place, agent } = lab().host(0)
    await lab().etcdctl('del', '--prefix', '/coreos.com/network/subnets/')
    const [command, args] = agentCall(`--etcd-endpoints=${lab().etcd.endpoints.join(',')}`, '--iface=eth0')
    const { code, stderr } = await place.attempt('setpriv', ['--bounding-set=-net_admin', command, ...args])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/lacks CAP_NET_ADMIN.*AmbientCapabilities=CAP_NET_ADMIN/)])
    expect(await lab().leases()).toEqual([])
    expect(agent.isRunning).toBe(false)
  })
})

describe('the command lines of the walkthroughs', () => {
  const lab = useLab({ hosts: 2 }, (it) => it.putConfig(CONFIG))

  test('-iface with an address alone: etcd is found on the same machine', async () => {
    const host = lab().host(0)
    const netns = `--net=/proc/${host.place.pid}/ns/net`
    const place = { host: '127.0.0.1', clientPort: 2379, peerPort: 2380, spawn: ['nsenter', netns] }
    const etcd = await EtcdCluster.start({ places: [place] })
    try {
      await etcd.etcdctl(['put', '/coreos.com/network/config', JSON.stringify(CONFIG)])
      host.agent.startWith(['-iface=192.168.205.10'])
      await host.ready()
      expect(await host.link(DEVICE)).toMatchObject({ vxlan: { local: '192.168.205.10', underlay: 'eth0' } })
    } finally {
      await host.agent.kill()
      await etcd.close()
    }
  })

  test('--etcd-endpoints, -etcd-prefix, -subnet-file and -v, with one dash or two, with = or a space', async () => {
    const host = lab().host(1)
    await lab().etcdctl('put', '/other/network/config', JSON.stringify(CONFIG))
    host.agent.startWith([
      '--etcd-endpoints=http://192.168.205.2:2379',
      ...['-etcd-prefix', '/other/network'],
      '-subnet-file=/run/other.env',
      '-v=1',
    ])
    await waitFor('the subnet file', async () => (await host.place.attempt('cat', ['/run/other.env'])).code === 0)
    const key = await lab().etcdctl('get', '--prefix', '--keys-only', '/other/network/subnets/')
    expect(key.trim()).toMatch(/^\/other\/network\/subnets\/10\.\d+\.\d+\.0-20$/)
    await host.agent.stop()
  })

  test.each([
    [['--bogus'], /--bogus/],
    [['--v=loud'], /--v: expected .* found "loud"/],
    [['--etcd-endpoints=ftp://nowhere'], /--etcd-endpoints: expected URLs.* found "ftp:\/\/nowhere"/],
    [['--subnet-lease-renew-margin=0'], /--subnet-lease-renew-margin: expected .* found "0"/],
    [['--public-ip=127.0.0.1'], /--public-ip: expected .* found "127\.0\.0\.1"/],
  ])('%s is refused with exit code 2, the flag, what was expected and what was found', async (flags, said) => {
    const { agent } = lab().host(0)
    agent.startWith(flags)
    expect(await agent.exit()).toEqual({ code: 2, signal: null })
    expect(await agent.logOfRun()).toMatch(said)
  })
})
