import type { EntriesByFamily } from '../../backend/judge.ts'
import type { PeerChange } from '../../lease/peers/peer-table.ts'
import type { LogFields, Logger } from '../../observe/logger.ts'
import type { Clock } from '../../time/clock.ts'
import { RateLimit } from '../../time/rate-limit.ts'

/** Of more changes at once none is named: they are counted. */
const NAMED_AT_ONCE = 5
/** Ten thousand nodes that come and go one by one must not fill the log either. */
const NAMED = { burst: 30, everyMs: 6_000 }
/** Between two lines that count, in milliseconds. */
const COUNTED_EVERY_MS = 10_000

type Event = 'joined' | 'left' | 'moved'

/** Keys of docs/events.md. */
interface PeerFields {
  readonly node: string | undefined
  readonly publicIp: string
  /** Where it was before. */
  readonly from: string | undefined
  /** The key of its lease. */
  readonly subnet: string
}

interface Said {
  readonly event: Event
  readonly fields: PeerFields & LogFields
}

/**
 * Says which peers join, leave and move to another address: each by name where they are few, together in one line where they are many. At
 * `debug` each is named, and so is whatever else changes of a peer.
 */
export class PeerLog {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #named: RateLimit
  /** Whether anybody reads what is said at `debug`. */
  readonly #isVerbose: boolean
  #unsaid = new Map<Event, number>()
  /** When the next line may count, on the monotonic clock. */
  #countedAgainMs = Number.NEGATIVE_INFINITY

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }, isVerbose = true) {
    this.#clock = clock
    this.#isVerbose = isVerbose
    this.#log = log
    this.#named = new RateLimit(clock, NAMED)
  }

  /** @param areMore these are some of many that changed at once */
  say(changes: readonly PeerChange<EntriesByFamily>[], areMore = false): void {
    if (areMore && !this.#isVerbose) {
      for (const change of changes) this.#add(eventOf(change))
      return
    }
    const events: Said[] = []
    for (const change of changes) {
      const event = eventOf(change)
      if (event === undefined) this.#log.debug('peer changed', fieldsOf(change))
      else events.push({ event, fields: fieldsOf(change) })
    }
    for (const { event, fields } of events)
      if (!areMore && events.length <= NAMED_AT_ONCE && this.#named.take())
        this.#log.info(`peer ${event}`, fields, { kind: `peer-${event}` })
      else this.#count(event, fields)
  }

  /** In how many milliseconds {@link count} has something to say; undefined: it has nothing. */
  get dueInMs(): number | undefined {
    return this.#unsaid.size === 0 ? undefined : Math.max(0, this.#countedAgainMs - this.#clock.monotonicMs())
  }

  /** Says how many there were that were not named, if it is time. */
  count(peers: number): void {
    if (this.dueInMs !== 0) return
    const [joined, left, moved] = (['joined', 'left', 'moved'] as const).map((event) => this.#unsaid.get(event))
    this.#log.info('peers joined, left or moved', { joined, left, moved, peers }, { kind: 'peers-changed' })
    this.#unsaid = new Map()
    this.#countedAgainMs = this.#clock.monotonicMs() + COUNTED_EVERY_MS
  }

  #count(event: Event, fields: LogFields): void {
    this.#log.debug(`peer ${event}`, fields)
    this.#add(event)
  }

  #add(event: Event | undefined): void {
    if (event !== undefined) this.#unsaid.set(event, (this.#unsaid.get(event) ?? 0) + 1)
  }
}

/** Undefined: it is where it was, and has what it had. */
function eventOf({ before, entries }: PeerChange<EntriesByFamily>): Event | undefined {
  if (before === undefined) return 'joined'
  if (entries === undefined) return 'left'
  return addressesOf(before) === addressesOf(entries) ? undefined : 'moved'
}

const addressesOf = (entries: EntriesByFamily): string =>
  Array.from(entries.values(), ({ publicIp }) => publicIp.text).join(' ')

function fieldsOf({ key, before, entries }: PeerChange<EntriesByFamily>): Said['fields'] {
  const shown = entries ?? before ?? new Map<never, never>()
  const [first] = shown.values()
  const from = before !== undefined && entries !== undefined ? addressesOf(before) : undefined
  const publicIp = addressesOf(shown)
  return { node: first?.node, publicIp, from: from === publicIp ? undefined : from, subnet: key }
}
