/** How a caller stops waiting for its turn. */
export interface TurnAbort {
  readonly signal: AbortSignal
  /** What the caller is told then. */
  readonly error: () => Error
}

/** Lets one task at a time use what they share, in the order they came. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * Runs `task` when its turn comes. With `abort`, the caller is told at once when the signal aborts; a task that has begun still comes
   * to its end before the next one's turn (it should look at the signal itself), one that has not is not begun.
   * @throws the error of `abort`, or whatever the task rejects with
   */
  take<T>(task: () => Promise<T>, abort?: TurnAbort): Promise<T> {
    const turn = this.#last.then(() => {
      if (abort?.signal.aborted === true) throw abort.error()
      return task()
    })
    this.#last = turn.catch(() => undefined)
    return abort === undefined ? turn : unlessAborted(abort, turn)
  }
}

function unlessAborted<T>({ signal, error }: TurnAbort, turn: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(error())
    }
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    turn.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort)
    })
  })
}
