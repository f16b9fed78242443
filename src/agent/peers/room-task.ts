import type { OverlayNetwork } from '../../config/network.ts'
import { isScarce, subnetCount, type FreeSubnets } from '../../lease/free-subnets.ts'
import type { Conditions } from '../runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'

export interface RoomTaskInput {
  readonly ports: { readonly conditions: Pick<Conditions, 'fails' | 'holds'> }
  readonly overlays: readonly OverlayNetwork[]
  /** Keys of leases that this node knows of, its own among them: each takes a subnet of each family, or none, if it names none. */
  readonly leases: () => number
  /** What is free. Asked where there are keys enough only: there may be very many. */
  readonly room: (overlay: OverlayNetwork) => FreeSubnets
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
    const { ports, overlays, leases, room } = this.#input
    const keys = BigInt(leases())
    const scarce = overlays
      .filter((overlay) => isScarce(keys, subnetCount(overlay)))
      .map(room)
      .find(({ taken, total }) => isScarce(BigInt(taken), BigInt(total)))
    if (scarce === undefined) ports.conditions.holds('free subnets')
    else {
      const { free, total, network } = scarce
      const reason = `${free} of ${total} subnets of ${network} are left for further hosts. Cure: flanneld leases shows whose they are; a larger Network or SubnetMax`
      ports.conditions.fails('free subnets', reason, 'none', { repeats: false, subject: network })
    }
  }
}
