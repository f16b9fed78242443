import { PeerFilterError } from '../../kernel/peer-filter.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

/** Until the next attempt, in milliseconds. */
const RETRY_MS = 10_000
/** Looking starts a program: not before containers can be started, in milliseconds. */
const START_IS_OVER_MS = 500
const UNWANTED = 'unwanted peer filter'

/**
 * Nobody asked for the peer filter: one that an earlier run has left, for whatever overlay and backend, would drop what new peers send.
 * It is taken away while the session goes on, tried again until that works. Without nft there is none.
 */
export function unwantedFilter(ports: Pick<AgentPorts, 'peerFilter' | 'log' | 'conditions'>): Task {
  return {
    name: UNWANTED,
    roundMs: ROUND_MS.programs,
    run: async ({ signal, rest }) => {
      await rest(START_IS_OVER_MS)
      while (!isStopped(signal)) {
        const isGone = await removeFilter(ports, signal)
        await rest(isGone ? Infinity : RETRY_MS)
      }
    },
  }
}

/** @returns whether there is none now */
async function removeFilter(
  { peerFilter, log, conditions }: Pick<AgentPorts, 'peerFilter' | 'log' | 'conditions'>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    if (await peerFilter.remove(signal)) log.info('peer filter: not asked for any more; its table is removed')
    conditions.holds(UNWANTED)
    return true
  } catch (error) {
    if (isStopped(signal)) return true
    if (!(error instanceof PeerFilterError)) throw error
    if (error.code === 'MISSING') return true
    conditions.fails(UNWANTED, error, 'none', {
      says: `peer filter: one that an earlier run has left cannot be looked for or removed: ${error.message}; trying again`,
      saysHolds: false, // that it is removed is said, and that there is none is not worth a word
    })
    return false
  }
}
