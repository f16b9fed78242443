import type { OverlayNetwork } from '../../config/network.ts'
import { isScarce, subnetCount } from '../../lease/free-subnets.ts'
import type { Conditions } from '../runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'

export interface RoomTaskInput {
  readonly ports: { readonly conditions: Pick<Conditions, 'fails' | 'holds'> }
  readonly overlays: readonly OverlayNetwork[]
  /** Leases that this node knows of, its own among them; each takes a subnet of each family. */
  readonly leases: () => number
}

/** Leases come and go one by one, in milliseconds. */
const EVERY_MS = 60_000

/** Says that the overlay is running out of subnets while there still are some: hosts that come after the last get none. */
export class RoomTask implements Task {
  readonly name = 'free subnets'
  readonly roundMs = ROUND_MS.kernel
  readonly #input: RoomTaskInput

  constructor(input: RoomTaskInput) {
    this.#input = input
  }

  async run({ signal, rest }: TaskContext): Promise<void> {
    while (!isStopped(signal)) {
      await rest(EVERY_MS)
      if (!isStopped(signal)) this.#look()
    }
  }

  /** Nothing of this node is worse for it: it is noted. */
  #look(): void {
    const { ports, overlays, leases } = this.#input
    const held = BigInt(leases())
    const scarce = overlays.find((overlay) => isScarce(held, subnetCount(overlay)))
    if (scarce === undefined) ports.conditions.holds('free subnets')
    else {
      const total = subnetCount(scarce)
      const free = total > held ? total - held : 0n
      const reason = `${free} of ${total} subnets of ${scarce.network.text} are left for further hosts. Cure: flanneld leases shows whose they are; a larger Network or SubnetMax`
      ports.conditions.fails('free subnets', reason, 'none', { repeats: false, subject: scarce.network.text })
    }
  }
}
