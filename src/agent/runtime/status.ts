import type { Clock } from '../../time/clock.ts'
import type { Family } from '../../net/ip.ts'
import type { Health, HealthAnswer } from '../../observe/health-server.ts'
import { Watchdog } from './watchdog.ts'
import { describeUnreachable, type UnreachablePeers } from './unreachable-peers.ts'

/**
 * What a trouble keeps from being said: that this node is ready, or only that all is well. Where something that was promised to
 * containers is missing (`incomplete`), they can be started all the same: whoever asks hears that the node is not ready, and whatever
 * is ordered after us is let go.
 */
export type Effect = 'unready' | 'incomplete' | 'degraded'

interface Trouble {
  readonly text: string
  readonly effect: Effect
  readonly sinceMs: number
  /** For so long it only degrades. */
  readonly toleratedMs: number
}

/** Whether this node forwards, and why not. */
export interface Readiness {
  readonly ready: boolean
  /** Whether containers can be started and be reached, though something else may be missing. */
  readonly startable: boolean
  readonly reasons: readonly string[]
  /** What is amiss and keeps nobody from forwarding. */
  readonly degraded: readonly string[]
}

/** Where one family's tables stand. */
export interface TablesState {
  readonly peers: number
  /** Rows that are not as they should be. */
  readonly pending: number
  /** Whether every row has been looked at, and put right, at least once. */
  readonly synced: boolean
  /** Whose rows the kernel refuses, for a reason that lies with them. */
  readonly unreachable: UnreachablePeers
}

/** Entries that somebody changes are right again within moments. What is wrong for longer does not heal by itself, in milliseconds. */
export const DRIFT_TOLERATED_MS = 30_000

/** Under which the subnet file's troubles are reported. */
export const SUBNET_FILE = 'subnet file'

const NO_LEASE = 'there is none yet'
const NOT_SET_UP = 'is not set up yet'
const NOT_WRITTEN = 'is not written yet'

/** What every node without a lease has. */
const CERTAIN = [
  ['lease', undefined],
  ['forwarding', NOT_SET_UP],
  [SUBNET_FILE, NOT_WRITTEN],
] as const

/**
 * The one place where tasks report what is so. Knows nothing of them and asks nobody: what follows from the reports is worked out
 * when somebody wants to know.
 */
export class AgentStatus implements Health {
  readonly watchdog: Watchdog
  readonly #clock: Clock
  readonly #troubles = new Map<string, Trouble>()
  readonly #tables = new Map<Family, TablesState>()
  #subnet: string | undefined
  /** Called when a report differs from the one before. Must not throw. */
  onChange: () => void = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.watchdog = new Watchdog(clock)
    this.sessionEnded()
  }

  /** Something is amiss. The same trouble in other words is as old as it was. */
  trouble(what: string, text: string, effect: Effect, toleratedMs = 0): void {
    const before = this.#troubles.get(what)
    this.#troubles.set(what, { text, effect, toleratedMs, sinceMs: before?.sinceMs ?? this.#clock.monotonicMs() })
    if (before?.text !== text || before.effect !== effect) this.onChange()
  }

  fine(what: string): void {
    if (this.#troubles.delete(what)) this.onChange()
  }

  /** A lease is held: for these families, tables are kept from now on. */
  sessionBegan(subnet: string, families: readonly Family[]): void {
    this.#subnet = subnet
    this.#tables.clear()
    this.fine('lease')
    for (const family of families) this.trouble(forwardingOf(family), NOT_SET_UP, 'unready')
    this.fine('forwarding')
    this.onChange()
  }

  /** No lease is held. @param reason why it was lost; absent when there never was one */
  sessionEnded(reason = NO_LEASE): void {
    this.#subnet = undefined
    this.#tables.clear()
    this.#troubles.clear()
    for (const [what, text] of CERTAIN) this.trouble(what, text ?? reason, 'unready')
  }

  /** A look at the tables of one family has ended. */
  tables(family: Family, state: TablesState): void {
    const before = this.#tables.get(family)
    this.#tables.set(family, state)
    if (state.synced) this.fine(forwardingOf(family))
    const { peers, pending, unreachable } = state
    this.#tell(`tables of IPv${family}`, amiss(pending - unreachable.rows), 'unready', DRIFT_TOLERATED_MS)
    const missing = unreachable.rows > 0 ? describeUnreachable(unreachable, peers) : undefined
    this.#tell(`peers of IPv${family}`, missing, 'degraded')
    if (before?.peers !== peers) this.onChange()
  }

  /** Something is amiss, or (undefined) is not. */
  #tell(what: string, text: string | undefined, effect: Effect, toleratedMs = 0): void {
    if (text === undefined) this.fine(what)
    else this.trouble(what, text, effect, toleratedMs)
  }

  get state(): Readiness {
    const nowMs = this.#clock.monotonicMs()
    const reasons: string[] = []
    const degraded: string[] = []
    let startable = true
    for (const [what, { text, effect, sinceMs, toleratedMs }] of this.#troubles) {
      const ageMs = nowMs - sinceMs
      const list = effect === 'degraded' || ageMs < toleratedMs ? degraded : reasons
      if (list === reasons && effect === 'unready') startable = false
      list.push(`${what}: ${text} (for ${Math.floor(ageMs / 1_000)} s)`)
    }
    return { ready: reasons.length === 0, startable, reasons, degraded }
  }

  /** Whether containers can be started here, and be reached. An outage of etcd only degrades: forwarding goes on as it is. */
  readiness(): HealthAnswer {
    const { ready, reasons, degraded } = this.state
    return { ok: ready, body: { ready, reasons, degraded, subnet: this.#subnet ?? null, ...this.#sums() } }
  }

  /** Whether every loop turns. A process that answers at all has an event loop that does. */
  liveness(): HealthAnswer {
    const stuck = this.watchdog.stuck.map(({ what, forMs }) => `${what} for ${Math.floor(forMs / 1_000)} s`)
    return { ok: stuck.length === 0, body: { alive: stuck.length === 0, stuck } }
  }

  /** For people who look at a list of services: `10.15.64.0/20, 41 peers, in step`. No times, so that it changes only with what it says. */
  get line(): string {
    const troubles = [...this.#troubles].map(([what, { text }]) => `${what}: ${text}`)
    // before there is a lease, what was met last says more than that there is none
    if (this.#subnet === undefined) return troubles.at(troubles.length > CERTAIN.length ? -1 : 0) ?? 'starting'
    const { peers } = this.#sums()
    return [this.#subnet, peers === 1 ? '1 peer' : `${peers} peers`, troubles.join('; ') || 'in step'].join(', ')
  }

  #sums(): { readonly peers: number; readonly pending: number } {
    const tables = [...this.#tables.values()]
    return {
      peers: Math.max(0, ...tables.map(({ peers }) => peers)),
      pending: tables.reduce((sum, { pending }) => sum + pending, 0),
    }
  }
}

const forwardingOf = (family: Family): string => `forwarding of IPv${family}`

const amiss = (rows: number): string | undefined => {
  if (rows <= 0) return undefined
  return rows === 1 ? '1 entry is not as it should be' : `${rows} entries are not as they should be`
}
