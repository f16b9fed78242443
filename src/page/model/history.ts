import { isRefusing, STORE_NAMES, type StatusDocument } from '../../status/document.ts'
import { missedOf, storeText, type Level } from './words.ts'

/** From here on, something was so. */
interface Turn {
  readonly atMs: number
  readonly level: Level
  readonly text: string
}

/** A row of the timeline. */
export interface Lane {
  readonly name: string
  readonly turns: readonly Turn[]
}

/** Turns that are kept of each lane: what is older than the oldest of them is forgotten. */
const MOST_TURNS = 500

type Reading = readonly [name: string, level: Level, text: string, since: string]

/** What this page has seen since it was opened, and since when that was so: a lane each for the node, the store, the lease and the peers. */
export class History {
  readonly #lanes = new Map<string, Turn[]>()

  get lanes(): readonly Lane[] {
    return Array.from(this.#lanes, ([name, turns]) => ({ name, turns }))
  }

  note(status: StatusDocument): void {
    for (const [name, level, text, since] of readingsOf(status)) {
      const turns = this.#lanes.get(name) ?? []
      this.#lanes.set(name, turns)
      const last = turns.at(-1)
      if (last?.text === text && last.level === level) continue
      const startMs = Date.parse(since)
      turns.push({ atMs: Math.max(startMs, last === undefined ? startMs : last.atMs), level, text })
      if (turns.length > MOST_TURNS) turns.shift()
    }
  }

  /** The agent does not answer: nobody knows how anything is. */
  lose(at: string): void {
    for (const turns of this.#lanes.values()) {
      const last = turns.at(-1)
      if (last?.text !== NOT_KNOWN) turns.push({ atMs: Date.parse(at), level: 'none', text: NOT_KNOWN })
    }
  }
}

const NOT_KNOWN = 'not known'

function readingsOf(status: StatusDocument): readonly Reading[] {
  const { at, agent, state, store, lease, peers, conditions } = status
  const [first] = conditions
  const nodeSince = first === undefined || state === 'ready' ? agent.startedAt : first.since
  const missed = missedOf(peers)
  const stateLevel = ({ ready: 'good', degraded: 'warn', unready: 'bad' } as const)[state]
  return [
    ['node', stateLevel, state, nodeSince],
    [STORE_NAMES[store.kind], store.isUp && !isRefusing(store) ? 'good' : 'bad', storeText(store), store.since],
    [
      'lease',
      lease === null ? 'bad' : 'good',
      lease === null ? 'none' : lease.subnets.join(', '),
      store.renewedAt ?? at,
    ],
    // Those that are not reached say since when; of the others it is known from now on.
    [
      'peers',
      missed > 0 ? 'bad' : 'good',
      missed > 0 ? `${missed} with a broken path` : 'no broken path',
      missedSince(status),
    ],
  ]
}

/** When the state of today's trouble began: with the last of those that have become unreachable. */
const missedSince = ({ at, peers }: StatusDocument): string =>
  peers.notReachable
    .map(({ reachSince }) => reachSince)
    .sort()
    .at(-1) ?? at
