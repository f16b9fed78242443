/**
 * A queue between a callback that produces and a loop that consumes. Unbounded: the producer is never stopped, so it fits facts
 * that must not be lost and whose number is bounded elsewhere. One consumer; leaving its loop early ends the queue.
 */
export class EventQueue<T> implements AsyncIterable<T> {
  #items: T[] = []
  #ended = false
  #abandoned = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  push(item: T): void {
    if (this.#ended) return
    this.#items.push(item)
    this.#wake?.()
  }

  /** What was pushed before still comes out; what is pushed after does not. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** As {@link EventQueue.end}, but the loop then throws. The first failure counts. */
  fail(error: Error): void {
    if (this.#ended) return
    this.#failure = error
    this.end()
  }

  /** Ends at once, dropping what nobody has taken yet. */
  abandon(): void {
    this.#abandoned = true
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const batch = this.#items
        this.#items = []
        for (const item of batch) {
          if (this.#abandoned) return
          yield item
        }
        if (this.#abandoned) return
        if (this.#items.length > 0) continue
        if (this.#failure !== undefined) throw this.#failure
        if (this.#ended) return
        await new Promise<void>((resolve) => (this.#wake = resolve))
        this.#wake = undefined
      }
    } finally {
      this.abandon()
    }
  }
}
