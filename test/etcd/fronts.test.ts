import { challengeContract } from '../contract/challenge-contract.ts'
import { leaseStoreContract } from '../contract/lease-store-contract.ts'
import { EtcdHarness } from './etcd-harness.ts'

for (const kind of ['gateway', 'grpc-proxy'] as const) {
  const start = (): Promise<EtcdHarness> => EtcdHarness.startBehind(kind)
  leaseStoreContract(`EtcdLeaseStore behind etcd ${kind}`, start)
  challengeContract(`EtcdLeaseStore behind etcd ${kind}`, start)
}
