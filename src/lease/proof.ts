import type { Challenger, Challenges } from './challenges.ts'
import { CloneError, RivalError } from './errors.ts'
import type { Lease } from './lease.ts'
import { StoreError } from './store.ts'
import type { LeaseTerms } from './terms.ts'

/** All nodes of one etcd together ask it so often for a sign of life, in a second: a twelfth of a processor, more or less. */
const ASKED_PER_SECOND = 500
/** Up to 2 500 nodes; in milliseconds. */
const LEAST_MS = 5_000
/** However many: firewalls and balancers forget a connection after a minute at the earliest. In milliseconds. */
const MOST_MS = 30_000

/** How long nothing may be heard of etcd before it is asked for a sign of life, in milliseconds. @param leases that are in etcd: so many ask */
export const quietMs = (leases: number): number =>
  Math.min(Math.max((leases * 1_000) / ASKED_PER_SECOND, LEAST_MS), MOST_MS)

/**
 * How long a rival has for its answer, in milliseconds. An agent of ours notices within 5 s of the silence that it bears ({@link quietMs})
 * that its connection to etcd is dead, and has another within 5 s more, so one that lives answers in this time even if its connection died
 * just before it was asked: 20 s up to 2 500 leases, 45 s at most.
 */
export const rivalAnswersWithinMs = (leases: number): number => quietMs(leases) + 15_000

/**
 * How long the holder of a lease with our own node id has. Shorter, for this is the way of every reboot and the answer is nearly
 * always silence; a copied machine id is a fault that shows at the next start again.
 */
export const CLONE_ANSWERS_WITHIN_MS = 3_000

/** A holder that was asked and is to be taken for dead, or one whom we may not ask. */
export type Silence = 'silent' | 'forbidden'

/**
 * Asks the holder of a lease that has our PublicIP and another node's id.
 * @param waitMs as {@link rivalAnswersWithinMs}
 * @throws {RivalError} when it lives, or when we may not ask: then it may live
 * @throws {StoreError} when the store was out of reach meanwhile
 */
export async function expectDead(
  challenges: Challenges,
  rival: Lease,
  terms: LeaseTerms,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const answer = await ask(challenges, rival.key, terms, waitMs, signal)
  if (answer !== 'silent') throw new RivalError(rival, sharedAddress(rival, terms), challengerOf(answer))
}

/**
 * Asks the holder of a lease that has our node id but that this host does not know for its own.
 * @returns `forbidden` when we may not ask: it is ours as far as anybody can tell
 * @throws {CloneError} when another machine answers
 * @throws {StoreError} when the store was out of reach meanwhile
 */
export async function expectNoClone(
  challenges: Pick<Challenges, 'ask'>,
  own: Lease,
  terms: Pick<LeaseTerms, 'node' | 'instance'>,
  signal: AbortSignal,
): Promise<Silence> {
  const answer = await ask(challenges, own.key, terms, CLONE_ANSWERS_WITHIN_MS, signal)
  const clone = challengerOf(answer)
  if (clone !== undefined) throw new CloneError(own, clone)
  return answer === 'forbidden' ? 'forbidden' : 'silent'
}

const challengerOf = (answer: Challenger | Silence): Challenger | undefined =>
  typeof answer === 'string' ? undefined : answer

async function ask(
  challenges: Pick<Challenges, 'ask'>,
  key: string,
  { node, instance }: Pick<LeaseTerms, 'node' | 'instance'>,
  waitMs: number,
  signal: AbortSignal,
): Promise<Challenger | Silence> {
  try {
    const answer = await challenges.ask(key, { ...node, instance }, waitMs, signal)
    return answer === undefined || answer.instance === instance ? 'silent' : answer
  } catch (error) {
    if (error instanceof StoreError && error.code === 'PERMISSION_DENIED') return 'forbidden'
    throw error
  }
}

const sharedAddress = (lease: Lease, terms: LeaseTerms): string =>
  lease.families.find(({ family, publicIp }) => terms.publicIps.get(family)?.text === publicIp.text)?.publicIp.text ??
  'unknown'
