interface Asker {
  readonly open: Set<number>
  readonly done: () => void
}

/** Whoever waits until certain peers are judged. */
export class Askers {
  readonly #askers = new Set<Asker>()

  /** @returns settles when each of these was settled once */
  wait(slots: readonly number[]): Promise<void> {
    if (slots.length === 0) return Promise.resolve()
    return new Promise((done) => this.#askers.add({ open: new Set(slots), done }))
  }

  /** Whether anybody waits. */
  get areThere(): boolean {
    return this.#askers.size > 0
  }

  /** Whether somebody waits for it. */
  has(slot: number): boolean {
    for (const { open } of this.#askers) if (open.has(slot)) return true
    return false
  }

  settle(slot: number): void {
    for (const asker of this.#askers)
      if (asker.open.delete(slot) && asker.open.size === 0) {
        this.#askers.delete(asker)
        asker.done()
      }
  }

  /** Nobody is judged any more. */
  settleAll(): void {
    for (const { done } of this.#askers) done()
    this.#askers.clear()
  }
}
