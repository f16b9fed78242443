import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Capture } from './capture.ts'
import { outputOf, type CommandLine } from './command.ts'
import { EtcdCluster } from './etcd-process.ts'
import { HEALTH_FLAGS } from './health.ts'
import { LabHost } from './host.ts'
import { numberAt, objectAt, objectsAt, parseObject, textAt, type JsonObject } from './json.ts'
import { AGENT } from './program.ts'
import { etcdAddress, Underlay, UNDERLAY } from './underlay.ts'

/** Where leases and configuration live; the agent's default. */
export const ETCD_PREFIX = '/coreos.com/network'

const CLIENT_PORT = 2379
const PEER_PORT = 2380
const DEFAULT_VXLAN_PORT = 8472
/** etcd's default for --max-txn-ops. */
const MOST_TXN_OPS = 128

export interface LabOptions {
  readonly hosts?: number
  readonly etcdMembers?: 1 | 3
  /** Further flags of etcd. */
  readonly etcdArgs?: readonly string[]
  /** Verbosity of the agents. */
  readonly verbosity?: number
  /** What runs as the agent; {@link AGENT} by default. */
  readonly agentCommand?: CommandLine
  /** Whether the agents answer probes, for tests to ask them how they are; default: yes. Not where it is measured what an agent costs. */
  readonly health?: boolean
  /** One id for all machines, as clones of one image have it; random ones by default. */
  readonly machineId?: string
}

/** One lease key as it stands in etcd. */
export interface StoredLease {
  /** Name below PREFIX/subnets/. */
  readonly name: string
  readonly value: string
  readonly modRevision: number
  readonly createRevision: number
  readonly version: number
}

const base64 = (text = ''): string => Buffer.from(text, 'base64').toString()

function storedLeaseFrom(row: JsonObject): StoredLease {
  return {
    name: base64(textAt(row, 'key')).slice(`${ETCD_PREFIX}/subnets/`.length),
    value: base64(textAt(row, 'value')),
    modRevision: numberAt(row, 'mod_revision') ?? 0,
    createRevision: numberAt(row, 'create_revision') ?? 0,
    version: numberAt(row, 'version') ?? 0,
  }
}

/** A JSON lease value as v0.6 and later read it. */
export function vxlanLease(publicIp: string, mac: string, vni = 100): string {
  return JSON.stringify({ PublicIP: publicIp, BackendType: 'vxlan', BackendData: { VNI: vni, VtepMAC: mac } })
}

interface Closable {
  close(): Promise<void>
}

/** Waits for all; when one fails, closes the others and fails as it did. */
async function allOrNone<T extends readonly [Promise<Closable>, ...Promise<Closable>[]]>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  try {
    return await Promise.all(promises)
  } catch (error) {
    for (const made of await Promise.allSettled(promises)) if (made.status === 'fulfilled') await made.value.close()
    throw error
  }
}

/** Several machines, the switch between them and etcd, all inside the namespaces that test/run.mjs made. */
export class Lab {
  readonly hosts: readonly LabHost[]
  readonly etcd: EtcdCluster
  readonly underlay: Underlay
  readonly #folder: string
  #captures = 0

  private constructor(parts: { hosts: readonly LabHost[]; etcd: EtcdCluster; underlay: Underlay; folder: string }) {
    this.hosts = parts.hosts
    this.etcd = parts.etcd
    this.underlay = parts.underlay
    this.#folder = parts.folder
  }

  /** @throws {Error} outside the laboratory's namespaces: it would change the machine's own network */
  static async create({
    hosts = 3,
    etcdMembers = 1,
    verbosity = 0,
    health = true,
    ...options
  }: LabOptions = {}): Promise<Lab> {
    if (process.env['FLANNEL_LAB'] !== '1')
      throw new Error('run this by `npm test` or `npm run demo`: they enter namespaces of their own first')
    const folder = await mkdtemp(join(tmpdir(), 'lab-'))
    const etcdAddresses = Array.from({ length: etcdMembers }, (_, at) => etcdAddress(at))
    const underlay = await Underlay.create(etcdAddresses)
    const endpoints = etcdAddresses.map((host) => `http://${host}:${CLIENT_PORT}`).join(',')
    const hostOptions = {
      underlay,
      machineId: options.machineId,
      agentCommand: options.agentCommand ?? AGENT,
      agentFlags: [
        `--etcd-endpoints=${endpoints}`,
        `--etcd-prefix=${ETCD_PREFIX}`,
        '--iface=eth0',
        `--v=${verbosity}`,
        ...(health ? HEALTH_FLAGS : []),
      ],
    }
    const places = etcdAddresses.map((host) => ({ host, clientPort: CLIENT_PORT, peerPort: PEER_PORT }))
    const machines = Array.from({ length: hosts }, (_, index) =>
      LabHost.create({ ...hostOptions, index, folder: join(folder, `host${index}`) }),
    )
    try {
      const [etcd, ...made] = await allOrNone([
        EtcdCluster.start({ places, args: options.etcdArgs ?? [] }),
        ...machines,
      ])
      return new Lab({ hosts: made, etcd, underlay, folder })
    } catch (error) {
      await underlay.close()
      throw error
    }
  }

  /** @throws {RangeError} when there is no such host */
  host(index: number): LabHost {
    const host = this.hosts[index]
    if (!host) throw new RangeError(`there is no host ${index}, only ${this.hosts.length}`)
    return host
  }

  etcdctl(...args: readonly string[]): Promise<string> {
    return this.etcd.etcdctl(args)
  }

  /** @param config an object to write as JSON, or a text to write as it is */
  async putConfig(config: object | string): Promise<void> {
    const text = typeof config === 'string' ? config : JSON.stringify(config)
    await this.etcdctl('put', `${ETCD_PREFIX}/config`, '--', text)
  }

  async putLease(name: string, value: string): Promise<void> {
    await this.etcdctl('put', `${ETCD_PREFIX}/subnets/${name}`, '--', value)
  }

  /** Puts many at once, in as few transactions as etcd allows. */
  async putLeases(leases: readonly (readonly [name: string, value: string])[]): Promise<void> {
    for (let at = 0; at < leases.length; at += MOST_TXN_OPS) {
      const puts = leases
        .slice(at, at + MOST_TXN_OPS)
        // In double quotes, as Go and JSON read them alike: etcdctl 3.4 cuts what stands in single quotes short.
        .map(([name, value]) => `put ${ETCD_PREFIX}/subnets/${name} ${JSON.stringify(value)}`)
      await outputOf(['etcdctl', `--endpoints=${this.etcd.endpoints.join(',')}`, 'txn'], {
        input: `\n${puts.join('\n')}\n\n\n`,
      })
    }
  }

  /** Deletes every lease whose name is at least `from` and less than `to`, byte by byte. */
  async deleteLeases(from: string, to: string): Promise<void> {
    await this.etcdctl('del', `${ETCD_PREFIX}/subnets/${from}`, `${ETCD_PREFIX}/subnets/${to}`)
  }

  async deleteLease(name: string): Promise<void> {
    await this.etcdctl('del', `${ETCD_PREFIX}/subnets/${name}`)
  }

  /** Lease keys in etcd's order. */
  async leases(): Promise<readonly StoredLease[]> {
    const answer = parseObject(await this.etcdctl('get', '--prefix', `${ETCD_PREFIX}/subnets/`, '-w', 'json'))
    return objectsAt(answer, 'kvs').map(storedLeaseFrom)
  }

  /** The store's revision: it moves with every write, whoever makes it. */
  async revision(): Promise<number> {
    const answer = parseObject(await this.etcdctl('get', `${ETCD_PREFIX}/config`, '-w', 'json'))
    return numberAt(objectAt(answer, 'header'), 'revision') ?? 0
  }

  /** Catches VXLAN packets between the machines. */
  capture(port = DEFAULT_VXLAN_PORT): Promise<Capture> {
    const file = join(this.#folder, `capture-${this.#captures++}.pcapng`)
    return Capture.start(this.underlay.place, UNDERLAY.device, port, file)
  }

  /** Starts every agent and waits for all their subnet files. */
  async startAgents(): Promise<void> {
    for (const { agent } of this.hosts) agent.start()
    await Promise.all(this.hosts.map((host) => host.ready()))
  }

  /** Everybody's last words, for a failed test. */
  async logs(): Promise<string> {
    const texts = this.hosts.map(async ({ name, agent }) => `── ${name}\n${(await agent.log()).slice(-8000)}`)
    return (await Promise.all(texts)).join('\n')
  }

  async close(): Promise<void> {
    await Promise.all([...this.hosts.map((host) => host.close()), this.etcd.close()])
    await this.underlay.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
