import { vxlanLease, type Lab } from '../lab/index.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'
import { GRACE_SECONDS } from './fault.ts'
import type { SeededRandom } from './random.ts'

/** How many there are on the whole, and at most. */
const USUAL = 100
const MOST = 200

/** How long an agent may keep a peer that etcd has lost with most others, in milliseconds: first it has to notice. */
const GRACE_MS = (GRACE_SECONDS + 40) * 1000

/** How soon after a wipe the last agent has listed again. */
const LISTED_WITHIN_MS = 40_000

const hex = (octet: number): string => (octet & 0xff).toString(16).padStart(2, '0')

/** Number `index` of the /20 subnets from 10.128.0.0 on: above what hosts are given by the network configuration. */
const nameOf = (index: number): string => `10.${128 + (index >> 4)}.${(index & 15) << 4}.0-20`

/** Its lease in the given generation: every one has another MAC and another address. */
const valueOf = (index: number, generation: number): string =>
  vxlanLease(
    `172.${16 + (generation & 15)}.${index >> 8}.${index & 0xff}`,
    `02:50:${hex(generation >> 8)}:${hex(generation)}:${hex(index >> 8)}:${hex(index)}`,
  )

/** Peers that exist in etcd only. What they are is kept here, so that they can publish themselves again as living nodes would. */
export class FakePeers {
  readonly #lab: Lab
  /** Generation of each that is there, by index. */
  readonly #present = new Map<number, number>()
  /** Lease names that etcd lost, and until when an agent may hold them on the monotonic clock. */
  readonly #lost = new Map<string, number>()
  #wipedAtMs = -Infinity
  #used = 0
  #generation = 0

  constructor(lab: Lab) {
    this.#lab = lab
  }

  /** The usual number of them, all at once. */
  async populate(): Promise<void> {
    while (this.#present.size < USUAL) this.#present.set(this.#used++, this.#generation)
    await this.republish()
  }

  /** Adds one or removes one, whichever brings their number nearer to the usual. */
  async addOrRemove(random: SeededRandom): Promise<void> {
    const add = random.next() * MOST > this.#present.size
    await (add ? this.#add(random) : this.#remove(random))
  }

  /** Gives one another MAC and address. */
  async change(random: SeededRandom): Promise<void> {
    const index = random.pick([...this.#present.keys()])
    if (index !== undefined) await this.#put(index)
  }

  /** Writes all of them again. */
  async republish(): Promise<void> {
    await this.#lab.putLeases(
      [...this.#present].map(([index, generation]) => [nameOf(index), valueOf(index, generation)]),
    )
  }

  /** Etcd has lost all; this many of them will not come back. */
  lose(count: number, random: SeededRandom): void {
    this.#wipedAtMs = performance.now()
    for (let at = 0; at < count; at++) {
      const index = random.pick([...this.#present.keys()])
      if (index === undefined) return
      this.#present.delete(index)
      this.#lost.set(nameOf(index), performance.now() + GRACE_MS)
    }
  }

  /** Milliseconds until no agent may hold a lost peer any more. */
  graceLeftMs(): number {
    return Math.max(0, ...[...this.#lost.values()].map((untilMs) => untilMs - performance.now()))
  }

  /** Subnets of those that an agent may hold or not. */
  graceSubnets(): ReadonlySet<string> {
    for (const [name, untilMs] of this.#lost) if (untilMs < performance.now()) this.#lost.delete(name)
    return new Set([...this.#lost.keys()].map((name) => name.replace('-', '/')))
  }

  async #add(random: SeededRandom): Promise<void> {
    const old = random.between(0, Math.max(0, this.#used - 1))
    const reuse = random.next() < 0.5 && !this.#present.has(old) && !this.#lost.has(nameOf(old))
    await this.#put(reuse ? old : this.#used++)
  }

  async #put(index: number): Promise<void> {
    this.#generation++
    this.#present.set(index, this.#generation)
    await this.#lab.putLease(nameOf(index), valueOf(index, this.#generation))
  }

  async #remove(random: SeededRandom): Promise<void> {
    const index = random.pick([...this.#present.keys()])
    if (index === undefined) return
    this.#present.delete(index)
    // An agent that lists only after that cannot tell whether the wipe or somebody took it.
    if (performance.now() - this.#wipedAtMs < LISTED_WITHIN_MS)
      this.#lost.set(nameOf(index), performance.now() + GRACE_MS)
    await this.#lab.etcdctl('del', `${ETCD_PREFIX}/subnets/${nameOf(index)}`)
  }
}
