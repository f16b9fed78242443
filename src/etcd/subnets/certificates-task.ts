import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import type { Loop } from '../../time/loop.ts'
import type { Wakeup } from '../../time/wakeup.ts'

/** A certificate of ours, of the CA or of etcd. */
export interface KnownCertificate {
  /** Which, in words: `the certificate in --etcd-certfile`. */
  readonly what: string
  /** Its end, as wall-clock time. */
  readonly toMs: number
}

/** The files of certificates and keys that etcd is met with. */
export interface CertificateFiles {
  /** Reads them again. Never fails. */
  look(): {
    /** What is the matter with them; undefined: nothing. */
    readonly problem: string | undefined
    /** Whether there are good ones from before, which stay in use. */
    readonly inUse: boolean
    readonly validities: readonly KnownCertificate[]
  }
}

export interface CertificatesInput {
  readonly files: CertificateFiles
  readonly conditions: ConditionReports
  /** Wall-clock time, in milliseconds. */
  readonly wallMs: () => number
  /** Rung when the files are to be looked at now. */
  readonly bell?: Wakeup | undefined
}

const LOOK_EVERY_MS = 60_000
/** While something is the matter: a rotation writes one file after the other. */
const LOOK_AGAIN_MS = 5_000
const DAY_MS = 86_400_000
/** A certificate that ends sooner than this is named. */
const WARNED_BEFORE_MS = 14 * DAY_MS

/** Watches the certificates for etcd: that the files fit together, and that none of them ends unnoticed. */
export class CertificatesTask implements Task {
  readonly name = 'certificates'
  readonly roundMs = ROUND_MS.files
  readonly #input: CertificatesInput
  #looksWrong = 0

  constructor(input: CertificatesInput) {
    this.#input = input
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      const { problem, inUse, validities } = this.#input.files.look()
      this.#reportProblem(problem, inUse)
      this.#reportEnds(validities)
      await rest(problem === undefined ? LOOK_EVERY_MS : LOOK_AGAIN_MS, this.#input.bell)
    }
  }

  /** In the middle of a rotation files do not fit, and a moment later they do: that is said to nobody. */
  #reportProblem(problem: string | undefined, inUse: boolean): void {
    const { conditions } = this.#input
    this.#looksWrong = problem === undefined ? 0 : this.#looksWrong + 1
    if (problem === undefined) conditions.holds('certificates of etcd')
    else if (!inUse) conditions.fails('certificates of etcd', problem, 'unready', { isOfSession: false })
    else if (this.#looksWrong > 1)
      conditions.fails('certificates of etcd', `${problem}; those from before stay in use`, 'degraded', {
        isOfSession: false,
      })
  }

  #reportEnds(validities: readonly KnownCertificate[]): void {
    const { conditions, wallMs } = this.#input
    const nowMs = wallMs()
    const ending = validities.filter(({ toMs }) => toMs - nowMs < WARNED_BEFORE_MS)
    if (ending.length === 0) {
      conditions.holds('expiry of certificates')
      return
    }
    const reason = [...new Set(ending.map((one) => endOf(one, nowMs)))].join('; ')
    const effect = ending.some(({ toMs }) => toMs <= nowMs) ? 'degraded' : 'none'
    conditions.fails('expiry of certificates', reason, effect, { isOfSession: false, repeats: false, level: 'warn' })
  }
}

function endOf({ what, toMs }: KnownCertificate, nowMs: number): string {
  const day = new Date(toMs).toISOString().slice(0, 10)
  if (toMs <= nowMs) return `${what} has ended on ${day}`
  const days = Math.floor((toMs - nowMs) / DAY_MS)
  return `${what} ends on ${day}, in ${days} ${days === 1 ? 'day' : 'days'}`
}
