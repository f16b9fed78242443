import { OTHER_NEIGHBOURS, roomCure, settingName, type NeighbourTable } from '../../kernel/neighbour-table.ts'
import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { Family } from '../../net/ip.ts'
import { prefixContains } from '../../net/prefix.ts'
import type { Clock } from '../../time/clock.ts'
import { Slices, type Steps } from '../../time/slices.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Conditions } from '../runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'
import type { SessionView } from '../view/session-view.ts'

export interface NeighbourTaskInput {
  /** The kernel's tables of neighbours; empty: it does not tell. Never rejects. */
  readonly readNeighbourTables: () => Promise<readonly NeighbourTable[]>
  readonly clock: Clock
  readonly conditions: Pick<Conditions, 'fails' | 'holds' | 'subscribe'>
  readonly counts: Pick<AgentCounts, 'neighbourOverflows'>
  /** The session that is held at the moment. */
  readonly status: { readonly session: Pick<SessionView, 'families' | 'peers'> | undefined }
}

const EVERY_MS = 30_000
/** After something else has begun to fail, which may be for this. */
const SOON_MS = 1_000
/** A table that was full is well when it has not been for so long, in milliseconds: it is full for moments. */
const QUIET_MS = 300_000
/** To go through ten thousand peers takes some 40 ms; what is short of room for {@link OTHER_NEIGHBOURS} may be known less exactly than that. */
const RECOUNT_SHARE = 16
/** Peers that are counted in between two steps. */
const AT_ONCE = 64

interface Look {
  readonly overflows: number
  readonly atMs: number
}

/** How many of so many peers are neighbours of ours, on an underlay. */
interface Counted {
  readonly peers: number
  readonly underlay: string
  readonly neighbours: number
}

/**
 * Watches for the kernel's tables of neighbours to be full, which loses packets to anybody, peers, gateways and etcd, and of which the
 * kernel's log alone tells. It runs whether there is a lease or not, since a full table can keep us from having one.
 */
export class NeighbourTask implements Task {
  readonly name = 'tables of neighbours'
  readonly roundMs = ROUND_MS.kernel
  readonly #ports: NeighbourTaskInput
  readonly #bell = new Wakeup()
  readonly #slices: Slices
  readonly #looks = new Map<Family, Look>()
  /** Those that are named as full, with when they were last. */
  readonly #full = new Map<Family, number>()
  readonly #counted = new Map<Family, Counted>()
  /** Something else has begun to fail, or has ended. */
  #isRung = false

  constructor(ports: NeighbourTaskInput) {
    this.#ports = ports
    this.#slices = new Slices(ports.clock)
  }

  async run({ signal, rest }: TaskContext): Promise<void> {
    const { readNeighbourTables, conditions } = this.#ports
    for (const table of await readNeighbourTables()) this.#rise(table)
    const unsubscribe = conditions.subscribe(() => {
      if (this.#full.size > 0) return
      this.#isRung = true
      this.#bell.ring()
    })
    try {
      while (!isStopped(signal)) {
        await rest(EVERY_MS, this.#bell)
        if (this.#isRung) await rest(SOON_MS)
        this.#isRung = false
        const tables = await readNeighbourTables()
        if (isStopped(signal)) return
        for (const table of tables) await this.#judge(table)
      }
    } finally {
      unsubscribe()
    }
  }

  async #judge(table: NeighbourTable): Promise<void> {
    const { conditions, clock } = this.#ports
    const { family } = table
    const what = `neighbour table of IPv${family}`
    const { overflows, overMs } = this.#rise(table)
    if (overflows > 0) {
      this.#full.set(family, clock.monotonicMs())
      const reason = `${tellOverflow(overflows, overMs)}${tellFull(table, this.#peers)}`
      conditions.fails(what, reason, 'degraded', { isOfSession: false, subject: 'overflows' })
    } else if (clock.monotonicMs() - (this.#full.get(family) ?? -Infinity) >= QUIET_MS) {
      this.#full.delete(family)
      conditions.holds(what)
    }
    await this.#judgeRoom(table)
  }

  /** How often it was full since the last look. */
  #rise({ family, overflows }: NeighbourTable): { readonly overflows: number; readonly overMs: number } {
    const { counts, clock } = this.#ports
    const atMs = clock.monotonicMs()
    const before = this.#looks.get(family) ?? { overflows, atMs }
    this.#looks.set(family, { overflows, atMs })
    const rise = Math.max(0, overflows - before.overflows)
    counts.neighbourOverflows.set(family, (counts.neighbourOverflows.get(family) ?? 0) + rise)
    return { overflows: rise, overMs: atMs - before.atMs }
  }

  get #peers(): number {
    return this.#ports.status.session?.peers.size ?? 0
  }

  /** Says that it will be full while it still is not. Of a session that has ended, the condition has, too. */
  async #judgeRoom(table: NeighbourTable): Promise<void> {
    const { conditions } = this.#ports
    const { family, most } = table
    const what = `room for neighbours of IPv${family}`
    const neighbours = await this.#slices.outcome(this.#count(table))
    if (neighbours === 0 || neighbours + OTHER_NEIGHBOURS <= most) {
      conditions.holds(what)
      return
    }
    conditions.fails(what, tellScarce(table, neighbours, this.#peers), 'none', { repeats: false, subject: `${most}` })
  }

  /** Counts only where there may be too many, and where their number is another by more than one in {@link RECOUNT_SHARE}. */
  *#count({ family, most, countsPermanent }: NeighbourTable): Steps<number> {
    const { session } = this.#ports.status
    const view = session?.families.find((one) => one.family === family)
    const peers = this.#peers
    if (session === undefined || view === undefined || 2 * peers + OTHER_NEIGHBOURS <= most) return 0
    const { prefix } = view.underlay
    const before = this.#counted.get(family)
    const isKnown = before?.underlay === prefix.text && Math.abs(peers - before.peers) * RECOUNT_SHARE <= before.peers
    if (isKnown) return before.neighbours
    let [neighbours, looked] = [0, 0]
    for (const [, entries] of session.peers.inForce()) {
      if (++looked % AT_ONCE === 0) yield
      const peer = entries.get(family)
      if (peer === undefined) continue
      if (prefixContains(prefix, peer.publicIp)) neighbours++
      if (countsPermanent && view.device !== undefined) neighbours++
    }
    this.#counted.set(family, { peers, underlay: prefix.text, neighbours })
    return neighbours
  }
}

const tellOverflow = (overflows: number, overMs: number): string =>
  `was full ${overflows === 1 ? 'once' : `${overflows} times`} within ${Math.round(overMs / 1_000)} s: `

const tellFull = ({ family, most }: NeighbourTable, peers: number): string =>
  'packets to whoever is not in it are lost, be it a peer, a gateway or etcd. The kernel has room for ' +
  `${most} entries (${settingName(family, 3)}), those of all containers included. Cure: ${roomCure(family, most, peers)}`

const tellScarce = ({ family, most }: NeighbourTable, neighbours: number, peers: number): string =>
  `peers take ${neighbours} entries of the kernel's table of neighbours, which has room for ${most} ` +
  `(${settingName(family, 3)}), those of all containers included; when it is full, packets are lost. ` +
  `Cure: ${roomCure(family, most, peers)}`
