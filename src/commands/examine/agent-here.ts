import type { AgentHere } from '../../doctor/read/live-view.ts'
import { ask, type AskOptions } from '../../status/client/ask.ts'
import { AgentAwayError } from '../../status/client/errors.ts'
import type { PeersDocument, StatusDocument } from '../../status/document.ts'

/** The agent behind a status socket. */
export function agentBehind(options: Pick<AskOptions, 'socket' | 'signal'>): AgentHere {
  let isSilent = false
  return {
    status: () =>
      ask<StatusDocument>('/v1/status', options).catch((error: unknown) => {
        if (!(error instanceof AgentAwayError)) throw error
        isSilent = error.why === 'silent'
        return undefined
      }),
    isSilent: () => isSilent,
    peers: (of) => ask<PeersDocument>(`/v1/peers${of === undefined ? '' : `?of=${encodeURIComponent(of)}`}`, options),
    probeFirst: (count) => ask<PeersDocument>(`/v1/probe?first=${count}`, { ...options, method: 'POST' }),
    probe: (of) => ask<PeersDocument>(`/v1/probe?of=${encodeURIComponent(of)}`, { ...options, method: 'POST' }),
  }
}
