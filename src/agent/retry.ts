import { ConfigError } from '../config/error.ts'
import { NoInterfaceError } from '../host/external-interface.ts'
import { LeaseContentionError, OutOfSubnetsError, RivalError } from '../lease/errors.ts'
import { StoreError } from '../lease/store.ts'
import type { Clock } from '../net/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { KernelError } from '../reconcile/kernel.ts'
import { DeviceConflictError } from '../vxlan/device.ts'

/** What the world can do to us and may undo again. Anything else is a mistake of ours, and ends the process. */
const CURABLE = [
  StoreError,
  KernelError,
  ConfigError,
  NoInterfaceError,
  DeviceConflictError,
  OutOfSubnetsError,
  RivalError,
  LeaseContentionError,
] as const

export const isCurable = (error: unknown): error is Error => CURABLE.some((kind) => error instanceof kind)

const RETRY_EVERY_MS = 1_000
/** The same complaint is repeated after this long: for the log's reader, not once a second. */
const COMPLAIN_AGAIN_MS = 60_000
/** What only a person or time can cure is not worth reading every lease once a second for. */
const SLOW_RETRY_MS = 10_000

const retryAfterMs = (error: Error): number =>
  error instanceof RivalError || error instanceof OutOfSubnetsError ? SLOW_RETRY_MS : RETRY_EVERY_MS

/**
 * Tries until it works, once a second, saying why it does not: at once when the reason changes, then once a minute.
 * @throws whatever no retry can cure; and when `signal` aborts, its reason
 */
export async function untilItWorks<T>(
  what: string,
  attempt: (signal: AbortSignal) => Promise<T>,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<T> {
  let complaint = ''
  let complainedAtMs = 0
  for (;;) {
    signal.throwIfAborted()
    let delayMs = RETRY_EVERY_MS
    try {
      const result = await attempt(signal)
      if (complaint !== '') log.info(`${what}: works now`)
      return result
    } catch (error) {
      if (signal.aborted || !isCurable(error)) throw error
      delayMs = retryAfterMs(error)
      if (error.message !== complaint || clock.monotonicMs() - complainedAtMs >= COMPLAIN_AGAIN_MS) {
        log.warn(`${what}: ${error.message}; retrying every ${delayMs === RETRY_EVERY_MS ? 'second' : 'ten seconds'}`)
        complainedAtMs = clock.monotonicMs()
      }
      complaint = error.message
    }
    await clock.sleep(delayMs, signal)
  }
}
