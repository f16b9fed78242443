import type { Ip } from '../net/ip.ts'

/** Whose packets are meant: UDP to this port that carries this VXLAN network identifier (RFC 7348 section 5). */
export interface GuardedOverlay {
  readonly vni: number
  readonly port: number
}

/** What the packet filter dropped since it was made. */
export interface Drops {
  /** What hosts that are no peers have sent us. */
  readonly packets: number
  /** What processes and containers of this host have sent to peers as if our device had. */
  readonly forged: number
}

/** The packet filter as it stands. */
export interface FilterState {
  /** Whether all its rules are there, for the overlay asked about, and nothing else. */
  readonly isWhole: boolean
  /** Addresses that are let in; undefined when they were not asked for. */
  readonly peers: readonly Ip[] | undefined
  readonly drops: Drops
  /** Why what this host itself forges is not dropped: nft's words; undefined where it is. */
  readonly oneWay: string | undefined
}

/** The packet filter could not be read or changed. Nothing of what was asked for has been done. */
export class PeerFilterError extends Error {
  override readonly name = 'PeerFilterError'
  /** What was asked: `read`, `install`, `change`, `remove`. */
  readonly op: string
  /** `MISSING`: no nft command · `REFUSED`: by nft or the kernel · `TIMEOUT` · `UNREADABLE`: an answer that is none. */
  readonly code: 'MISSING' | 'REFUSED' | 'TIMEOUT' | 'UNREADABLE'

  constructor(fields: { op: string; code: PeerFilterError['code']; message: string; cause?: unknown }) {
    super(fields.message, { cause: fields.cause })
    this.op = fields.op
    this.code = fields.code
  }
}

/**
 * Port: a packet filter that lets only peers send to the overlay. Each call is one transaction: all of it or nothing, and never a
 * moment in which the filter is missing. Calls reject with {@link PeerFilterError}.
 */
export interface PeerFilter {
  /** Undefined when there is none. Addresses are read only when asked for: there may be many. */
  read(overlay: GuardedOverlay, what: 'rules' | 'all', signal: AbortSignal): Promise<FilterState | undefined>
  /** Makes the whole filter, in the place of one that is there. */
  install(overlay: GuardedOverlay, peers: readonly Ip[], signal: AbortSignal): Promise<void>
  /** Lets some in and others no longer. Those to be removed must be there. */
  change(added: readonly Ip[], removed: readonly Ip[], signal: AbortSignal): Promise<void>
  /** Removes the one that is there, whichever overlay it is for. @returns whether there was one */
  remove(signal: AbortSignal): Promise<boolean>
}
