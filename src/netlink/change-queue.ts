import type { KernelChange } from '../kernel/kernel.ts'

/** Changes a slow reader may leave unread before they are given up for one `overrun`. */
const MAX_UNREAD = 65_536

/**
 * Hands changes from the socket's callback to one reader, in order. Never blocks the writer: a reader that falls too far behind
 * gets one `overrun` in place of everything it had not read, which is what the kernel itself does to a full socket.
 */
export class ChangeQueue {
  readonly #maxUnread: number
  #unread: KernelChange[] = []
  #next = 0
  #ended = false
  #wake: (() => void) | undefined

  constructor(maxUnread = MAX_UNREAD) {
    this.#maxUnread = maxUnread
  }

  /** Changes nobody has taken yet. */
  get unread(): number {
    return this.#unread.length - this.#next
  }

  /** Whether the reader has taken all, and waits for more. */
  get isRead(): boolean {
    return this.#wake !== undefined || this.#ended
  }

  /** That other routes have changed is not said twice in a row: a routing daemon changes them by the thousand. */
  push(change: KernelChange): void {
    if (this.#ended || (change.kind === 'other-routes' && this.#unread.at(-1)?.kind === change.kind)) return
    if (this.unread >= this.#maxUnread) this.#forget()
    this.#unread.push(change)
    this.#wakeReader()
  }

  /** Drops everything unread and leaves one `overrun`. */
  overrun(): void {
    if (this.#ended) return
    this.#forget()
    this.#wakeReader()
  }

  /** The reader ends at once; what it has not read is dropped. */
  end(): void {
    this.#ended = true
    this.#unread = []
    this.#next = 0
    this.#wakeReader()
  }

  /** @param stopped called when the reader is done, be it that it leaves or that the queue ends */
  async *read(stopped: () => void): AsyncGenerator<KernelChange, void, undefined> {
    try {
      while (!this.#ended) {
        const change = this.#unread[this.#next]
        if (change === undefined) await this.#arrival()
        else {
          this.#advance()
          yield change
        }
      }
    } finally {
      stopped()
    }
  }

  #forget(): void {
    this.#unread = [{ kind: 'overrun' }]
    this.#next = 0
  }

  #advance(): void {
    this.#next++
    if (this.#next < this.#unread.length) return
    this.#unread = []
    this.#next = 0
  }

  async #arrival(): Promise<void> {
    this.#unread = []
    this.#next = 0
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  #wakeReader(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
