import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { followGuides, SCENES } from '../docs/scene.ts'
import { Session } from '../docs/session.ts'
import { useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { Packages } from './packages.ts'
import { VagrantMachine } from './vagrant-machine.ts'

/** Said by the setup of this project, which makes the root file system of clean hosts. */
const hindrance = process.env['FLANNEL_NO_CLEAN_HOSTS']

/** Addresses, and the subnets that the guide shows: what a former run would have left, so that they are leased again. */
const MACHINES = [
  { name: 'host-one', address: '192.168.33.10', subnet: '10.15.64.1/20', role: 'master' },
  { name: 'host-two', address: '192.168.33.11', subnet: '10.26.64.1/20', role: 'slave' },
] as const

const SUBNET_FILE = `mkdir -p /run/flannel
printf 'FLANNEL_NETWORK=10.0.0.0/8\\nFLANNEL_SUBNET=%s\\n' "$0" > /run/flannel/subnet.env`

describe.skipIf(hindrance !== undefined)('the guide for Vagrant, from `vagrant ssh` on', () => {
  const names = SCENES['vagrant'] ?? []
  const lab = useLab({ hosts: names.length })
  const folder = mkdtempSync(join(tmpdir(), 'docs-vagrant-'))
  const machines: VagrantMachine[] = []
  let packages: Promise<Packages>
  const sessions = new Map<string, Session>()

  async function bringUp(machine: VagrantMachine, { name, address, subnet, role }: (typeof MACHINES)[number]) {
    await machine.prepare()
    await machine.copyPackage((await packages).file('.deb'))
    await machine.configure('systemd/network/10-eth0.network', `[Match]\nName=eth0\n[Network]\nAddress=${address}/24\n`)
    await machine.place.exec('networkctl', ['reload'])
    await waitFor('the address of the guide', async () =>
      (await machine.place.exec('ip', ['-4', 'address', 'show', 'eth0'])).includes(`${address}/24`),
    )
    await machine.place.exec('sh', ['-c', SUBNET_FILE, subnet])
    const { code, stdout, stderr } = await machine.setUp(role, { NODE_IP: address })
    if (code !== 0) throw new Error(`setup.sh ${role}:\n${stdout}${stderr}`)
    await machine.runContainer()
    sessions.set(name, new Session(machine.place))
  }

  beforeAll(async () => {
    packages = Packages.build()
    machines.push(...lab().hosts.map((host) => new VagrantMachine(host, folder, MACHINES[0].address)))
    await Promise.all(machines.map((machine, at) => bringUp(machine, MACHINES[at === 0 ? 0 : 1])))
  }, 400_000)
  afterAll(async () => {
    for (const session of sessions.values()) session.close()
    await Promise.all(machines.map((machine) => machine.powerOff()))
    rmSync(folder, { recursive: true, force: true })
  })

  followGuides('vagrant', {
    session(name) {
      const session = sessions.get(name)
      if (session === undefined) throw new RangeError(`there is no ${name}`)
      return session
    },
    async prepare(_, command) {
      if (!command.includes('tcpdump')) return
      const [one, two] = machines
      if (one === undefined || two === undefined) throw new Error('there are no machines')
      await one.place.exec('docker', ['exec', '-d', 'web', 'ping', await two.addressOfContainer()])
    },
  })
})
