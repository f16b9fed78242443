import type { EntriesByFamily } from '../../backend/judge.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { PeerRecord } from '../../lease/lease.ts'
import type { RejectionCode } from '../../lease/rejection.ts'
import type { FamilyView, FirewallView, PeersView, SessionView } from '../view/session-view.ts'
import type { AcquiredSubnet, HeldSubnet } from '../runtime/subnet-manager.ts'

/** The parts of a session that know something of it. */
export interface ShownParts {
  readonly acquired: Pick<AcquiredSubnet, 'lease' | 'how'>
  readonly held: Pick<HeldSubnet, 'life' | 'overwrites'>
  readonly config: () => NetworkConfig
  readonly configTask: { readonly waitsForRestart: readonly string[] }
  readonly datapaths: readonly { readonly view: FamilyView }[]
  /** Key → until when, on the monotonic clock. */
  readonly kept: () => ReadonlyMap<string, number>
  readonly peers: {
    readonly size: number
    readonly rejected: ReadonlyMap<string, string>
    codeOf(key: string): RejectionCode | undefined
    inForce(): Iterable<readonly [string, EntriesByFamily]>
    entriesOf(key: string): EntriesByFamily | undefined
    recordOf(key: string): PeerRecord | undefined
  }
  readonly firewall: () => FirewallView
}

/** A session as it is shown: each part is asked at the moment when somebody reads it. */
export const shownSession = (parts: ShownParts): SessionView => ({
  lease: parts.acquired.lease,
  how: parts.acquired.how,
  peers: peersView(parts),
  get life() {
    return parts.held.life
  },
  get overwrites() {
    return parts.held.overwrites
  },
  get config() {
    return parts.config()
  },
  get waitsForRestart() {
    return parts.configTask.waitsForRestart
  },
  get families() {
    return parts.datapaths.map(({ view }) => view)
  },
  get firewall() {
    return parts.firewall()
  },
})

const peersView = ({ peers, kept }: ShownParts): PeersView => ({
  get size() {
    return peers.size
  },
  get rejected() {
    return peers.rejected
  },
  get kept() {
    return kept()
  },
  codeOf: (key) => peers.codeOf(key),
  inForce: () => peers.inForce(),
  entriesOf: (key) => peers.entriesOf(key),
  recordOf: (key) => peers.recordOf(key),
})
