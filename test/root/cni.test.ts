import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, useLab } from '../lab/use-lab.ts'
import { ip } from '../../src/net/ip.ts'
import { addressAt, prefixContains } from '../../src/net/prefix.ts'
import { outputOf } from '../lab/command.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { objectsAt, textAt } from '../lab/json.ts'
import { ping } from '../lab/ping.ts'
import { Containerd, type Running } from './containerd.ts'

const ALL = { sent: 3, received: 3 }

const gatewayOf = async (host: LabHost): Promise<string> => addressAt((await host.ready()).subnet, 1n).text

async function addressOf({ network }: Running): Promise<string> {
  const [link = {}] = await network.ip('-4', 'address', 'show', 'dev', 'eth0')
  const [address = {}] = objectsAt(link, 'addr_info')
  return textAt(address, 'local') ?? ''
}

describe('containerd on two machines, with our plugin called by libcni', () => {
  const lab = useLab({ hosts: 2 }, async (fresh) => {
    await fresh.putConfig(CONFIG)
    await fresh.startAgents()
  })
  let folder = ''
  let machines: readonly Containerd[] = []
  let containers: readonly { readonly machine: Containerd; readonly container: Running }[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'containerd-'))
    machines = lab().hosts.map((host) => new Containerd(host, folder))
    containers = await Promise.all(
      machines.map(async (machine) => {
        await machine.host.ready()
        await machine.start()
        return { machine, container: await machine.run('c1') }
      }),
    )
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      for (const { logPath } of machines) process.stderr.write((await readFile(logPath, 'utf8')).slice(-4000))
    })
  })
  afterAll(async () => {
    await Promise.all(machines.map((machine) => machine.stop()))
    await rm(folder, { recursive: true, force: true })
  })

  test('gives a container an address of the leased subnet, the overlay’s MTU and its routes', async () => {
    for (const { machine, container } of containers) {
      const { subnet } = await machine.host.ready()
      const gateway = await gatewayOf(machine.host)
      expect(prefixContains(subnet, ip(await addressOf(container)))).toBe(true)
      expect(await container.network.ip('link', 'show', 'dev', 'eth0')).toMatchObject([{ mtu: 1450 }])
      const routes = await container.network.ip('route')
      expect(routes.map((route) => [textAt(route, 'dst'), textAt(route, 'gateway')])).toEqual([
        ['default', gateway],
        ['10.0.0.0/8', gateway],
        [subnet.text, undefined],
      ])
    }
  })

  test('lets containers reach their gateway, and each other', async () => {
    const addresses = await Promise.all(containers.map(({ container }) => addressOf(container)))
    for (const [index, { machine, container }] of containers.entries()) {
      expect(await ping(container.network, await gatewayOf(machine.host))).toEqual(ALL)
      expect(await ping(container.network, addresses[1 - index] ?? '')).toEqual(ALL)
    }
  })

  test('says why a container cannot be started while there is no subnet file, and keeps nothing of it', async () => {
    const [machine] = machines
    if (machine === undefined) throw new Error('there is no machine')
    const before = await machine.kept()
    await machine.configure({ subnetFile: '/run/flannel/none.env' })
    const { code, stderr } = await machine.refusal('refused')
    expect(await machine.kept()).toEqual(before)
    await machine.configure()
    expect(code).toBe(1)
    expect(stderr).toContain('plugin type="flannel" failed (add): flannel: ')
    expect(stderr).toContain('/run/flannel/none.env')
  })

  test('gives the address back when a container ends, though its network namespace is gone by then', async () => {
    for (const { machine, container } of containers) {
      expect(await machine.kept()).toEqual(machine.keptOf(container, await addressOf(container)))
      await machine.remove(container.id)
      expect(await machine.kept()).toEqual([])
    }
  })

  test('leaves no rules of the bridge plugin behind where the agent masquerades', async () => {
    const [machine] = machines
    if (machine === undefined) throw new Error('there is no machine')
    const { host } = machine
    const rules = async (): Promise<readonly string[]> =>
      (await host.place.exec('iptables-save', ['-t', 'nat']))
        .split('\n')
        .filter((line) => line.includes('name: \\"cbr0'))
    await host.agent.stop()
    host.agent.start(['--ip-masq'])
    await waitFor(
      'the agent to masquerade',
      async () => (await host.ready()).variables.get('FLANNEL_IPMASQ') === 'true',
    )
    await machine.configure({ delegate: { isDefaultGateway: true } })
    await machine.run('kept')
    expect(await rules()).toEqual([])
    await machine.remove('kept')
    expect([await rules(), await machine.kept()]).toEqual([[], []])
  })

  test('ends with nothing left behind', async () => {
    await Promise.all(machines.map((machine) => machine.stop()))
    for (const { host } of machines) {
      expect(await host.place.exec('cat', ['/proc/mounts'])).not.toMatch(/nsfs|containerd/)
      expect((await host.place.ip('link', 'show', 'type', 'veth')).filter(({ ifname }) => ifname !== 'eth0')).toEqual(
        [],
      )
    }
    expect(await outputOf(['ps', '-A', '-o', 'comm='])).not.toMatch(/containerd|runc|ctr|sleep/)
  })
})
