import type { Conditions } from '../runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'

export interface ChecksumTaskInput {
  readonly ports: {
    /** Packets that came in with a wrong checksum since the start of the host; undefined: nobody says. */
    readonly readChecksumErrors: () => Promise<number | undefined>
    readonly conditions: Pick<Conditions, 'fails' | 'holds'>
  }
}

const EVERY_MS = 30_000
/** Fewer in that time may be anybody's. */
const SUSPICIOUS = 10

/**
 * Watches for packets that come in with wrong checksums: what a card, or a kernel, that computes those of tunnels wrongly looks like from
 * the other side, where large transfers hang and nothing else says why.
 */
export class ChecksumTask implements Task {
  readonly name = 'checksums of what comes in'
  readonly roundMs = ROUND_MS.kernel
  readonly #input: ChecksumTaskInput

  constructor(input: ChecksumTaskInput) {
    this.#input = input
  }

  async run({ signal, rest }: TaskContext): Promise<void> {
    const { readChecksumErrors, conditions } = this.#input.ports
    let before = await readChecksumErrors()
    while (!isStopped(signal)) {
      await rest(EVERY_MS)
      const now = await readChecksumErrors()
      if (isStopped(signal)) return
      const rise = now === undefined || before === undefined ? 0 : now - before
      before = now
      if (rise >= SUSPICIOUS) conditions.fails('checksums', reasonFor(rise), 'degraded', { subject: 'rise' })
      else conditions.holds('checksums')
    }
  }
}

const reasonFor = (rise: number): string =>
  `${rise} packets came in with wrong checksums within ${EVERY_MS / 1_000} s, and were dropped: the card or the kernel ` +
  'of a host that sends here computes them wrongly; flanneld doctor says more'
