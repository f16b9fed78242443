import type { Family, Ip } from '../../net/ip.ts'
import type { EchoSocket } from '../echo-socket.ts'
import { lossOf, type Row } from './row.ts'
import { REACHES, type PeerReach, type Reach, type UnderlayAnswer } from '../reach.ts'
import { Roster } from './roster.ts'
import { Targets, type Target } from './targets.ts'

/** How peers of one family are asked at present. */
export interface Way {
  readonly socket: EchoSocket
  /** Our address on the overlay, and on the underlay. */
  readonly from: Ip
  readonly underlayFrom: Ip
  /** Largest IP packet of the overlay, in octets. */
  readonly mtu: number
}

/** Peers, what is known of each, and how they are asked. */
export class PeerBook {
  readonly roster = new Roster()
  readonly targets = new Targets()
  readonly #ways = new Map<Family, Way>()
  /** Since when a family is not asked, on the monotonic clock, in milliseconds. */
  readonly #stoppedMs = new Map<Family, number>()
  readonly #underlay: (slot: number) => UnderlayAnswer | undefined

  /** @param underlay what the underlay says of a peer */
  constructor(underlay: (slot: number) => UnderlayAnswer | undefined) {
    this.#underlay = underlay
  }

  way(slot: number): Way | undefined {
    const family = this.targets.family(slot)
    return family === undefined ? undefined : this.#ways.get(family)
  }

  /** Each that is asked at present. */
  get ways(): ReadonlyMap<Family, Way> {
    return this.#ways
  }

  setWay(family: Family, way: Way | undefined, nowMs: number): void {
    if (way === undefined) {
      this.#ways.delete(family)
      if (!this.#stoppedMs.has(family)) this.#stoppedMs.set(family, nowMs)
    } else {
      this.#ways.set(family, way)
      this.#stoppedMs.delete(family)
    }
  }

  /** Of a family that is not asked, nothing is known. */
  reach(key: string, family: Family): PeerReach | undefined {
    const slot = this.targets.slot(key, family)
    if (slot === undefined) return undefined
    const stoppedMs = this.#stoppedMs.get(family)
    const row = this.roster.read(slot)
    return stoppedMs === undefined ? this.reachOf(row, slot) : { ...UNKNOWN, sinceMs: Math.max(row.sinceMs, stoppedMs) }
  }

  reachOf(row: Row, slot: number): PeerReach {
    const { reach, sinceMs, rttMs, passes, hasAnswered, heardMs } = row
    const loss = lossOf(row)
    const underlay = reach === 'unreachable' ? this.#underlay(slot) : undefined
    return {
      ...{ reach, sinceMs, loss, hasAnswered },
      ...(!Number.isNaN(rttMs) && { rttMs }),
      ...(passes !== 0 && reach === 'mtu' && { passesOctets: passes }),
      ...(underlay !== undefined && { underlay }),
      ...(!Number.isNaN(heardMs) && { heardMs }),
    }
  }

  /** How many peers are judged how; each counts in each family that it has. */
  counts(family?: Family): Record<Reach, number> {
    const counts = { unreachable: 0, mtu: 0, lossy: 0, unknown: 0, reachable: 0 }
    for (const own of family === undefined ? FAMILIES : [family])
      for (const reach of REACHES) counts[this.#ways.has(own) ? reach : 'unknown'] += this.roster.count(reach, own)
    return counts
  }

  /** Peers of a family that are judged so. */
  *judged(family: Family, reach: Reach): Generator<NamedReach> {
    for (const slot of this.roster.slots()) {
      if (this.targets.family(slot) !== family || this.roster.reach(slot) !== reach) continue
      const target = this.targets.of(slot)
      if (target !== undefined) yield { target, reach: this.reachOf(this.roster.read(slot), slot) }
    }
  }
}

export interface NamedReach {
  readonly target: Target
  readonly reach: PeerReach
}

const FAMILIES = [4, 6] as const
const UNKNOWN = { reach: 'unknown', loss: 0 } as const satisfies Partial<PeerReach>
