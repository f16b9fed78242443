import { cpSync, rmSync } from 'node:fs'

import { systemClock } from '../../src/host/system-clock.ts'
import { EtcdLeaseStore, type EtcdTools } from '../../src/etcd/etcd-lease-store.ts'
import type { EtcdAccess } from '../../src/config/options.ts'
import type { LeaseStoreHarness } from '../contract/lease-store-contract.ts'
import { EtcdFront, type FrontKind } from '../lab/etcd-front.ts'
import { EtcdCluster, freePorts } from '../lab/etcd-process.ts'
import { waitFor } from '../lab/wait-for.ts'
import { TcpProxy } from './tcp-proxy.ts'

export const PREFIX = '/coreos.com/network'

/** A store as the daemon makes it. */
export function openStore(options: Partial<EtcdAccess>, tools: Partial<EtcdTools> = {}): EtcdLeaseStore {
  return new EtcdLeaseStore(
    { endpoints: [], prefix: PREFIX, ...options },
    { clock: systemClock, random: Math.random, ...tools },
  )
}

/**
 * Writes a reservation until it stands. A call whose answer was lost may have written it all the same:
 * then the next one is refused, and finds what it would have written.
 */
export async function createEventually(store: EtcdLeaseStore, key: string, value: string): Promise<void> {
  const { signal } = new AbortController()
  await waitFor(
    `${key} to stand`,
    async () => {
      const result = await store.create(key, value, { kind: 'reservation' }, signal)
      return (result.ok ? result.record : result.found)?.value === value
    },
    { deadlineMs: 30_000 },
  )
}

/** etcd writes 64-bit lease ids in hexadecimal where people read them. */
export const leaseHex = (id: string): string => BigInt(id).toString(16)

/** One real etcd behind a proxy; everything from outside is done with etcdctl, past the proxy. */
export class EtcdHarness implements LeaseStoreHarness {
  readonly cluster: EtcdCluster
  readonly proxy: TcpProxy
  private readonly front: EtcdFront | undefined
  private stores: EtcdLeaseStore[] = []

  private constructor(cluster: EtcdCluster, proxy: TcpProxy, front?: EtcdFront) {
    this.cluster = cluster
    this.proxy = proxy
    this.front = front
  }

  static async start(args: readonly string[] = []): Promise<EtcdHarness> {
    const cluster = await EtcdCluster.start({ args })
    return new EtcdHarness(cluster, await TcpProxy.start(cluster.member.place.clientPort))
  }

  /** What is opened gets to etcd through this, too. */
  static async startBehind(kind: FrontKind): Promise<EtcdHarness> {
    const cluster = await EtcdCluster.start()
    const [port = 0] = await freePorts(1)
    const { host, clientPort } = cluster.member.place
    const behind = [{ host, port: clientPort }]
    // a gateway leaves a member that refused a connection alone for a minute
    const args = kind === 'gateway' ? ['--retry-delay', '100ms'] : []
    const front = await EtcdFront.start(kind, { host, port }, { behind, args })
    return new EtcdHarness(cluster, await TcpProxy.start(port), front)
  }

  open(tools: Partial<EtcdTools> = {}): EtcdLeaseStore {
    const store = openStore({ endpoints: [this.proxy.endpoint] }, tools)
    this.stores.push(store)
    return store
  }

  async put(key: string, value: string): Promise<void> {
    await this.cluster.etcdctl(['put', `${PREFIX}/subnets/${key}`, value])
  }
  async delete(key: string): Promise<void> {
    await this.cluster.etcdctl(['del', `${PREFIX}/subnets/${key}`])
  }
  async putConfig(value: string): Promise<void> {
    await this.cluster.etcdctl(['put', `${PREFIX}/config`, value])
  }
  async deleteConfig(): Promise<void> {
    await this.cluster.etcdctl(['del', `${PREFIX}/config`])
  }
  async putChallenge(name: string, value: string): Promise<void> {
    await this.cluster.etcdctl(['put', `${PREFIX}/challenges/${name}`, value])
  }
  async challengeNames(): Promise<readonly string[]> {
    const keys = await this.cluster.etcdctl(['get', '--prefix', '--keys-only', `${PREFIX}/challenges/`])
    return keys.split('\n').flatMap((key) => (key === '' ? [] : [key.slice(`${PREFIX}/challenges/`.length)]))
  }
  async revoke(id: string): Promise<void> {
    await this.cluster.etcdctl(['lease', 'revoke', leaseHex(id)])
  }
  async etcdLeaseIds(): Promise<readonly string[]> {
    const [, ...ids] = (await this.cluster.etcdctl(['lease', 'list'])).trim().split('\n')
    return ids.map((hex) => String(BigInt(`0x${hex}`)))
  }
  async compact(): Promise<void> {
    await this.cluster.etcdctl(['compact', '--physical', String(await this.revision())])
  }
  disconnect(): Promise<void> {
    this.proxy.refuse()
    return Promise.resolve()
  }
  reconnect(): Promise<void> {
    this.proxy.pass()
    return Promise.resolve()
  }
  async wipe(): Promise<void> {
    await this.cluster.member.stop('SIGKILL')
    this.cluster.member.wipe()
    await this.cluster.restart()
  }
  async backup(): Promise<void> {
    const { member } = this.cluster
    await member.stop()
    cpSync(member.dataDir, this.backupDir, { recursive: true })
    await this.cluster.restart()
  }
  async restore(): Promise<void> {
    const { member } = this.cluster
    await member.stop('SIGKILL')
    member.wipe()
    cpSync(this.backupDir, member.dataDir, { recursive: true })
    await this.cluster.restart()
  }

  async reset(): Promise<void> {
    for (const store of this.stores) store.close()
    this.stores = []
    this.proxy.pass()
    rmSync(this.backupDir, { recursive: true, force: true })
    for (const id of await this.etcdLeaseIds()) await this.revoke(id)
    await this.cluster.etcdctl(['del', '--prefix', PREFIX])
  }

  async close(): Promise<void> {
    this.proxy.close()
    await this.front?.close()
    await this.cluster.close()
  }

  async revision(): Promise<bigint> {
    const answer = await this.cluster.etcdctl(['get', 'any', '-w', 'json'])
    return BigInt(/"revision":(\d+)/.exec(answer)?.[1] ?? 0)
  }

  private get backupDir(): string {
    return `${this.cluster.member.dataDir}.backup`
  }
}
