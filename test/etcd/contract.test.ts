import { challengeContract } from '../contract/challenge-contract.ts'
import { leaseStoreContract } from '../contract/lease-store-contract.ts'
import { EtcdHarness } from './etcd-harness.ts'

leaseStoreContract('EtcdLeaseStore', () => EtcdHarness.start())
challengeContract('EtcdLeaseStore', () => EtcdHarness.start())
