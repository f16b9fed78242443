import { describe, expect, test } from 'vitest'
import { AGENT } from '../lab/program.ts'
import { outputOf } from '../lab/command.ts'
import { SUBNET_FILE, waitFor, type LabHost } from '../lab/index.ts'
import { objectAt, parseObject, textAt } from '../lab/json.ts'
import { ask } from '../lab/health.ts'
import { says } from '../lab/log.ts'
import { DEVICE, DEVICE6, useLab } from '../lab/use-lab.ts'

/** Of everything something else than the default, and room for two nodes only. */
const CONFIG = {
  Network: '10.0.0.0/8',
  SubnetLen: 24,
  SubnetMin: '10.20.30.0',
  SubnetMax: '10.20.31.0',
  EnableIPv6: true,
  IPv6Network: 'fd00:10::/48',
  IPv6SubnetLen: 72,
  IPv6SubnetMin: 'fd00:10:0:1::',
  IPv6SubnetMax: 'fd00:10:0:1:100::',
  EnableNFTables: true,
  Backend: { Type: 'vxlan', VNI: 100 },
}
const PREFIX = '/other/network'
const OTHER_FILE = '/run/other/subnet.env'
const [PUBLIC_IP, PUBLIC_IPV6] = ['192.168.205.200', 'fd00:205::200'] as const

/** Where a host keeps the environment of its agent. */
const ENVIRONMENT_FILE = '/run/agent.env'
const WITH_ENVIRONMENT = `set -a; if [ -f ${ENVIRONMENT_FILE} ]; then . ${ENVIRONMENT_FILE}; fi; exec "$@"`

describe('a node that is told everything by FLANNELD_ variables, beside one that is told nothing', () => {
  const lab = useLab({ hosts: 2, agentCommand: ['sh', '-c', WITH_ENVIRONMENT, 'sh', ...AGENT] }, async (made) => {
    await made.etcdctl('put', `${PREFIX}/config`, JSON.stringify(CONFIG))
    const environment = [
      `ETCD_ENDPOINTS=${made.etcd.endpoints.join(',')}`,
      `ETCD_PREFIX=${PREFIX}`,
      'IFACE=eth0',
      `PUBLIC_IP=${PUBLIC_IP}`,
      `PUBLIC_IPV6=${PUBLIC_IPV6}`,
      `SUBNET_FILE=${OTHER_FILE}`,
      'IP_MASQ=true',
      'IP_MASQ_FULLY_RANDOM_DISABLE=true',
      'IP_BLACKHOLE_ROUTE=true',
      'IPTABLES_FORWARD_RULES=false',
      'VXLAN_PEER_FILTER=true',
      'HEALTHZ_IP=127.0.0.2',
      'HEALTHZ_PORT=8099',
      'NODE_ID=rack-7',
      'V=1',
    ]
    const [told, other] = [made.host(0), made.host(1)]
    await told.place.exec('tee', [ENVIRONMENT_FILE], {
      input: environment.map((line) => `FLANNELD_${line}\n`).join(''),
    })
    told.agent.startWith([])
    other.agent.start([`--etcd-prefix=${PREFIX}`])
    await waitFor('its subnet file', async () => (await told.place.attempt('cat', [OTHER_FILE])).code === 0)
    await other.ready()
  })

  const file = (): Promise<string> => lab().host(0).place.exec('cat', [OTHER_FILE])
  const tableOf = ({ place }: LabHost): Promise<string> => place.exec('nft', ['list', 'table', 'ip', 'flannel-ipv4'])

  /** Name and value of the lease of the node with this identity. */
  async function leaseOf(nodeId: RegExp): Promise<{ readonly name: string; readonly publicIps: readonly unknown[] }> {
    const lines = (await lab().etcdctl('get', '--prefix', `${PREFIX}/subnets/`)).trim().split('\n')
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const value = parseObject(lines[at + 1] ?? '')
      const name = (lines[at] ?? '').slice(`${PREFIX}/subnets/`.length)
      if (nodeId.test(textAt(objectAt(value, 'Node'), 'ID') ?? ''))
        return { name, publicIps: [textAt(value, 'PublicIP'), textAt(value, 'PublicIPv6')] }
    }
    throw new Error(`no lease of ${nodeId.source} in ${lines.join('\n')}`)
  }

  test('both lease one of the two subnets that there are in each family', async () => {
    const names = [(await leaseOf(/^rack-7$/)).name, (await leaseOf(/^[0-9a-f]{32}$/)).name]
    expect(names.map((name) => name.split('&')[0]).sort()).toEqual(['10.20.30.0-24', '10.20.31.0-24'])
    expect(names.map((name) => name.split('&')[1]).sort()).toEqual(['fd00:10:0:1:100::-72', 'fd00:10:0:1::-72'])
  })

  test('publishes the addresses it is told, under its own identity, and sends from those it has', async () => {
    expect((await leaseOf(/^rack-7$/)).publicIps).toEqual([PUBLIC_IP, PUBLIC_IPV6])
    const [told, other] = [lab().host(0), lab().host(1)]
    await waitFor('the other to send there', async () => {
      const tables = [await other.peerTables(DEVICE), await other.peerTables(DEVICE6, 6)]
      const remotes = tables.flatMap(({ fdb }) => fdb.map(({ remote }) => remote))
      return remotes.join() === [PUBLIC_IP, PUBLIC_IPV6].join()
    })
    expect((await told.link(DEVICE))?.vxlan).toMatchObject({ local: told.address, underlay: 'eth0' })
    expect((await told.link(DEVICE6))?.vxlan).toMatchObject({ local: told.address6, underlay: 'eth0' })
  })

  test('writes its subnet file where it is told, and nowhere else', async () => {
    expect(await file()).toMatch(/^FLANNEL_SUBNET=10\.20\.3[01]\.1\/24$/m)
    expect(await file()).toMatch(/^FLANNEL_IPV6_SUBNET=fd00:10:0:1:(100)?:+1\/72$/m)
    expect(await lab().host(0).subnetFile()).toBeUndefined()
    expect(await lab().host(1).place.exec('ls', [SUBNET_FILE])).toContain(SUBNET_FILE)
  })

  test('masquerades without choosing ports at random, and accepts nothing; the other has it the other way round', async () => {
    const [told, other] = [lab().host(0), lab().host(1)]
    await waitFor('its rules', async () => (await tableOf(told)).includes('masquerade'))
    await waitFor('rules of the other', async () => (await tableOf(other)).includes('accept'))
    expect(await file()).toContain('FLANNEL_IPMASQ=true\n')
    const rules = (await tableOf(told)).split('\n').filter((line) => line.includes('comment'))
    expect(rules.join('\n')).not.toMatch(/random|accept/)
    expect(await tableOf(other)).not.toContain('masquerade')
    expect((await other.ready()).variables.get('FLANNEL_IPMASQ')).toBe('false')
  })

  test('has a blackhole route and a filter for peers, which the other has not', async () => {
    const seen = ({ place }: LabHost): Promise<string> =>
      place.exec('sh', ['-c', 'ip route show type blackhole; ip -6 route show type blackhole; nft list tables'])
    await waitFor('both', async () =>
      /10\.20\.3[01]\.0\/24[^]*fd00:10[^]*inet flannel-peers/.test(await seen(lab().host(0))),
    )
    expect(await seen(lab().host(1))).not.toMatch(/blackhole|proto 70|flannel-peers/)
  })

  test('answers probes where it is told, and there alone', async () => {
    const probe = (ip: string) => ask(lab().host(0), '/healthz', { ip, port: 8099 })
    expect(await probe('127.0.0.2')).toMatchObject({ status: 200 })
    expect(await probe('127.0.0.1')).toBeUndefined()
  })

  test('logs every change, where the other says what an operator must know', async () => {
    const [told, other] = [lab().host(0), lab().host(1)]
    await says(told, / debug entries programmed /)
    expect(await other.agent.log()).not.toContain(' debug ')
  })
})

describe('the program itself', () => {
  test.each([['--version'], ['-version=true']])('%s prints what it is, and exits with 0', async (flag) => {
    const [first, ...more] = (await outputOf([...AGENT, flag])).split('\n')
    expect(first).toMatch(/^flanneld \(flannel-agent\) \d+\.\d+\.\d+$/)
    expect(more).toEqual([
      expect.stringMatching(/^commit (?:[0-9a-f]{12}(?:-dirty)?|unknown)$/),
      expect.stringMatching(/^Node\.js v\d+\.\d+\.\d+ on linux-/),
      expect.stringMatching(/^netlink addon (?:inside|\/.*netlink\.node)$/),
      '',
    ])
  })

  test('--licenses prints ours and those of what is inside, and exits with 0', async () => {
    const text = await outputOf([...AGENT, '--licenses'])
    expect(text).toMatch(/^flannel-agent is licensed under the Apache License, Version 2\.0\n/)
    for (const name of ['etcd3', '@grpc/grpc-js', 'winston', 're2js']) expect(text).toContain(`\n${name} `)
  })

  test.each([['-h'], ['--help']])('%s prints every flag, and exits with 0', async (flag) => {
    const text = await outputOf([...AGENT, flag])
    expect(text).toContain('--etcd-endpoints')
    expect(text).toContain('FLANNELD_IP_MASQ')
  })
})
