import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent } from './agent.ts'
import type { CommandLine } from './command.ts'
import { Container, createContainerBridge } from './container.ts'
import { textAt } from './json.ts'
import { LinkFaults } from './link-faults.ts'
import { Namespace } from './namespace.ts'
import { Script } from './script.ts'
import { parseSubnetFile, type SubnetFile } from './subnet-file.ts'
import { readLink, readPeerTables, type Link, type PeerTables } from './tables.ts'
import { hostAddress, hostAddress6, UNDERLAY, type Underlay } from './underlay.ts'
import { waitFor } from './wait-for.ts'

export const SUBNET_FILE = '/run/flannel/subnet.env'

export interface HostOptions {
  readonly index: number
  readonly underlay: Underlay
  /** Folder for what belongs to this host. */
  readonly folder: string
  readonly agentCommand: CommandLine
  readonly agentFlags: readonly string[]
  /** 32 hexadecimal digits; random when absent. */
  readonly machineId?: string | undefined
}

/**
 * Gives the machine its identity and a /run of its own; a file bound over /etc/machine-id keeps the id over agent restarts.
 * Nobody waits a second for duplicates of the link-local addresses that the kernel makes.
 */
const machineSetup = (name: string, folder: string): string => `
hostname ${name}
[ -e /etc/machine-id ] || {
  mkdir ${folder}/etc
  cp -a /etc/. ${folder}/etc 2>/dev/null || true
  mount --bind ${folder}/etc /etc
  touch /etc/machine-id
}
mount --bind ${folder}/machine-id /etc/machine-id
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 1777 /run/tmp
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad`

/** /run and a network as they are when a machine is switched on; nobody waits for duplicates of addresses here either. */
const POWER_ON = `
umount -l /run
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 1777 /run/tmp
echo 0 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad`

/** One simulated machine: namespaces, a network card on the switch, an agent, containers. */
export class LabHost {
  readonly name: string
  /** Underlay address it was created with. */
  readonly address: string
  /** The IPv6 one, which it keeps. */
  readonly address6: string
  readonly place: Namespace
  readonly agent: Agent
  readonly faults: LinkFaults
  readonly containers: Container[] = []
  readonly #folder: string
  readonly #underlay: Underlay

  private constructor(name: string, place: Namespace, { index, underlay, folder, ...options }: HostOptions) {
    this.name = name
    this.address = hostAddress(index)
    this.address6 = hostAddress6(index)
    this.place = place
    this.#folder = folder
    this.#underlay = underlay
    this.agent = new Agent(place, options.agentCommand, options.agentFlags, join(folder, 'agent.log'))
    this.faults = new LinkFaults(place, underlay.place, name)
  }

  static async create(options: HostOptions): Promise<LabHost> {
    const { index, folder } = options
    const name = `host${index}`
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'machine-id'), `${options.machineId ?? randomBytes(16).toString('hex')}\n`)
    const place = await Namespace.create(machineSetup(name, folder))
    const host = new LabHost(name, place, options)
    try {
      await host.#plugIn()
      return host
    } catch (error) {
      await host.close()
      throw error
    }
  }

  async #plugIn(): Promise<void> {
    await this.#connect()
    await this.setUnderlayAddress(this.address)
  }

  async #connect(mac?: string): Promise<void> {
    await this.#underlay.connect(this.name, this.place.pid, mac)
    // Captures would show outer checksums that no card has filled in.
    await this.place.exec('ethtool', ['-K', 'eth0', 'tx', 'off'])
  }

  /**
   * What becomes of a machine that is switched off and on: /run is empty, and of its network there is the same card without an address,
   * and the kernel's settings as they are by themselves (it does not forward). What ran has to be ended before.
   */
  async powerCycle(): Promise<void> {
    const [card] = await this.place.ip('link', 'show', 'dev', 'eth0')
    const mac = card && textAt(card, 'address')
    await this.#underlay.disconnect(this.name)
    await this.place.renewNetwork(POWER_ON)
    await this.#connect(mac)
  }

  /** Takes the network card out: eth0 is gone, with everything that hung on it. */
  async unplug(): Promise<void> {
    await this.#underlay.disconnect(this.name)
  }

  /** Puts another card in, with the same name and address. */
  async replug(): Promise<void> {
    await this.#plugIn()
  }

  /** Starts a shell script on this machine that runs until it is ended. */
  startScript(script: string): Script {
    return new Script(this.place.start(join(this.#folder, 'scripts.log'), 'sh', ['-c', script]))
  }

  /** Gives eth0 this address alone, with the default route that hangs on it, beside the IPv6 ones. */
  async setUnderlayAddress(address: string): Promise<void> {
    await this.place.ipBatch([
      'address flush dev eth0',
      `address add ${address}/${UNDERLAY.prefixLength} dev eth0`,
      `address add ${this.address6}/${UNDERLAY.prefixLength6} dev eth0 nodad`,
      'link set eth0 up',
      `route replace default via ${UNDERLAY.gateway} dev eth0`,
      `route replace default via ${UNDERLAY.gateway6} dev eth0`,
    ])
  }

  async setUnderlayMtu(mtu: number): Promise<void> {
    await this.place.exec('ip', ['link', 'set', 'eth0', 'mtu', `${mtu}`])
  }

  /** The subnet file, or undefined while there is none. */
  async subnetFile(): Promise<SubnetFile | undefined> {
    const { code, stdout } = await this.place.attempt('cat', [SUBNET_FILE])
    return code === 0 ? parseSubnetFile(stdout) : undefined
  }

  /** Waits for the subnet file: the agent's word that containers may start. */
  async ready(deadlineMs = 20_000): Promise<SubnetFile> {
    try {
      return await waitFor(`the subnet file of ${this.name}`, () => this.subnetFile(), { deadlineMs })
    } catch (error) {
      const { agent } = this
      const log = await agent.log()
      throw new Error(`${this.name} is not ready:\n${log}\n${agent.whereabouts()}`, { cause: error })
    }
  }

  link(device: string): Promise<Link | undefined> {
    return readLink(this.place, device)
  }

  peerTables(device: string, family: 4 | 6 = 4): Promise<PeerTables> {
    return readPeerTables(this.place, device, family)
  }

  /** Starts a "container" on the bridge that Docker would have; needs the subnet file. */
  async addContainer(): Promise<Container> {
    const file = await this.ready()
    if (this.containers.length === 0) await createContainerBridge(this.place, file)
    const container = await Container.create(this.place, file, this.containers.length, this.#folder)
    this.containers.push(container)
    return container
  }

  async close(): Promise<void> {
    if (this.agent.isRunning) await this.agent.kill()
    await Promise.all(this.containers.map((container) => container.close()))
    await this.#underlay.disconnect(this.name)
    await this.place.close()
  }
}
