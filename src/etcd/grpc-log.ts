import { setLogger } from '@grpc/grpc-js'

import type { Clock } from '../time/clock.ts'
import { RateLimit } from '../time/rate-limit.ts'

/** Where lines of gRPC go: what is an error to it is tried again, and reported, by whoever it happens to. */
export interface GrpcLog {
  error(text: string): void
  debug(text: string): void
}

/** Whoever is at the other end can cause them. */
const ERRORS = { burst: 3, everyMs: 60_000 }
/** In UTF-16 units: some quote what came from the other end. */
const LONGEST_TEXT = 500

/**
 * Has gRPC say to us what it would write onto standard error, for the whole process: errors, a few a minute; the rest, which it says only
 * where it was told to (`GRPC_VERBOSITY`, `GRPC_TRACE`), for debugging.
 */
export function hearGrpc(log: GrpcLog, clock: Clock): void {
  const limit = new RateLimit(clock, ERRORS)
  const debug = (...words: unknown[]): void => {
    log.debug(textOf(words))
  }
  const error = (...words: unknown[]): void => {
    if (limit.take()) log.error(textOf(words))
  }
  setLogger({ error, info: debug, debug })
}

const textOf = (words: readonly unknown[]): string => words.map(String).join(' ').slice(0, LONGEST_TEXT)
