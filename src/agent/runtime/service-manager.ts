import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { AgentStatus } from './status.ts'
import { isStopped, type Task } from './task.ts'

/** Port: the service manager that started us. */
export interface ServiceManager {
  /** It restarts us when it hears nothing for this long, in milliseconds; undefined: it does not care. */
  readonly watchdogMs: number | undefined
  /** Tells it these assignments (sd_notify(3)). Never throws and never waits. @returns whether it got there */
  tell(assignments: Readonly<Record<string, string>>): boolean
}

/** However often something changes, it is told at most this often, in milliseconds. */
const SPACING_MS = 200
/** What did not get there is told again this much later, in milliseconds. */
const AGAIN_MS = 5_000
/** Only a ring matters. */
const IDLE_MS = 3_600_000

/** Tells the service manager once that we are ready, how we are whenever that changes, and that we live for as long as we do. */
export class ServiceManagerTask implements Task {
  readonly name = 'service manager'
  readonly #status: AgentStatus
  readonly #serviceManager: ServiceManager
  readonly #clock: Clock
  readonly #changed = new Wakeup()
  /** Half of what it waits for, as sd_watchdog_enabled(3) advises. */
  readonly #everyMs: number | undefined
  #line = ''
  #isReady = false
  #aliveAtMs = Number.NEGATIVE_INFINITY

  constructor(status: AgentStatus, serviceManager: ServiceManager, clock: Clock) {
    this.#status = status
    this.#serviceManager = serviceManager
    this.#clock = clock
    this.#everyMs = serviceManager.watchdogMs === undefined ? undefined : serviceManager.watchdogMs / 2
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const unsubscribe = this.#status.subscribe(() => {
      this.#changed.ring()
    })
    while (!isStopped(signal)) {
      const isTold = this.#tell()
      const idleMs = isTold ? IDLE_MS : AGAIN_MS
      await rest(Math.min(idleMs, this.#nextSignMs() ?? idleMs), this.#changed)
      await rest(Math.min(SPACING_MS, this.#nextSignMs() ?? SPACING_MS))
    }
    unsubscribe()
  }

  /** @returns whether it knows all there is to know */
  #tell(): boolean {
    const { line, state } = this.#status
    const isReady = this.#isReady || state.startable
    const news = {
      ...(isReady && !this.#isReady && { READY: '1' }),
      ...(line !== this.#line && { STATUS: line }),
      ...this.#signOfLife(),
    }
    if (Object.keys(news).length > 0 && !this.#serviceManager.tell(news)) return false
    this.#isReady = isReady
    this.#line = line
    return true
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
