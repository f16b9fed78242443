import type { EntriesByFamily } from '../../backend/judge.ts'
import type { DaemonOptions } from '../../config/options.ts'
import type { GuardedOverlay } from '../../kernel/peer-filter.ts'
import type { PeerSink } from '../peers/peer-sink.ts'
import { PeerFilterTask } from './peer-filter-task.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { Task } from '../runtime/task.ts'

interface SessionFilterInput {
  readonly options: Pick<DaemonOptions, 'firewallResyncMs'>
  readonly ports: AgentPorts
  readonly guarded: GuardedOverlay
  /** Whose tables say which addresses are still in use. */
  readonly datapaths: () => readonly Remotes[]
}

/** Knows which underlay addresses a device sends to; undefined while its tables are not known. */
export interface Remotes {
  remotes(): ReadonlySet<string> | undefined
}

/** The peer filter of a session: told of the same peers as the datapaths, which it surrounds. */
export class SessionFilter implements PeerSink {
  readonly task: PeerFilterTask
  readonly tasks: readonly Task[]

  constructor({ options, ports, guarded, datapaths }: SessionFilterInput) {
    this.task = new PeerFilterTask({
      ...ports,
      filter: ports.peerFilter,
      overlay: guarded,
      resyncMs: options.firewallResyncMs,
      inUse: () => remotesOf(datapaths()),
    })
    this.tasks = [this.task]
  }

  setPeer(key: string, entries: EntriesByFamily | undefined): void {
    // Who is reached without a tunnel may still see us behind one.
    const addresses = Array.from(entries?.values() ?? [], ({ publicIp }) => publicIp)
    this.task.setPeer(key, entries === undefined ? undefined : addresses)
  }

  allowPruning(): void {
    // It knows by itself: whom it keeps out has no entry left.
  }

  wake(): void {
    // The datapaths' passes let peers in and out.
  }
}

/** Undefined as long as one datapath does not know. */
function remotesOf(datapaths: readonly Remotes[]): ReadonlySet<string> | undefined {
  const all = new Set<string>()
  for (const datapath of datapaths) {
    const remotes = datapath.remotes()
    if (remotes === undefined) return undefined
    for (const remote of remotes) all.add(remote)
  }
  return all
}
