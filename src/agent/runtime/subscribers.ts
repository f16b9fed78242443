/** Whoever wants to hear that something has changed; what it is now, they ask. */
export class Subscribers {
  readonly #listeners = new Map<symbol, () => void>()

  /** @param listener must not throw @returns ends the subscription; also within a notification, from which on it hears nothing */
  subscribe(listener: () => void): () => void {
    const key = Symbol()
    this.#listeners.set(key, listener)
    return () => {
      this.#listeners.delete(key)
    }
  }

  /** Whoever subscribes while the others are told is told from the next time on. */
  notify(): void {
    for (const key of [...this.#listeners.keys()]) this.#listeners.get(key)?.()
  }
}
