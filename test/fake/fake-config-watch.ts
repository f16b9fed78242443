import { EventQueue } from '../../src/etcd/keys/event-queue.ts'
import type { ConfigRecord } from '../../src/lease/store.ts'
import type { FakeEtcd } from './fake-etcd.ts'

/** What the configuration of a {@link FakeEtcd} says, over a connection that can be cut; after a cut, what it says then. */
export class FakeConfigWatch {
  readonly #etcd: FakeEtcd
  readonly #queue = new EventQueue<ConfigRecord | undefined>()
  #unlisten: (() => void) | undefined

  constructor(etcd: FakeEtcd) {
    this.#etcd = etcd
  }

  connect(): void {
    if (this.#unlisten !== undefined) return
    const deliver = (): void => {
      this.#queue.push(this.#etcd.config)
    }
    this.#unlisten = this.#etcd.onConfig(deliver)
    deliver()
  }

  disconnect(): void {
    this.#unlisten?.()
    this.#unlisten = undefined
  }

  stop(): void {
    this.disconnect()
    this.#queue.abandon()
  }

  values(): AsyncIterable<ConfigRecord | undefined> {
    return this.#queue
  }
}
