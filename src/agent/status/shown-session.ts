import type { EntriesByFamily } from '../../backend/judge.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { PeerRecord } from '../../lease/lease.ts'
import type { RejectionCode } from '../../lease/rejection.ts'
import type { FamilyView, FirewallView, SessionView } from '../view/session-view.ts'
import type { AcquiredSubnet, HeldSubnet } from '../runtime/subnet-manager.ts'

/** The parts of a session that know something of it. */
export interface ShownParts {
  readonly acquired: Pick<AcquiredSubnet, 'lease' | 'how'>
  readonly held: Pick<HeldSubnet, 'life'>
  readonly config: () => NetworkConfig
  readonly configTask: { readonly waitsForRestart: readonly string[] }
  readonly datapaths: readonly { readonly view: FamilyView }[]
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
  peers: parts.peers,
  get life() {
    return parts.held.life
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
