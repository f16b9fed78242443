import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { Clock } from '../../time/clock.ts'
import type { Family } from '../../net/ip.ts'
import type { Health, HealthAnswer } from '../../observe/health-server.ts'
import { printable } from '../../text/printable.ts'
import type { Condition, Conditions, Effect } from './conditions.ts'
import { familyOfCondition } from './condition-order.ts'
import type { SessionView } from '../view/session-view.ts'
import { Subscribers } from './subscribers.ts'
import { Watchdog } from './watchdog.ts'
import { describeUnreachable, type UnreachablePeers } from './unreachable-peers.ts'

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

export interface StatusInput {
  readonly clock: Clock
  readonly conditions: Conditions
  readonly counts?: Pick<AgentCounts, 'late'>
}

/** Entries that somebody changes are right again within moments. What is wrong for longer does not heal by itself, in milliseconds. */
export const DRIFT_TOLERATED_MS = 30_000

/** The condition that the subnet file is written. */
export const SUBNET_FILE = 'subnet file'

const NO_LEASE = 'there is none yet'
const NOT_SET_UP = 'is not set up yet'
const NOT_WRITTEN = 'is not written yet'

/**
 * How this node is as a whole: the session and the tables, of which it is told, and on top of them and of all {@link Conditions} the
 * answers to whoever asks. They are worked out when somebody wants to know. Its own conditions follow from others, or are said by whoever
 * keeps the tables: the log does not say them.
 */
export class AgentStatus implements Health {
  readonly watchdog: Watchdog
  readonly #clock: Clock
  readonly #conditions: Conditions
  readonly #tables = new Map<Family, TablesState>()
  readonly #subscribers = new Subscribers()
  #subnet: string | undefined
  #session: SessionView | undefined
  /** Families that containers are started without, though they belong to the overlay. */
  #without: readonly Family[] = []
  /** Leases of others that break a rule, or wait for others that claim the same. */
  #rejected = 0

  constructor({ clock, conditions, counts }: StatusInput) {
    this.#clock = clock
    this.#conditions = conditions
    this.watchdog = new Watchdog(clock, (ms) => counts?.late(ms / 1_000))
    this.sessionEnded()
  }

  /** @param listener called when an answer may have become another; must not throw @returns ends the subscription */
  subscribe(listener: () => void): () => void {
    const ends = [this.#subscribers.subscribe(listener), this.#conditions.subscribe(listener)]
    return () => {
      for (const end of ends) end()
    }
  }

  /** A lease is held: for these families, tables are kept from now on. */
  sessionBegan(subnet: string, families: readonly Family[]): void {
    const conditions = this.#conditions
    this.#subnet = subnet
    this.#without = []
    this.#tables.clear()
    conditions.holds('lease')
    for (const family of families) conditions.fails(forwardingOf(family), NOT_SET_UP, 'unready', { says: false })
    conditions.holds('forwarding')
    this.#subscribers.notify()
  }

  /** The session of the lease that is held, as it is now; undefined: none is. */
  get session(): SessionView | undefined {
    return this.#session
  }

  /** The session that has begun shows this of itself. */
  shows(session: SessionView): void {
    this.#session = session
  }

  /** No lease is held. @param reason why it was lost; absent when there never was one */
  sessionEnded(reason = NO_LEASE): void {
    const conditions = this.#conditions
    this.#subnet = undefined
    this.#session = undefined
    this.#without = []
    this.#tables.clear()
    this.#rejected = 0
    conditions.sessionEnded()
    conditions.fails('lease', reason, 'unready', { says: false })
    conditions.fails('forwarding', NOT_SET_UP, 'unready', { says: false })
    conditions.fails(SUBNET_FILE, NOT_WRITTEN, 'unready', { says: false })
  }

  /** Containers are started without these families: what is missing of them keeps nobody waiting, but the node is not ready. */
  goesWithout(families: readonly Family[]): void {
    if (families.join() === this.#without.join()) return
    this.#without = families
    this.#subscribers.notify()
  }

  /** Where the tables of one family stand; undefined: nobody has looked. */
  tablesOf(family: Family): TablesState | undefined {
    return this.#tables.get(family)
  }

  /** All that fail, with the effect that it has on this node, those first that others follow from. */
  get failing(): readonly Condition[] {
    return this.#all()
  }

  #all(): readonly Condition[] {
    const isLeftOut = ({ what, effect }: Condition): boolean => {
      const family = familyOfCondition(what)
      return effect === 'unready' && family !== undefined && this.#without.includes(family)
    }
    return this.#conditions.all().map((one) => (isLeftOut(one) ? { ...one, effect: 'incomplete' } : one))
  }

  /** A look at the tables of one family has ended. */
  tables(family: Family, state: TablesState): void {
    const before = this.#tables.get(family)
    this.#tables.set(family, state)
    if (state.synced) this.#conditions.holds(forwardingOf(family))
    const { peers, pending, unreachable } = state
    this.#follow(`tables of IPv${family}`, amiss(pending - unreachable.rows), 'unready', DRIFT_TOLERATED_MS)
    const missing = unreachable.rows > 0 ? describeUnreachable(unreachable, peers) : undefined
    this.#follow(`peers of IPv${family}`, missing, 'degraded')
    if (before?.peers !== peers) this.#subscribers.notify()
  }

  /** So many leases of others are rejected. */
  rejected(leases: number): void {
    if (leases === this.#rejected) return
    this.#rejected = leases
    this.#subscribers.notify()
  }

  /** A condition fails for this reason, or (undefined) holds. */
  #follow(what: string, reason: string | undefined, effect: Effect, toleratedMs = 0): void {
    if (reason === undefined) this.#conditions.holds(what)
    else this.#conditions.fails(what, reason, effect, { says: false, toleratedMs })
  }

  get state(): Readiness {
    const all = this.#all()
    const told = (isMeant: (effect: Effect) => boolean): readonly string[] =>
      all.filter(({ effect }) => isMeant(effect)).map((one) => `${describe(one)} (for ${this.#ageSeconds(one)} s)`)
    const reasons = told((effect) => effect === 'unready' || effect === 'incomplete')
    return {
      ready: reasons.length === 0,
      startable: !all.some(({ effect }) => effect === 'unready'),
      reasons,
      degraded: told((effect) => effect === 'degraded'),
    }
  }

  /** Whether containers can be started here, and be reached. An outage of etcd only degrades: forwarding goes on as it is. */
  readiness(): HealthAnswer {
    const { ready, reasons, degraded } = this.state
    const conditions = this.#all().map(({ sinceMs, ...named }) => ({
      ...named,
      forSeconds: this.#ageSeconds({ sinceMs }),
    }))
    const subnet = this.#subnet ?? null
    return { ok: ready, body: { ready, reasons, degraded, subnet, ...this.#sums(), conditions } }
  }

  #ageSeconds({ sinceMs }: Pick<Condition, 'sinceMs'>): number {
    return Math.floor((this.#clock.monotonicMs() - sinceMs) / 1_000)
  }

  /** Whether every loop turns. A process that answers at all has an event loop that does. */
  liveness(): HealthAnswer {
    const stuck = this.watchdog.stuck.map(({ what, forMs }) => `${what} for ${Math.floor(forMs / 1_000)} s`)
    return { ok: stuck.length === 0, body: { alive: stuck.length === 0, stuck } }
  }

  /** For people who look at a list of services: `10.15.64.0/20, 41 peers, in step`. No times, so that it changes only with what it says. */
  get line(): string {
    const failing = this.#all().filter(({ effect }) => effect !== 'none')
    if (this.#subnet === undefined) return failing.map(describe)[0] ?? 'starting'
    const { peers, rejected } = this.#sums()
    const all = failing.map(describe).join('; ')
    const others = rejected === 0 ? [] : [`${counted(rejected, 'lease')} rejected`]
    return printable([this.#subnet, counted(peers, 'peer'), ...others, all || 'in step'].join(', '))
  }

  /**
   * What is so of whoever stops now, to follow the word `stopped`. Whether packets of an earlier run are forwarded is not ours to say.
   */
  get parting(): string {
    const all = this.#all()
    if (this.#subnet === undefined) return ' without a lease; what stands in the kernel is left as it is'
    if (all.some(({ what }) => FORWARDING.test(what)))
      return ' before the overlay was complete; what is programmed stays'
    const cause = all.find(({ what, effect }) => effect === 'unready' && what !== SUBNET_FILE)
    if (cause !== undefined) return ` while not ready (${describe(cause)}); what is programmed stays`
    const carries = this.#session?.families.some(({ device }) => device?.counts !== undefined)
    if (carries === true) return '; its device goes with it, and nothing is forwarded until flanneld is started again'
    return '; what is programmed in the kernel stays, so that forwarding goes on'
  }

  #sums(): Sums {
    const tables = [...this.#tables.values()]
    return {
      peers: Math.max(0, ...tables.map(({ peers }) => peers)),
      pending: tables.reduce((sum, { pending }) => sum + pending, 0),
      unreachable: new Set(tables.flatMap(({ unreachable }) => [...unreachable.reasons.keys()])).size,
      rejected: this.#rejected,
    }
  }
}

/** All families taken together. */
interface Sums {
  readonly peers: number
  readonly pending: number
  readonly unreachable: number
  readonly rejected: number
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

const describe = ({ what, reason }: Condition): string => `${what}: ${reason}`

/** The conditions that the overlay has been complete. */
const FORWARDING = /^forwarding( of IPv[46])?$/
const forwardingOf = (family: Family): string => `forwarding of IPv${family}`

const amiss = (rows: number): string | undefined => {
  if (rows <= 0) return undefined
  return rows === 1 ? '1 entry is not as it should be' : `${rows} entries are not as they should be`
}
