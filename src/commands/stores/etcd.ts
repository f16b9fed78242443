import { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { hearGrpc, type GrpcLog } from '../../etcd/grpc-log.ts'
import { EtcdSubnetManager } from '../../etcd/subnets/etcd-subnet-manager.ts'
import { resolveHost } from '../../host/resolve.ts'
import type { Logger } from '../../observe/logger.ts'
import { etcdFacts } from '../serve/live-agent.ts'
import type { OpenDaemonStore } from './daemon-store.ts'

/** Leases in etcd. */
export const openDaemonStore: OpenDaemonStore = (options, own) => {
  hearGrpc(grpcIn(own.log), own.clock)
  const store = new EtcdLeaseStore(options.etcd, { ...own, counts: own.counts.store })
  const subnets = new EtcdSubnetManager(options, {
    ...{ ...own, store, resolveHost, wallMs: Date.now },
    certificates: store.certificates,
    storeClock: (signal) => store.clock(Date.now, signal),
  })
  return {
    subnets,
    facts: etcdFacts(store),
    lookAgain: () => {
      subnets.lookAtCertificates()
      return store.certificates?.look().problem
    },
    close: () => {
      store.close()
    },
  }
}

const grpcIn = (log: Logger): GrpcLog => ({
  error: (text) => {
    log.warn(`gRPC: ${text}`)
  },
  debug: (text) => {
    log.debug(`gRPC: ${text}`)
  },
})
