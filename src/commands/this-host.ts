import { geteuid } from 'node:process'
import { systemClock } from '../host/system-clock.ts'
import { claimHost, holderOfHost, type ClaimHolder } from '../host/sole-agent.ts'
import { listenerOf } from '../native/unix-listener.ts'

const ports = { clock: systemClock, uid: geteuid?.() ?? 0, listenerOf }

/** Claims the host for this process. @returns how to give it up @throws {HostTakenError} */
export const claimThisHost = (say: (text: string) => void, signal: AbortSignal): Promise<() => void> =>
  claimHost({ ...ports, say }, signal)

/** The agent that runs here, as far as it can be told. */
export const agentOnThisHost = (): ClaimHolder | undefined => holderOfHost(ports)
