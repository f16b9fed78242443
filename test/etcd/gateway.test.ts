import { challengeContract } from '../contract/challenge-contract.ts'
import { leaseStoreContract } from '../contract/lease-store-contract.ts'
import { EtcdHarness } from './etcd-harness.ts'

const NAME = 'EtcdLeaseStore behind etcd gateway'

leaseStoreContract(NAME, () => EtcdHarness.startBehind('gateway'))
challengeContract(NAME, () => EtcdHarness.startBehind('gateway'))
