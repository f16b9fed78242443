import type { AgentPorts } from '../../agent/runtime/ports.ts'
import type { HeldSubnet, Holding } from '../../agent/runtime/subnet-manager.ts'
import { ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import type { Acquired } from '../../lease/acquire/acquisition.ts'
import { JUST_NOW, type Challenger, type Challenges } from '../../lease/challenges.ts'
import { earlierSubnets, encodeLease } from '../../lease/codec.ts'
import type { Lease, Revision } from '../../lease/lease.ts'
import { LeaseKeeper } from '../../lease/keeper/keeper.ts'
import type { LeaseState } from '../../lease/keeper/options.ts'
import type { LeaseLife } from '../../lease/lease.ts'
import { CLONE_ANSWERS_WITHIN_MS } from '../../lease/proof.ts'
import type { LeaseStore } from '../../lease/store.ts'
import { claimFor, type LeaseTerms } from '../../lease/terms.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Loop } from '../../time/loop.ts'
import { ChallengesTask } from './challenges-task.ts'
import { CloneTask } from './clone-task.ts'
import { etcdOutage } from './etcd-outage.ts'
import { LeaseFollower } from './lease-follower.ts'
import { reportLease } from './report-lease.ts'
import { StaleLeasesTask } from './stale-leases-task.ts'
import { StoreOutages } from '../../agent/managers/store-outages.ts'

/** The outside world as a lease in etcd sees it. */
export interface LeasePorts extends Pick<AgentPorts, 'clock' | 'random' | 'log' | 'conditions' | 'counts'> {
  readonly store: LeaseStore & Challenges
}

export interface HeldLeaseInput {
  readonly ports: LeasePorts
  /** Renewed at the latest this long before expiry, in milliseconds. */
  readonly renewMarginMs: number
  readonly acquired: Acquired
  readonly holding: Holding
}

/** As we ask, and as we answer who asks. */
interface Holder extends Challenger {
  since: Revision
}

/** A lease in etcd for as long as it is ours: its keeper, who follows the leases of all, and who answers for it. */
export class HeldLease implements HeldSubnet {
  readonly tasks: readonly Task[]
  readonly overwrites: HeldSubnet['overwrites'] = new Map()
  readonly #lease: Lease
  /** Subnets of former leases, which ours tells of. */
  readonly #earlier: readonly Prefix[]
  readonly #keeper: LeaseKeeper
  #lost: string | undefined

  constructor(input: HeldLeaseInput) {
    const { ports, acquired, holding } = input
    const { terms, peers, isForwarding } = holding
    const { list, record, lease, how } = acquired
    const ourselves: Holder = { ...terms.node, instance: terms.instance, since: list.revision }
    this.#lease = lease
    this.#earlier = earlierSubnets(record)
    const makeWay = (reason: string): void => {
      this.#keeper.makeWay(reason)
    }
    const isDoubtful = how === 'kept' || how === 'updated'
    const clones = new CloneTask({ ...ports, key: record.key, isDoubtful, ourselves, makeWay })
    const keeper = makeKeeper(input, ourselves, clones)
    this.#keeper = keeper
    const onBack = (): void => {
      keeper.renewSoon()
      clones.afterOutage()
    }
    const outages = new StoreOutages({ ...ports, condition: etcdOutage(ports.conditions), onBack, isForwarding })
    const staleLeases = new StaleLeasesTask({ ...ports, ourselves, own: keeper, makeWay })
    this.tasks = [
      new LeaseFollower({ ports, keeper, staleLeases, peers, outages, list, ownRevision: record.modRevision }),
      { name: 'lease', roundMs: ROUND_MS.etcd, run: (loop) => this.#hold(loop) },
      staleLeases,
      new ChallengesTask({
        ...ports,
        key: record.key,
        ourselves,
        onAsked: (asker) => {
          clones.observe(asker)
        },
      }),
      clones,
    ]
  }

  /** Another machine that has our node id made us give the lease up. */
  get hasMetClone(): boolean {
    return this.#keeper.hasMetClone
  }

  get lost(): string | undefined {
    return this.#lost
  }

  get life(): LeaseLife | undefined {
    return this.#keeper.life
  }

  publish(terms: LeaseTerms): void {
    const subnets = this.#lease.families.map(({ subnet }) => subnet)
    this.#keeper.publish(encodeLease(claimFor(terms, subnets, undefined, this.#earlier, this.#lease)))
  }

  async #hold(loop: Loop): Promise<void> {
    this.#lost = await this.#keeper.hold(loop)
  }
}

function makeKeeper(
  { ports, acquired: { record }, holding: { terms }, renewMarginMs }: HeldLeaseInput,
  ourselves: Holder,
  clones: CloneTask,
): LeaseKeeper {
  const { store, clock, random } = ports
  const onState = (state: LeaseState, what: string): void => {
    // whoever was asked about it has made way, or did not answer: the hold begins anew
    if (state.is === 'held' && ourselves.since === JUST_NOW) ourselves.since = state.record.modRevision
    reportLease(ports, record.key, state, what)
  }
  const ask = (signal: AbortSignal): Promise<Challenger | undefined> =>
    store.ask(record.key, ourselves, CLONE_ANSWERS_WITHIN_MS, signal)
  const onDoubt = (): void => {
    clones.suspect()
  }
  const onInterrupted = (): void => {
    ourselves.since = JUST_NOW
  }
  const told = { challenge: ask, onState, onDoubt, onInterrupted }
  return new LeaseKeeper(record, { store, terms, ourselves, clock, random, renewMarginMs, ...told })
}
