import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { Packages } from './packages.ts'
import { ALL_PINGS, VagrantMachine } from './vagrant-machine.ts'

/** Said by the setup of this project, which tries what clean hosts need. */
const hindrance = process.env['FLANNEL_NO_CLEAN_HOSTS']

/** Some file of the package is another one. */
const BUILT_AGAIN = `echo again >> usr/share/doc/flannel-agent/copyright
find usr lib -type f -exec md5sum {} + > DEBIAN/md5sums`

describe.skipIf(hindrance !== undefined)('the Vagrant scripts, on two clean machines', () => {
  const lab = useLab({ hosts: 2 })
  let folder = ''
  let packages: Packages
  let machines: readonly VagrantMachine[] = []
  const machine = (index: 0 | 1): VagrantMachine => {
    const found = machines[index]
    if (found === undefined) throw new Error('there are no machines')
    return found
  }
  const [master, slave] = [(): VagrantMachine => machine(0), (): VagrantMachine => machine(1)]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vagrant-'))
    const masterAddress = lab().host(0).address
    machines = lab().hosts.map((host) => new VagrantMachine(host, folder, masterAddress))
    await Promise.all(machines.map((each) => each.prepare()))
    packages = await Packages.build()
  }, 600_000)
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      for (const each of machines) {
        process.stderr.write((await readFile(each.logPath, 'utf8')).slice(-4_000))
        for (const unit of ['etcd', 'flanneld', 'docker'])
          process.stderr.write(`── ${each.host.name} ${unit}\n${(await each.journal(unit)).slice(-4_000)}\n`)
      }
    })
  })
  afterAll(async () => {
    await Promise.all(machines.map((each) => each.powerOff()))
    await rm(folder, { recursive: true, force: true })
  })

  test('say what to run where nothing has been built, before anything is done', async () => {
    const { code, stderr } = await master().setUp('master')
    expect(code).toBe(1)
    expect(stderr).toContain('npm ci && npm run build && npm run package')
    await master().copyPackage(packages.file('.deb'))
    await slave().copyExecutable()
  })

  test('refuse an address that the machine does not have, and say which it has', async () => {
    const { code, stderr } = await slave().setUp('slave', { NODE_IP: '192.168.33.11', WAIT: '1' })
    expect(code).toBe(1)
    expect(stderr).toContain('NODE_IP=192.168.33.11 is no address of this machine')
    expect(stderr).toContain(`this machine has ${slave().host.address}/24 on eth0`)
  })

  test('refuse a master that no network of the machine has in it, whatever the default route', async () => {
    const { code, stderr } = await slave().setUp('slave', { MASTER_IP: '192.168.33.10', WAIT: '1' })
    expect(code).toBe(1)
    expect(stderr).toContain('no network of this machine has the master, MASTER_IP=192.168.33.10, in it')
  })

  test('refuse the other machine’s role', async () => {
    expect(await slave().setUp('master', { NODE_IP: slave().host.address })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Set MASTER_IP=') as string,
    })
    expect(await master().setUp('slave')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Run: setup.sh master') as string,
    })
  })

  test('name whoever has etcd’s port, before anything is installed', async () => {
    const other = await master().occupy(2379)
    const { code, stderr } = await master().setUp('master')
    await other.free()
    expect(code).toBe(1)
    expect(stderr).toContain(`port 2379 is taken by ${other.name} (process ${other.pid}), which is not etcd.service`)
    expect(await master().isInstalled('etcd-server')).toBe(false)
  })

  test('say what is the matter with the master when there is no etcd in time', async () => {
    const { code, stderr } = await slave().setUp('slave', { WAIT: '1' })
    expect(code).toBe(1)
    expect(stderr).toContain(`no etcd at http://${master().host.address}:2379 within 1 s: the machine is there, but`)
  })

  test(
    'bring up both at once: from the package, and from the executable beside a Docker that has another network',
    { timeout: 300_000 },
    async () => {
      await slave().install('docker.io')
      expect(await slave().bridgeAddress()).toMatch(/^172\.17\./)
      expect(await slave().place.exec('iptables', ['-S', 'FORWARD'])).toContain('-P FORWARD DROP')
      const [ofMaster, ofSlave] = await Promise.all([master().setUp('master'), slave().setUp('slave')])
      expect(ofMaster, ofMaster.stderr).toMatchObject({ code: 0 })
      expect(ofSlave, ofSlave.stderr).toMatchObject({ code: 0 })
      expect(ofMaster.stdout).toMatch(/\n\d+ changes: this master has the subnet 10\./)
      expect(ofSlave.stdout).toContain('Docker runs without --bip=10.')
      expect(ofSlave.stderr).toContain('the network 10.0.2.0/24 on nat0 lies in the overlay')
    },
  )

  test('publish the address of the shared network, not that of the default route', async () => {
    for (const each of machines) {
      const lease = await each.ownLease()
      expect(lease).toMatchObject({ PublicIP: each.host.address, BackendType: 'vxlan', BackendData: { VNI: 100 } })
    }
    expect(await master().config()).toEqual(CONFIG)
  })

  test('give Docker’s bridge the subnet', async () => {
    for (const each of machines) {
      const { bridgeAddress } = await each.host.ready()
      expect(await each.bridgeAddress()).toBe(bridgeAddress)
    }
  })

  test('change nothing the second time', async () => {
    for (const [each, role] of [[master(), 'master'] as const, [slave(), 'slave'] as const]) {
      const before = await each.state()
      const { code, stdout } = await each.setUp(role)
      expect(code).toBe(0)
      expect(stdout).toContain(`Nothing to change: this ${role} has the subnet`)
      expect(stdout).not.toContain('changed:')
      expect(await each.state()).toEqual(before)
    }
  })

  test('put the package in the place of the bare executable once there is one, with the same lease', async () => {
    const [before, docker] = [await slave().ownLease(), await slave().show('docker', 'MainPID')]
    expect(await slave().program()).toBe('/usr/local/bin/flanneld')
    await slave().copyPackage(packages.file('.deb'))
    expect(await slave().setUp('slave')).toMatchObject({ code: 0 })
    expect(await slave().program()).toBe('/usr/bin/flanneld')
    expect([await slave().ownLease(), await slave().show('docker', 'MainPID')]).toEqual([before, docker])
    expect((await slave().setUp('slave')).stdout).toContain('Nothing to change')
  })

  test('install a package that was built again, though its version is the same', async () => {
    const former = await slave().show('flanneld', 'MainPID')
    await slave().copyPackage(await packages.variant(folder, '0.1.0-1', BUILT_AGAIN))
    expect((await slave().setUp('slave')).stdout).toContain('changed: installed flannel-agent_0.1.0-1_')
    expect(await slave().show('flanneld', 'MainPID')).not.toBe(former)
    expect((await slave().setUp('slave')).stdout).toContain('Nothing to change')
  })

  test('keep a network configuration that somebody has changed, unless another is asked for', async () => {
    const other = { ...CONFIG, Backend: { ...CONFIG.Backend, DirectRouting: false } }
    await master().putConfig(other)
    expect((await master().setUp('master')).stdout).toContain('the network configuration in etcd is kept')
    expect(await master().config()).toEqual(other)
    const { stdout } = await master().setUp('master', { NETWORK_CONFIG: JSON.stringify(CONFIG) })
    expect(stdout).toContain('1 change: ')
    expect(await master().config()).toEqual(CONFIG)
  })

  test('let containers talk, by ping and nc, in VXLAN packets between the two machines', async () => {
    for (const each of machines) await each.runContainer()
    const capture = await lab().capture(CONFIG.Backend.Port)
    const to = await slave().addressOfContainer()
    expect(await master().pingFromContainer(to)).toEqual(ALL_PINGS)
    expect(await slave().pingFromContainer(await master().addressOfContainer())).toEqual(ALL_PINGS)
    expect(await master().talkTo(slave())).toEqual({ heard: 'from host0', answered: 'from host1' })
    const packets = await capture.stop()
    expect(packets).toContainEqual(
      expect.objectContaining({
        ...{ outerSource: master().host.address, outerDestination: slave().host.address, vni: 100 },
        ...{ innerSource: await master().addressOfContainer(), innerDestination: to, icmpType: 8 },
      }),
    )
  })

  test.each([0, 1] as const)('have all come back by itself after a reboot of machine %i', async (index) => {
    const [rebooted, other] = [machine(index), machine(index === 0 ? 1 : 0)]
    const before = (await rebooted.host.ready()).subnet
    await rebooted.reboot()
    expect((await rebooted.host.ready(30_000)).subnet).toEqual(before)
    expect(await rebooted.bridgeAddress()).toBe((await rebooted.host.ready()).bridgeAddress)
    await waitFor('its container', () => rebooted.isContainerUp(), { deadlineMs: 30_000 })
    expect(await rebooted.host.place.ip('link', 'show', DEVICE)).toHaveLength(1)
    expect(await rebooted.pingFromContainer(await other.addressOfContainer())).toEqual(ALL_PINGS)
    expect(await other.pingFromContainer(await rebooted.addressOfContainer())).toEqual(ALL_PINGS)
    const { stdout } = await rebooted.setUp(index === 0 ? 'master' : 'slave')
    expect(stdout).toContain('Nothing to change')
  })

  test('have etcd start again until the machine has its address, and the agents find it', async () => {
    const { host } = master()
    const [etcd, address] = ['etcd.service', `${host.address}/24`]
    await host.place.exec('ip', ['address', 'delete', address, 'dev', 'eth0'])
    await master().systemctl('--no-block', 'restart', etcd)
    const attempts = async (): Promise<boolean> => Number(await master().show(etcd, 'NRestarts')) >= 2
    await waitFor('etcd to have tried', attempts, { deadlineMs: 30_000 })
    await host.place.exec('ip', ['address', 'add', address, 'dev', 'eth0'])
    const isUp = async (): Promise<boolean> => (await master().show(etcd, 'ActiveState')) === 'active'
    await waitFor('etcd', isUp, { deadlineMs: 30_000 })
    const back = async (): Promise<boolean> =>
      (await slave().pingFromContainer(await master().addressOfContainer())).received > 0
    await waitFor('containers to reach each other', back, { deadlineMs: 30_000 })
    expect((await slave().setUp('slave')).stdout).toContain('Nothing to change')
  })
})
