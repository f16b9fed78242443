import type { Challenges } from '../challenges.ts'
import type { Revision } from '../lease.ts'
import { expectDead, expectNoClone, rivalAnswersWithinMs } from '../proof.ts'
import { isOursBeyondDoubt, type LeaseTerms } from '../terms.ts'
import { isOlder } from './candidates.ts'
import type { Listed } from './listing.ts'

/** Holders of each kind asked in one acquisition, the oldest: one that lives is enough, and no flood of leases keeps us busy. */
const MOST_ASKED = 8

export interface ProofsInput {
  readonly store: Challenges
  /** Another machine with our node id was met: whatever this host shows of a lease, that one may hold it. */
  readonly isCloneKnown: boolean
  /** Told what the operator should read. */
  readonly warn: (warning: string) => void
}

/** Who is to be asked whether it lives. */
export interface Asked {
  readonly doubtful: readonly Listed[]
  readonly rivals?: readonly Listed[]
  /** As many leases are in the store: of more nodes each may take longer to answer. */
  readonly leases: number
}

/** Who was asked whether it lives, in one acquisition, and who is to be. */
export class Proofs {
  readonly #input: ProofsInput
  /** Leases whose holders did not answer, and the revision they were asked at: nobody is asked twice. */
  readonly #silent = new Map<string, Revision>()
  /** Leases of a flood whose holders were not asked. */
  readonly #leftAlone = new Set<string>()

  constructor(input: ProofsInput) {
    this.#input = input
  }

  /** Nothing is to be feared of this lease, as it stands: its holder is silent, or one of so many that they were left alone. */
  isSettled(listed: Listed): boolean {
    return this.#isSilent(listed) || this.#leftAlone.has(listed.record.key)
  }

  /**
   * Leases with our node id that another machine may hold: the one we would use, and those older than it, before which we would have to
   * make way; or all of them, when we would give them up.
   */
  doubtful(own: Listed | undefined, all: readonly Listed[], terms: LeaseTerms): readonly Listed[] {
    const isCertain = ({ lease }: Listed): boolean =>
      lease.node === undefined || (!this.#input.isCloneKnown && isOursBeyondDoubt(lease, terms))
    if (own !== undefined && isCertain(own)) return []
    const concerned = own === undefined ? all : all.filter((one) => one === own || isOlder(one, own))
    return concerned.filter((one) => !isCertain(one)).slice(0, MOST_ASKED)
  }

  /** Those that were asked before, and the oldest of the others, up to a limit. */
  worthAsking(rivals: readonly Listed[]): readonly Listed[] {
    const isKnown = ({ record }: Listed): boolean => this.#silent.has(record.key)
    const fresh = rivals.filter((rival) => !isKnown(rival))
    const chosen = fresh.slice(0, Math.max(MOST_ASKED - this.#silent.size, 0))
    const left = fresh.slice(chosen.length)
    for (const { record } of left) this.#leftAlone.add(record.key)
    if (left.length > 0)
      this.#input.warn(
        `${left.length} more leases of other nodes have our PublicIP; whether they live was not asked, and they are left alone`,
      )
    return [...rivals.filter(isKnown), ...chosen]
  }

  /**
   * Asks whoever must be silent before we write anything, all at once.
   * @throws {RivalError | CloneError | StoreError} as soon as one of them answers, or cannot be asked
   */
  async demand({ doubtful, rivals = [], leases }: Asked, terms: LeaseTerms, signal: AbortSignal): Promise<void> {
    const { store } = this.#input
    const waitMs = rivalAnswersWithinMs(leases)
    const enough = new AbortController()
    // one signal for each: a signal that many listen to at once is taken for a leak
    const asking = (): AbortSignal => AbortSignal.any([signal, enough.signal])
    const unasked = (listed: readonly Listed[]): readonly Listed[] => listed.filter((one) => !this.#isSilent(one))
    try {
      await Promise.all([
        ...unasked(doubtful).map((listed) => this.#expectNoClone(listed, terms, asking())),
        ...unasked(rivals).map(({ lease }) => expectDead(store, lease, terms, waitMs, asking())),
      ])
    } finally {
      enough.abort()
    }
    for (const { record } of [...doubtful, ...rivals]) this.#silent.set(record.key, record.modRevision)
  }

  async #expectNoClone({ lease }: Listed, terms: LeaseTerms, signal: AbortSignal): Promise<void> {
    const silence = await expectNoClone(this.#input.store, lease, terms, signal)
    if (silence === 'forbidden')
      this.#input.warn(
        `lease ${lease.key} carries our node id and is taken for ours, though whether another machine holds it we may not ask: ` +
          'the role in etcd needs readwrite permission on challenges/ too',
      )
  }

  #isSilent({ record }: Listed): boolean {
    return this.#silent.get(record.key) === record.modRevision
  }
}
