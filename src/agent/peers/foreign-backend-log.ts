import type { Logger } from '../../observe/logger.ts'

/** Whoever invents types must not fill our memory or the log. */
const MOST_NAMED = 10

/** Says of peers with another backend that they are not ours: once per type, since there may be thousands of them. */
export class ForeignBackendLog {
  readonly #log: Logger
  readonly #said = new Set<string>()

  constructor(log: Logger) {
    this.#log = log
  }

  say(backendType: string): void {
    if (this.#said.has(backendType) || this.#said.size === MOST_NAMED) return
    this.#said.add(backendType)
    this.#log.info('peers of another backend are left alone', { backend: backendType })
  }
}
