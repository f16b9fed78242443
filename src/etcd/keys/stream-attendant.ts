import type { StoreError } from '../../lease/store.ts'
import { toStoreError } from '../client/errors.ts'
import type { Attendant } from '../client/liveness.ts'
import { headerOf } from './answer.ts'
import type { StoreMemory } from './identity.ts'
import type { KeyWatchEvent } from './key.ts'

/**
 * For as long as a stream is open: a proxy keeps it open whatever becomes of the store behind it.
 * @param found ends the stream; without effect once it has ended
 */
export function streamAttendant(
  memory: StoreMemory,
  found: (what: StoreError | Extract<KeyWatchEvent, { kind: 'reset' }>) => void,
): Attendant {
  return {
    asked: () => {
      const then = memory.snapshot()
      return (header) => {
        try {
          const reason = then.whyAnother(headerOf({ header }))
          if (reason !== undefined) found({ kind: 'reset', reason })
        } catch (error) {
          found(toStoreError({ op: 'watch' }, error))
        }
      }
    },
    unanswered: found,
  }
}
