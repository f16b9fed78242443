import { describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../lab/index.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'
import { AGENT, agentCall } from '../lab/program.ts'
import { leaseOf, peersAre } from '../lab/expected-tables.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { difference, everything } from './whole-host.ts'

describe('a host that is decommissioned with flanneld cleanup --release', () => {
  const lab = useLab({ hosts: 2 }, (made) => made.putConfig(CONFIG))

  const cleanup = ({ place }: LabHost, ...args: readonly string[]) =>
    place.attempt(...agentCall('cleanup', '--release', ...args))
  const etcd = (): string => `--etcd-endpoints=${lab().etcd.endpoints.join(',')}`
  const etcdLeases = async (): Promise<number> => {
    const [, ...ids] = (await lab().etcdctl('lease', 'list')).trim().split('\n')
    return ids.length
  }

  test('keeps everything while an agent runs, then leaves nothing here, in etcd and with its peers', async () => {
    const [going, staying] = [lab().host(0), lab().host(1)]
    const before = await everything(going)
    for (const { agent } of lab().hosts) agent.start(['--ip-masq'])
    const [own, other] = [await leaseOf(lab(), going), await leaseOf(lab(), staying)]
    await peersAre(staying, [own])
    await peersAre(going, [other])
    const leases = await lab().leases()

    const early = await cleanup(going, etcd())
    expect(early).toMatchObject({ code: 1, stdout: '' })
    expect(early.stderr).toContain('runs in this network namespace: stop it first')
    expect(await lab().leases()).toEqual(leases)
    await peersAre(going, [other])

    await going.agent.stop()
    const name = own.subnet.replace('/', '-')
    const revision = await lab().revision()
    const dry = await cleanup(going, etcd(), '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain(`would release lease ${name}\n`)
    expect(await lab().revision()).toBe(revision)

    const wet = await cleanup(going, etcd())
    expect(wet).toMatchObject({ code: 0, stderr: '' })
    expect(wet.stdout).toContain(`removed device ${DEVICE} `)
    expect(wet.stdout).toContain(`released lease ${name}\n`)
    expect(difference(await everything(going), before)).toEqual([])
    expect(await lab().etcdctl('get', '--prefix', '--keys-only', ETCD_PREFIX)).not.toContain(name)
    expect(await etcdLeases()).toBe(1)
    await peersAre(staying, [])
    expect((await lab().leases()).map((lease) => lease.name)).toEqual([other.subnet.replace('/', '-')])

    const again = await cleanup(going, etcd())
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).not.toContain('release')
  })

  test('is cleaned up also while etcd is out of reach, and says which lease stays', async () => {
    const host = lab().host(0)
    host.agent.start()
    const { subnet } = await leaseOf(lab(), host)
    await host.agent.stop()
    const failed = await cleanup(host, '--etcd-endpoints=http://192.168.205.99:2379')
    expect(failed.code).toBe(1)
    expect(failed.stdout).toContain(`removed device ${DEVICE} `)
    expect(failed.stderr).toContain(`failed: lease of ${subnet}: it was not given back: `)
    expect(await lab().leases()).toHaveLength(2)

    const later = await cleanup(host, etcd())
    expect(later).toMatchObject({ code: 0, stdout: `released lease ${subnet.replace('/', '-')}\n`, stderr: '' })
    expect(await lab().leases()).toHaveLength(1)
  })

  test('keeps the lease as long as it may not remove the device', async () => {
    const host = lab().host(0)
    host.agent.start()
    await host.ready()
    await host.agent.stop()
    const run = ['--bounding-set=-all', '--inh-caps=-all', '--', ...AGENT, 'cleanup', '--release']
    const { code, stderr } = await host.place.attempt('setpriv', [...run, etcd()])
    expect(code).toBe(1)
    expect(stderr).toContain('leases: they were not given back, since this host still uses the subnet')
    expect(await lab().leases()).toHaveLength(2)
    expect(await cleanup(host, etcd())).toMatchObject({ code: 0, stderr: '' })
  })

  test('keeps a reservation, and says how it is given up', async () => {
    const host = lab().host(0)
    host.agent.start()
    const { subnet } = await leaseOf(lab(), host)
    const name = subnet.replace('/', '-')
    const value = (await lab().leases()).find((lease) => lease.name === name)?.value ?? ''
    await host.agent.stop()
    await lab().putLease(name, value)
    const command = `etcdctl del '${ETCD_PREFIX}/subnets/${name}'`
    const { code, stdout, stderr } = await cleanup(host, etcd())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`^left alone lease ${name}: it is a reservation.*${command}$`, 'm'))
    await lab().etcdctl('del', `${ETCD_PREFIX}/subnets/${name}`)
  })

  test('leaves the subnet to whoever has it by now, and gives it no trouble', async () => {
    const [going, staying] = [lab().host(0), lab().host(1)]
    const other = await leaseOf(lab(), staying)
    const [, address = ''] = /^(.*)\.0$/.exec(other.base) ?? []
    const file = `FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=${address}.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`
    await going.place.exec('sh', ['-ec', 'mkdir -p /run/flannel; cat >/run/flannel/subnet.env'], { input: file })
    const leases = await lab().leases()
    const { code, stdout } = await cleanup(going, etcd())
    expect(code).toBe(0)
    expect(stdout).toContain(`left alone lease ${other.subnet.replace('/', '-')}: it belongs to `)
    expect(await lab().leases()).toEqual(leases)
    await waitFor('the other to be well', () => staying.agent.isRunning)
  })

  test('asks whether the prefix is right where nothing stands below it', async () => {
    const { code, stderr } = await cleanup(lab().host(0), etcd(), '--etcd-prefix=/wrong')
    expect(code).toBe(1)
    expect(stderr).toMatch(/below \/wrong in this etcd: is --etcd-prefix/)
  })
})
