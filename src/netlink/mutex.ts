import { fault } from './codec/errors.ts'

/** Lets one task at a time use what they share, in the order they came. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * Runs `task` when its turn comes. When `signal` aborts the caller is told at once; a task that has begun still comes to its end
   * before the next one's turn (it should look at the signal itself), one that has not is not begun.
   * @throws {KernelError} `ABORTED`, or whatever the task rejects with
   */
  take<T>(op: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (signal.aborted) throw fault(op, '', 'ABORTED')
      return task()
    })
    this.#last = turn.catch(() => undefined)
    return unlessAborted(op, signal, turn)
  }
}

function unlessAborted<T>(op: string, signal: AbortSignal, turn: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(fault(op, '', 'ABORTED'))
    }
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    turn.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort)
    })
  })
}
