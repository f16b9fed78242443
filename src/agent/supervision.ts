import type { Clock } from '../net/clock.ts'
import { Wakeup } from '../net/wakeup.ts'
import type { AgentStatus } from './status.ts'
import { isStopped } from './tasks.ts'

/** Port: the service manager that started us. */
export interface Supervisor {
  /** It restarts us when it hears nothing for this long, in milliseconds; undefined: it does not care. */
  readonly watchdogMs: number | undefined
  /** Tells it these assignments (sd_notify(3)). Never throws and never waits. */
  tell(assignments: Readonly<Record<string, string>>): void
}

/** However often something changes, it is told at most this often, in milliseconds. */
const SPACING_MS = 200
/** Only a ring matters. */
const IDLE_MS = 3_600_000

/** Tells the service manager once that we are ready, how we are whenever that changes, and that we live for as long as we do. */
export class Supervision {
  readonly #status: AgentStatus
  readonly #supervisor: Supervisor
  readonly #clock: Clock
  readonly #changed = new Wakeup()
  /** Half of what it waits for, as sd_watchdog_enabled(3) advises. */
  readonly #everyMs: number | undefined
  #line = ''
  #isReady = false
  #aliveAtMs = Number.NEGATIVE_INFINITY

  constructor(status: AgentStatus, supervisor: Supervisor, clock: Clock) {
    this.#status = status
    this.#supervisor = supervisor
    this.#clock = clock
    this.#everyMs = supervisor.watchdogMs === undefined ? undefined : supervisor.watchdogMs / 2
    status.onChange = () => {
      this.#changed.ring()
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!isStopped(signal)) {
      const news = { ...this.#readiness(), ...this.#lineIfNew(), ...this.#signOfLife() }
      if (Object.keys(news).length > 0) this.#supervisor.tell(news)
      await this.#changed.wait(this.#clock, this.#nextSignMs() ?? IDLE_MS, signal)
      await this.#clock.sleep(Math.min(SPACING_MS, this.#nextSignMs() ?? SPACING_MS), signal)
    }
  }

  #readiness(): Readonly<Record<string, string>> {
    if (this.#isReady || !this.#status.state.ready) return {}
    this.#isReady = true
    return { READY: '1' }
  }

  #lineIfNew(): Readonly<Record<string, string>> {
    const { line } = this.#status
    if (line === this.#line) return {}
    this.#line = line
    return { STATUS: line }
  }

  #signOfLife(): Readonly<Record<string, string>> {
    const inMs = this.#nextSignMs()
    if (inMs === undefined || inMs > 0) return {}
    this.#aliveAtMs = this.#clock.monotonicMs()
    return this.#status.liveness().ok ? { WATCHDOG: '1' } : {}
  }

  #nextSignMs(): number | undefined {
    if (this.#everyMs === undefined) return undefined
    return Math.max(0, this.#aliveAtMs + this.#everyMs - this.#clock.monotonicMs())
  }
}
