import type { TestContext } from 'vitest'

import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { EtcdFront, type FrontKind } from '../lab/etcd-front.ts'
import { EtcdCluster, freePorts, loopbackPlaces } from '../lab/etcd-process.ts'
import { openStore } from './etcd-harness.ts'
import { TcpProxy } from './tcp-proxy.ts'

const { signal } = new AbortController()
export const DEADLINE = { timeout: 40_000, interval: 20 }

/** etcd and what stands before it, for one test of several that run at the same time; all of it ends with that test. */
export class FrontScene {
  readonly #test: TestContext

  constructor(context: TestContext) {
    this.#test = context
  }

  async etcd(options: { readonly args?: readonly string[]; readonly members?: number } = {}): Promise<EtcdCluster> {
    const cluster = await EtcdCluster.start({ places: await loopbackPlaces(options.members ?? 1), ...options })
    this.#test.onTestFinished(() => cluster.close())
    return cluster
  }

  /** Before all members. A gateway leaves a member that refused a connection alone for a minute, if not told otherwise. */
  async front(kind: FrontKind, { members }: EtcdCluster, more: readonly string[] = []): Promise<EtcdFront> {
    const [port = 0] = await freePorts(1)
    const behind = members.map(({ place }) => ({ host: place.host, port: place.clientPort }))
    const args = [...(kind === 'gateway' ? ['--retry-delay', '100ms'] : []), ...more]
    const front = await EtcdFront.start(kind, { host: '127.0.0.1', port }, { behind, args })
    this.#test.onTestFinished(() => front.close())
    return front
  }

  /** @param idleMs as {@link TcpProxy} has it */
  async tcpProxy({ endpoint }: { readonly endpoint: string }, idleMs?: number): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(Number(new URL(endpoint).port), idleMs)
    this.#test.onTestFinished(() => {
      proxy.close()
    })
    return proxy
  }

  open({ endpoint }: { readonly endpoint: string }): EtcdLeaseStore {
    const store = openStore({ endpoints: [endpoint] })
    this.#test.onTestFinished(() => {
      store.close()
    })
    return store
  }

  /** A watch that stands. */
  async watch(store: EtcdLeaseStore): Promise<WatchLog> {
    const log = new WatchLog(store, await store.list(signal))
    this.#test.onTestFinished(() => {
      log.abort()
    })
    await this.#test.expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    return log
  }
}
