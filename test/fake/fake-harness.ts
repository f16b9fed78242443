import type { LeaseStoreHarness } from '../contract/lease-store-contract.ts'
import { FakeEtcd, type EtcdSnapshot } from './fake-etcd.ts'
import { FakeLeaseStore } from './fake-lease-store.ts'

/** The contract suite's view of the fake. */
export function fakeHarness(): LeaseStoreHarness {
  let etcd = new FakeEtcd()
  let stores: FakeLeaseStore[] = []
  let backup: EtcdSnapshot | undefined

  const done = (work: () => unknown): (() => Promise<void>) => {
    return () => {
      work()
      return Promise.resolve()
    }
  }
  return {
    open: () => {
      const store = new FakeLeaseStore(etcd)
      stores.push(store)
      return store
    },
    put: (key, value) => done(() => etcd.put(key, value))(),
    delete: (key) => done(() => etcd.delete(key))(),
    putConfig: (value) =>
      done(() => {
        etcd.putConfig(value)
      })(),
    deleteConfig: done(() => {
      etcd.deleteConfig()
    }),
    putChallenge: (name, value) =>
      done(() => {
        etcd.putChallenge(name, value)
      })(),
    challengeNames: () => Promise.resolve([...etcd.challenges.keys()]),
    revoke: (id) => done(() => etcd.revoke(id))(),
    etcdLeaseIds: () => Promise.resolve(etcd.etcdLeaseIds),
    compact: done(() => {
      etcd.compact()
    }),
    disconnect: done(() => {
      stores.forEach((store) => {
        store.disconnect()
      })
    }),
    reconnect: done(() => {
      stores.forEach((store) => {
        store.reconnect()
      })
    }),
    wipe: done(() => {
      etcd.wipe()
    }),
    backup: done(() => {
      backup = etcd.snapshot()
    }),
    restore: done(() => {
      if (backup !== undefined) etcd.restore(backup)
    }),
    reset: done(() => {
      for (const store of stores) store.close()
      stores = []
      etcd = new FakeEtcd()
    }),
    close: done(() => undefined),
  }
}
