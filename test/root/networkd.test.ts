import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { vxlanLease, waitFor } from '../lab/index.ts'
import { numberAt, textAt, type JsonObject } from '../lab/json.ts'
import { UNDERLAY } from '../lab/underlay.ts'
import { SystemdMachine } from './systemd-machine.ts'

const FILES = join(import.meta.dirname, '../../packaging/network')
const NETWORKD = 'systemd-networkd.service'
const MTU = 1400

/** Whoever manages a whole host writes something of this kind. */
const EVERYTHING = `[Match]\nName=*\n[Network]\nDHCP=no\nLinkLocalAddressing=no\n[Link]\nMTUBytes=${MTU}\n`

/**
 * With /sys for reading only networkd believes to be in a container, where there is no udev, and configures a device before it has seen
 * what stands on it. Here udev has nothing to do with the devices, as far as networkd can tell.
 */
const AS_ON_HARDWARE = `mount -o remount,rw /sys && mkdir -p /run/udev/data
for n in 1 2 3 4 5 6 7 8 9; do echo I:1 > /run/udev/data/n$n; done`

/** systemd-networkd runs as a user of its own, and takes orders on the bus: a systemd that is only unpacked has neither. */
const isInstalled =
  ['networkd', 'system/dbus.service'].every((name) =>
    existsSync(`/usr/lib/systemd/${name.replace(/^n/, 'systemd-n')}`),
  ) && readFileSync('/etc/passwd', 'utf8').includes('\nsystemd-network:')

const hindrance = process.env['FLANNEL_NO_SYSTEMD']

describe.skipIf(hindrance !== undefined || !isInstalled)('systemd-networkd, told to manage everything', () => {
  const lab = useLab({ hosts: 2 })
  let folder = ''
  let machine: SystemdMachine

  /** What the agent has made, on its device and elsewhere; without what changes by itself. */
  const ours = async (): Promise<unknown> => {
    const { place } = machine.host
    const [link] = await place.ip('addr', 'show', 'dev', DEVICE)
    const routes = await place.ip('route', 'show', 'proto', '70')
    const tables = await machine.host.peerTables(DEVICE)
    return {
      mtu: numberAt(link ?? {}, 'mtu'),
      mac: textAt(link ?? {}, 'address'),
      addresses: addressesOf(link),
      routes,
      tables,
    }
  }
  const addressesOf = (link: JsonObject | undefined): readonly unknown[] => {
    const all: unknown = link?.['addr_info']
    return Array.isArray(all) ? all : []
  }
  const routesOfOurs = async (): Promise<readonly string[]> =>
    (await machine.host.place.ip('route', 'show', 'proto', '70')).map((route) => textAt(route, 'dst') ?? '').sort()
  /** As networkd itself sees it. */
  const setup = async (device: string): Promise<string | undefined> =>
    (await machine.place.exec('networkctl', ['list', '--no-legend', '--no-pager'])).match(
      new RegExp(String.raw`\s${device.replace('.', String.raw`\.`)}\s.*\s(\S+)$`, 'm'),
    )?.[1]
  const settled = (device: string, state: string): Promise<boolean> =>
    waitFor(`${device} to be ${state}`, async () => (await setup(device)) === state)
  /** Puts one of our files where networkd looks for it. */
  const install = (name: string): Promise<void> =>
    machine.configure(
      `systemd/${name.includes('/') ? name : `network/${name}`}`,
      readFileSync(join(FILES, name), 'utf8'),
    )

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'systemd-'))
    machine = new SystemdMachine(lab().host(0), folder)
    await machine.boot()
    await lab().putConfig({ ...CONFIG, Backend: { ...CONFIG.Backend, DirectRouting: true } })
    await lab().putLease('10.77.0.0-20', vxlanLease('198.51.100.7', '02:00:5e:00:00:01'))
    const { address, address6 } = lab().host(0)
    const addresses = `[Address]\nAddress=${address}/${UNDERLAY.prefixLength}\nBroadcast=no\n[Address]\nAddress=${address6}/${UNDERLAY.prefixLength6}\n`
    const eth0 = `[Match]\nName=eth0\n[Network]\nIPv6AcceptRA=no\n${addresses}[Route]\nGateway=${UNDERLAY.gateway}\n`
    await machine.configure('systemd/network/05-eth0.network', eth0)
    await machine.configure('systemd/network/10-everything.network', EVERYTHING)
    await machine.place.exec('sh', ['-c', AS_ON_HARDWARE])
    await machine.systemctl('start', 'dbus.service')
    lab().host(0).agent.start(['--ip-blackhole-route'])
    lab().host(1).agent.start()
    await waitFor('three kinds of routes', async () => (await routesOfOurs()).length === 3)
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      process.stderr.write((await readFile(machine.logPath, 'utf8')).slice(-2_000))
      process.stderr.write((await machine.journal(NETWORKD)).slice(-8_000))
    })
  })
  afterAll(async () => {
    await machine.powerOff()
    await rm(folder, { recursive: true, force: true })
  })

  test('takes addresses, routes and MTU away where it is not told to leave them', async () => {
    await lab().host(0).agent.stop()
    await machine.systemctl('start', NETWORKD)
    await settled('eth0', 'configured')
    await settled(DEVICE, 'configured')
    await waitFor('all routes to be gone', async () => (await routesOfOurs()).length === 0)
    expect(await ours()).toMatchObject({ mtu: MTU, addresses: [], tables: { neighbours: [], routes: [] } })
  })

  test('is healed by an agent that runs', async () => {
    await machine.place.exec('ip', ['route', 'replace', 'default', 'via', UNDERLAY.gateway])
    lab().host(0).agent.start(['--ip-blackhole-route'])
    await waitFor('three kinds of routes', async () => (await routesOfOurs()).length === 3)
    await waitFor('the MTU', async () => (await lab().host(0).link(DEVICE))?.mtu === 1450)
  })

  test('leaves everything alone where our files lie, in a reload, a restart and a new configuration of the device', async () => {
    await install('00-flannel-agent.network')
    await install('networkd.conf.d/flannel-agent.conf')
    await machine.systemctl('restart', NETWORKD)
    await settled(DEVICE, 'unmanaged')
    await settled('eth0', 'configured')
    await lab().host(0).agent.stop()
    lab().host(0).agent.start(['--ip-blackhole-route'])
    await waitFor('three kinds of routes', async () => (await routesOfOurs()).length === 3)
    await lab().host(0).agent.stop()
    const before = await ours()
    expect(before).toMatchObject({ mtu: 1450, addresses: [{ prefixlen: 32 }] })
    await machine.systemctl('reload', NETWORKD)
    await machine.place.exec('networkctl', ['reconfigure', DEVICE])
    await machine.systemctl('restart', NETWORKD)
    await settled('eth0', 'configured')
    await settled(DEVICE, 'unmanaged')
    expect(await ours()).toEqual(before)
  })

  test('cannot spare the underlay its routes when that gets a new configuration; a running agent puts them back', async () => {
    await machine.place.exec('networkctl', ['reconfigure', 'eth0'])
    await waitFor('the route through eth0 to be gone', async () => (await routesOfOurs()).length === 2)
    await settled('eth0', 'configured')
    lab().host(0).agent.start(['--ip-blackhole-route'])
    await waitFor('three kinds of routes', async () => (await routesOfOurs()).length === 3)
    await machine.place.exec('networkctl', ['reconfigure', 'eth0'])
    await waitFor('three kinds of routes again', async () => (await routesOfOurs()).length === 3)
  })

  test('loses no packet between containers when it is restarted', async () => {
    await install('01-containers.network')
    // The laboratory's names for what Docker calls veth….
    await machine.configure('systemd/network/02-laboratory.network', '[Match]\nName=c*\n[Link]\nUnmanaged=yes\n')
    await machine.systemctl('restart', NETWORKD)
    await settled('eth0', 'configured')
    const [from, to] = await Promise.all([lab().host(1).addContainer(), lab().host(0).addContainer()])
    const pings = from.pingStream(to.address)
    await pings.progress()
    await machine.systemctl('restart', NETWORKD)
    await settled('eth0', 'configured')
    await pings.progress()
    expect((await pings.stop()).lost).toEqual([])
  })
})
