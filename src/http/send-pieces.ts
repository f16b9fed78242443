import type { ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import type { Pieces } from './answer.ts'

export interface SendingLimits {
  /** Aborts when the reader has gone. */
  readonly signal: AbortSignal
  /** Whoever reads nothing for so long is given up, in milliseconds. */
  readonly stallMs: number
  /** For all of it, in milliseconds. */
  readonly wholeMs: number
}

/** Others have their turn after so long, in milliseconds. */
const AT_A_TIME_MS = 8

/**
 * Sends pieces as they are made, the next one when the one before has been taken: what is kept in memory for a reader is one piece, however
 * slowly it reads. The event loop is let go on between them. Destroys the response where its reader is given up.
 */
export async function sendPieces(response: ServerResponse, pieces: Pieces, limits: SendingLimits): Promise<void> {
  const { signal, stallMs, wholeMs } = limits
  const giveUp = (): void => {
    response.destroy()
  }
  const whole = Number.isFinite(wholeMs) ? setTimeout(giveUp, wholeMs).unref() : undefined
  try {
    let sinceMs = performance.now()
    for await (const piece of pieces) {
      if (isOver(signal)) return
      if (!response.write(piece)) await taken(response, stallMs, signal)
      if (isOver(signal)) return
      if (performance.now() - sinceMs < AT_A_TIME_MS) continue
      await setImmediate()
      sinceMs = performance.now()
    }
    response.end()
    if (!response.writableFinished) await taken(response, stallMs, signal)
  } finally {
    clearTimeout(whole)
  }
}

const isOver = (signal: AbortSignal): boolean => signal.aborted

/** Until there is room for more, or all has been sent; the reader is hung up on when it takes too long. Never rejects. */
function taken(response: ServerResponse, stallMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      response.destroy()
      done()
    }, stallMs).unref()
    const done = (): void => {
      clearTimeout(timer)
      response.off('drain', done)
      response.off('finish', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    response.on('drain', done)
    response.on('finish', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
