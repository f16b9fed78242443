import { systemClock } from '../../../src/host/system-clock.ts'
import { challengeContract } from '../../contract/challenge-contract.ts'
import { leaseStoreContract, type LeaseStoreHarness } from '../../contract/lease-store-contract.ts'
import { fakeHarness } from '../../fake/fake-harness.ts'
import { DelayedStore } from '../../property/leases/delayed-store.ts'
import { Process } from '../../property/leases/process.ts'

/** The fake store, with a millisecond of delay each way. */
function harness(): Promise<LeaseStoreHarness> {
  const near = fakeHarness()
  const line = {
    process: new Process(systemClock),
    clock: systemClock,
    nextDelayMs: () => 1,
    losesAnswer: () => false,
    onWritten: () => undefined,
    onRemoved: () => undefined,
  }
  return Promise.resolve({ ...near, open: () => new DelayedStore(near.open(), line) })
}

leaseStoreContract('DelayedStore', harness)
challengeContract('DelayedStore', harness)
