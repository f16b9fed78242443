import type { NodeList, NodePatch, NodeRecord, NodeStore, OneNode } from '../kube/nodes/node-store.ts'
import type { KubeAccess } from '../config/options.ts'
import type { ConfigurationSource } from '../agent/runtime/subnet-manager.ts'
import type { Journal } from './journal.ts'
import { aborted } from './planned-kernel.ts'

/** What stands in a cluster of Kubernetes at one moment. */
export interface NodesAtRest {
  readonly access: KubeAccess
  readonly url: string
  readonly list: NodeList
  /** The Node of our pod, where that was asked. */
  readonly nodeOfPod: string | undefined
  /** Where the network configuration is, and what is planned for as that; undefined: there is none. */
  readonly configuration: ConfigurationSource
  readonly text: string | undefined
}

/** Nodes as they are at one moment: nothing is written, and nothing changes but by what is planned. */
export class PlannedNodes implements NodeStore {
  readonly #journal: Journal
  readonly #rest: NodesAtRest
  readonly #nodes: Map<string, NodeRecord>

  constructor(rest: NodesAtRest, journal: Journal) {
    this.#rest = rest
    this.#nodes = new Map(rest.list.nodes.map((node) => [node.name, node]))
    this.#journal = journal
  }

  get url(): string {
    return this.#rest.url
  }

  list(): Promise<NodeList> {
    return Promise.resolve({ ...this.#rest.list, nodes: [...this.#nodes.values()] })
  }

  read(name: string): Promise<OneNode | undefined> {
    const node = this.#nodes.get(name)
    return Promise.resolve(node && { ...node, isNetworkAvailable: true, bootId: undefined }) // a condition is no matter of a plan
  }

  async *watch(_resourceVersion: string, signal: AbortSignal): AsyncGenerator<never, void, undefined> {
    await aborted(signal)
  }

  patch(name: string, { annotations = {} }: NodePatch): Promise<OneNode | undefined> {
    const node = this.#nodes.get(name)
    const changed = Object.entries(annotations)
    if (node === undefined || changed.length === 0) return this.read(name)
    const kept = Object.entries(node.annotations).filter(([key]) => !(key in annotations))
    const set = changed.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]))
    this.#nodes.set(name, { ...node, annotations: Object.fromEntries([...kept, ...set]) })
    this.#journal.add({ on: 'store', action: 'replace', key: name, value: JSON.stringify(annotations) })
    return this.read(name)
  }

  nodeOfPod(): Promise<string | undefined> {
    return Promise.resolve(this.#rest.nodeOfPod)
  }

  refreshConnections(): void {
    // there are none
  }

  close(): void {
    // there is nothing to close
  }
}

/** A configuration that stays as it is. */
export const plannedConfiguration = ({ configuration, text }: NodesAtRest): ConfigurationSource => ({
  name: configuration.name,
  read: () => Promise.resolve(text),
  async *watch(signal) {
    yield text
    await aborted(signal)
  },
  missing: () => configuration.missing(),
  check: (config) => {
    configuration.check(config)
  },
})
