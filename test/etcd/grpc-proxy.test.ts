import { challengeContract } from '../contract/challenge-contract.ts'
import { leaseStoreContract } from '../contract/lease-store-contract.ts'
import { EtcdHarness } from './etcd-harness.ts'

const NAME = 'EtcdLeaseStore behind etcd grpc-proxy'

leaseStoreContract(NAME, () => EtcdHarness.startBehind('grpc-proxy'))
challengeContract(NAME, () => EtcdHarness.startBehind('grpc-proxy'))
