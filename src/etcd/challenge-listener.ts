import type { Challenge } from '../lease/challenges.ts'
import { decodeChallenge } from './challenge-codec.ts'
import { followKeys } from './keys/follow.ts'
import type { KeyDelta, KeyRecord } from './keys/key.ts'
import type { WatchTools } from './keys/watch.ts'

/** Far more challenges to a page than one lease ever has at once. */
const CHALLENGES = { op: 'challenges', pageSize: 100 }

/** Of more that come together, only the newest are answered: no honest lease has so many, and whoever asks asks again. */
const MOST_AT_ONCE = 64

/**
 * Everything asked of one lease, over any number of lists and watches.
 * @param tools with the keyspace of the challenges to this lease
 */
export async function* listenToChallenges(
  tools: WatchTools,
  leaseKey: string,
  signal: AbortSignal,
): AsyncGenerator<Challenge, void, undefined> {
  for await (const seen of followKeys(tools, CHALLENGES, signal))
    yield* pending(leaseKey, seen.kind === 'all' ? seen.records : seen.changes.flatMap(written))
}

const written = (change: KeyDelta): readonly KeyRecord[] => (change.kind === 'put' ? [change.record] : [])

function pending(leaseKey: string, records: readonly KeyRecord[]): readonly Challenge[] {
  const unanswered = records
    .map(({ key: id, value, modRevision }) => ({ id, modRevision, ...decodeChallenge(value) }))
    .filter(({ by }) => by === undefined)
    .toSorted((a, b) => Number(a.modRevision - b.modRevision))
  return unanswered.slice(-MOST_AT_ONCE).map(({ id, from }) => ({ key: leaseKey, id, from }))
}
