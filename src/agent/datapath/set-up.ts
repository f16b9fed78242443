import type { PeerTable } from '../../lease/peers/peer-table.ts'
import type { Family } from '../../net/ip.ts'
import type { PassReport } from '../../reconcile/reconciler.ts'
import type { AgentPorts } from '../runtime/ports.ts'

type Done = Pick<PassReport, 'written' | 'erased' | 'failures'>

export interface SetUpReportInput {
  readonly families: readonly Family[]
  readonly ports: Pick<AgentPorts, 'log' | 'kernelWrites'>
  readonly peers: Pick<PeerTable<unknown>, 'size' | 'rejected'>
  /** Called once for each family, when it forwards. */
  readonly onFamily: (family: Family) => void
}

/** Knows which families forward already, and says once that all do. */
export class SetUpReport {
  readonly #waiting: Set<Family>
  readonly #ports: SetUpReportInput['ports']
  readonly #peers: SetUpReportInput['peers']
  readonly #onFamily: (family: Family) => void
  readonly #done: Done[] = []

  constructor({ families, ports, peers, onFamily }: SetUpReportInput) {
    this.#waiting = new Set(families)
    this.#ports = ports
    this.#peers = peers
    this.#onFamily = onFamily
  }

  /** The device and the tables of this family are complete for the first time; later calls do nothing. */
  forwards(family: Family, done: Done): void {
    if (!this.#waiting.delete(family)) return
    this.#done.push(done)
    this.#onFamily(family)
    if (this.#waiting.size > 0) return
    const sum = (count: (one: Done) => number): number => this.#done.reduce((total, one) => total + count(one), 0)
    const fields = {
      peers: this.#peers.size,
      rejected: this.#peers.rejected.size,
      written: sum(({ written }) => written),
      erased: sum(({ erased }) => erased),
      failed: sum(({ failures }) => failures.length),
      kernelWrites: this.#ports.kernelWrites(),
    }
    this.#ports.log.info('forwarding is set up', fields, { kind: 'overlay-complete' })
  }
}
