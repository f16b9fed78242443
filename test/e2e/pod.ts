import { fileURLToPath } from 'node:url'
import type { LabHost } from '../lab/index.ts'
import { Namespace } from '../lab/namespace.ts'
import { objectsAt, parseObject, textAt, type JsonObject } from '../lab/json.ts'
import { ping, type PingResult } from '../lab/ping.ts'
import type { Outcome } from '../lab/command.ts'
import { AGENT_FILE } from '../lab/program.ts'

const checkout = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Where Debian has the plugins; as an ordinary user they are unpacked in the checkout. */
const CNI_PATH = ['/usr/lib/cni', checkout('.cache/tools/usr/lib/cni')].join(':')

/** Folder of host-local with a file per address in use. */
export const ADDRESSES = '/run/cni/networks/overlay'
/** Folder of the flannel plugin. */
export const SAVED = '/run/cni/flannel'

/** In /run, which every simulated host has for itself. The agent does not masquerade, and nobody needs to. */
export const NETCONF = {
  cniVersion: '1.0.0',
  name: 'overlay',
  type: 'flannel',
  dataDir: SAVED,
  ipam: { dataDir: '/run/cni/networks' },
  delegate: { isDefaultGateway: true, ipMasq: false },
} as const

let pods = 0

/** A container's network namespace, and the calls of the plugin that a runtime would make for it. */
export class Pod {
  readonly id = `pod-${pods++}`
  readonly host: LabHost
  readonly place: Namespace
  /** Of the last ADD. */
  result: JsonObject = {}

  private constructor(host: LabHost, place: Namespace) {
    this.host = host
    this.place = place
  }

  static async create(host: LabHost): Promise<Pod> {
    return new Pod(host, await Namespace.create('ip link set lo up', host.place))
  }

  /** Installed as an operator would: a link named `flannel` to the program. */
  static async install(host: LabHost): Promise<void> {
    await host.place.exec('mkdir', ['-p', '/run/cni/bin'])
    await host.place.exec('ln', ['-s', AGENT_FILE, '/run/cni/bin/flannel'])
  }

  environment(command: string, path = CNI_PATH): readonly string[] {
    return [
      `CNI_COMMAND=${command}`,
      `CNI_CONTAINERID=${this.id}`,
      `CNI_NETNS=/proc/${String(this.place.pid)}/ns/net`,
      'CNI_IFNAME=eth0',
      `CNI_PATH=${path}`,
    ]
  }

  call(command: string, conf: object = NETCONF): Promise<Outcome> {
    return this.host.place.attempt('env', [...this.environment(command), '/run/cni/bin/flannel'], {
      input: JSON.stringify(conf),
    })
  }

  /** @throws {Error} with the plugin's words */
  async add(conf: object = NETCONF): Promise<void> {
    const { code, stdout, stderr } = await this.call('ADD', conf)
    if (code !== 0) throw new Error(`ADD failed: ${stdout}${stderr}`)
    this.result = parseObject(stdout)
  }

  /** In the order of the result: IPv4 first. */
  get addresses(): readonly string[] {
    return objectsAt(this.result, 'ips').map((row) => (textAt(row, 'address') ?? '').replace(/\/.*/, ''))
  }

  get address(): string {
    return this.addresses[0] ?? ''
  }

  ping(to: string): Promise<PingResult> {
    return ping(this.place, to)
  }

  close(): Promise<void> {
    return this.place.close()
  }
}

/** Addresses that host-local holds on this host. */
export async function heldAddresses(host: LabHost): Promise<readonly string[]> {
  const { stdout } = await host.place.attempt('ls', [ADDRESSES])
  return stdout.split('\n').filter((name) => /^[\da-f]+[.:]/.test(name))
}
