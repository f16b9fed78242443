import type { StoreOutages } from '../../agent/managers/store-outages.ts'
import type { AgentPorts } from '../../agent/runtime/ports.ts'
import { untilItWorks } from '../../agent/runtime/retry.ts'
import type { PeerDelta, PeerListener } from '../../agent/runtime/subnet-manager.ts'
import { isStopped, type Task, type TaskContext } from '../../agent/runtime/task.ts'
import { RateLimit } from '../../time/rate-limit.ts'
import type { NodeChange, NodeList, NodeStore, NodeWatchEvent } from '../nodes/node-store.ts'
import type { NodeDirectory } from './node-directory.ts'
import type { OwnNode } from './own-node.ts'

export interface NodeFollowerInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'random' | 'log' | 'conditions'>
  readonly store: Pick<NodeStore, 'list' | 'watch'>
  /** Knows the list that the watch begins with. */
  readonly directory: NodeDirectory
  readonly resourceVersion: string
  readonly own: Pick<OwnNode, 'nodeName' | 'observe' | 'observeList'>
  /** The key of our own subnets. */
  readonly ownKey: string
  readonly peers: PeerListener
  readonly outages: StoreOutages
}

/** However often the server says that its history is gone: lists are what costs it most. */
const LISTS = { burst: 3, everyMs: 5_000 }
/** A list that takes longer has lost its way, in milliseconds: each of its pages has a deadline of its own. */
const LIST_BOUND_MS = 120_000
const CONFLICT = 'podCIDRs of Nodes'

/** Follows all Nodes from the first list on, and tells whom each concerns: our own its keeper, all others the peers. */
export class NodeFollower implements Task {
  readonly name = 'Nodes'
  readonly #input: NodeFollowerInput
  readonly #lists: RateLimit

  constructor(input: NodeFollowerInput) {
    this.#input = input
    this.#lists = new RateLimit(input.ports.clock, LISTS)
  }

  async run(context: TaskContext): Promise<void> {
    const { store, outages } = this.#input
    const { signal } = context
    this.#sayConflicts()
    for (let from = this.#input.resourceVersion; !isStopped(signal);) {
      let wasReset = false
      for await (const event of store.watch(from, signal, outages)) {
        if (event.kind === 'changes') this.#takeChanges(event.changes)
        else wasReset = this.#takeExpiry(event)
      }
      if (isStopped(signal)) return
      await this.#lists.wait(signal)
      const list = await this.#list(context)
      await this.#takeList(list, wasReset)
      from = list.resourceVersion
    }
  }

  #list(context: TaskContext): Promise<NodeList> {
    const { store, ports } = this.#input
    const read = (stop: AbortSignal): Promise<NodeList> =>
      context.watchdog.during('list of Nodes', LIST_BOUND_MS, store.list(stop))
    return untilItWorks('list of Nodes', read, ports, context)
  }

  #takeExpiry({ reason, wasReset }: Extract<NodeWatchEvent, { kind: 'expired' }>): boolean {
    const { log } = this.#input.ports
    if (wasReset)
      log.warn(`the Kubernetes API is not what it was: ${reason}; listing again`, {}, { kind: 'store-reset', reason })
    else
      log.info(
        'the Kubernetes API has not kept the history we need; listing again',
        { reason },
        { kind: 'store-history-compacted' },
      )
    return wasReset
  }

  async #takeList({ nodes }: NodeList, wasReset: boolean): Promise<void> {
    const { own, directory, peers } = this.#input
    const ours = nodes.find(({ name }) => name === own.nodeName)
    directory.replace(nodes)
    own.observeList(ours)
    await peers.onList({ records: directory.records, isOwnMissing: ours === undefined, wasReset })
    this.#sayConflicts()
  }

  #takeChanges(changes: readonly NodeChange[]): void {
    const { own, directory, peers } = this.#input
    const deltas: PeerDelta[] = []
    let isOwnGone = false
    for (const { kind, node } of changes)
      if (node.name === own.nodeName) {
        isOwnGone ||= kind === 'deleted'
        own.observe(kind === 'deleted' ? undefined : node)
      } else deltas.push(...(kind === 'deleted' ? directory.delete(node.name) : directory.put(node)))
    if (deltas.length > 0 || isOwnGone) peers.onChanges({ deltas, isOwnGone })
    this.#sayConflicts() // also where nothing is told of: the younger one of two changes no peer
  }

  /** The cluster's mistake: nothing of this node is worse for it, unless it is one of them. */
  #sayConflicts(): void {
    const { directory, ownKey, ports } = this.#input
    const reason = directory.conflicts(ownKey)
    if (reason === undefined) ports.conditions.holds(CONFLICT)
    else ports.conditions.fails(CONFLICT, reason, 'none', { repeats: false, subject: reason })
  }
}
