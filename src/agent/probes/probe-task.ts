import type { EntriesByFamily } from '../../backend/judge.ts'
import type { Family } from '../../net/ip.ts'
import { Prober } from '../../probe/asking/prober.ts'
import { Slices } from '../../time/slices.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { PeerSink } from '../peers/peer-sink.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'
import { echoTarget } from './echo-target.ts'
import { FamilyWays, type FamilyWaysInput } from './family-ways.ts'
import { ReachConditions } from './reach-conditions.ts'

export interface ProbeTaskInput extends Omit<FamilyWaysInput, 'ports'> {
  readonly ports: FamilyWaysInput['ports'] & Pick<AgentPorts, 'random' | 'entropy' | 'reaches'>
}

/** Conditions tell of what has lasted a moment, in milliseconds: peers that are lost together are named together. */
const TELL_AFTER_MS = 1_000
/** Of thousands, some are judged otherwise each second: so many milliseconds for each peer pass between two times, where that is longer. */
const TELL_EACH_MS = 0.5
/** Who never answered is told of otherwise after a while, so that it is looked at this often, in milliseconds. */
const TELL_AGAIN_MS = 60_000

/**
 * Asks peers whether packets arrive, for as long as there is a lease. It begins when the overlay stands, and rests while nothing can leave
 * this host.
 */
export class ProbeTask implements Task, PeerSink {
  readonly name = 'probes of peers'
  readonly roundMs = ROUND_MS.settings
  readonly #input: ProbeTaskInput
  readonly #ways: FamilyWays
  readonly #prober: Prober
  readonly #conditions: ReachConditions
  readonly #bell = new Wakeup()
  readonly #slices: Slices
  /** When conditions are told next, and were told last, on the monotonic clock. */
  #tellMs = Number.POSITIVE_INFINITY
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(input: ProbeTaskInput) {
    const { ports } = input
    this.#input = input
    this.#ways = new FamilyWays(input)
    this.#slices = new Slices(ports.clock)
    this.#prober = new Prober({
      ...ports,
      onChanges: (changes) => {
        ports.reaches.tell(changes)
        this.#tellMs = Math.min(this.#tellMs, Math.max(this.#nowMs, this.#toldMs + this.#tellApartMs) + TELL_AFTER_MS)
      },
    })
    const prober = this.#prober
    const lastAnswerMs = (family: Family): number | undefined => prober.lastAnswerMs(family)
    this.#conditions = new ReachConditions({ ...ports, book: prober.book, lastAnswerMs })
  }

  setPeer(key: string, entries: EntriesByFamily | undefined): void {
    for (const { overlay, routesOn } of this.#input.own) {
      const { family } = overlay
      const peer = entries?.get(family)
      const address = peer && echoTarget(peer, routesOn)
      if (peer === undefined || address === undefined) this.#prober.removePeer(key, family)
      else this.#prober.setPeer({ key, family, address, peer })
    }
  }

  allowPruning(): void {
    // nothing is kept of peers that are gone
  }

  wake(): void {
    this.#tellMs = Math.min(this.#tellMs, this.#nowMs + TELL_AFTER_MS)
    this.#bell.ring()
  }

  /** Of what carries containers' packets, in octets. */
  setMtu(family: Family, mtu: number): void {
    this.#ways.setMtu(family, mtu)
    this.#bell.ring()
  }

  async run({ signal, rest }: TaskContext): Promise<void> {
    const { reaches, conditions } = this.#input.ports
    const unsubscribe = conditions.subscribe(() => {
      this.#bell.ring()
    })
    reaches.begin(this.#source())
    try {
      while (!isStopped(signal)) {
        await this.#followWays()
        if (isStopped(signal)) break
        const turnInMs = this.#prober.turn()
        if (this.#nowMs >= this.#tellMs) this.#tell()
        await rest(Math.min(turnInMs, this.#tellMs - this.#nowMs, this.#ways.nextMs - this.#nowMs), this.#bell)
      }
    } finally {
      unsubscribe()
      reaches.end('there is no lease')
      this.#prober.close()
      this.#ways.close()
    }
  }

  get #tellApartMs(): number {
    return Math.max(TELL_AFTER_MS, this.#prober.book.roster.size * TELL_EACH_MS)
  }

  get #nowMs(): number {
    return this.#input.ports.clock.monotonicMs()
  }

  #source(): Parameters<AgentPorts['reaches']['begin']>[0] {
    const [prober, ways, bell] = [this.#prober, this.#ways, this.#bell]
    return {
      reach: (key, family) => prober.book.reach(key, family),
      counts: (family) => prober.book.counts(family),
      askNow: (keys) => {
        const asked = prober.askNow(keys)
        bell.ring()
        return asked
      },
      get totals() {
        return prober.totals
      },
      get isOn() {
        return prober.book.ways.size > 0
      },
      get why() {
        return ways.why
      },
    }
  }

  async #followWays(): Promise<void> {
    for (const own of this.#input.own) {
      const { family } = own.overlay
      const wasAsked = this.#prober.book.ways.has(family)
      const way = this.#ways.look(own)
      await this.#slices.run(this.#prober.settingWay(family, way))
      if (wasAsked && way === undefined) this.#conditions.drop(family)
      if (!wasAsked && way !== undefined) this.#tellMs = Math.min(this.#tellMs, this.#nowMs + TELL_AFTER_MS)
    }
  }

  #tell(): void {
    this.#toldMs = this.#nowMs
    this.#tellMs = this.#nowMs + TELL_AGAIN_MS
    for (const family of this.#prober.book.ways.keys()) this.#conditions.tell(family)
  }
}
