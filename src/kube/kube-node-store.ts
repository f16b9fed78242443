import { isObject } from '../config/json.ts'
import type { WatchStatus } from '../lease/store.ts'
import { StoreError } from '../lease/store.ts'
import type { Clock, Random } from '../time/clock.ts'
import { broken, type Operation } from './client/errors.ts'
import type { KubeClient } from './client/kube-client.ts'
import { readListPage } from './list-page.ts'
import { ListStream } from './list-stream.ts'
import { NodeWatch } from './node-watch.ts'
import { missingRights, type Right } from './own-rights.ts'
import type { NodeList, NodePatch, NodeRecord, NodeStore, NodeWatchEvent, OneNode } from './nodes/node-store.ts'
import { bootIdOf, isNetworkAvailable, NETWORK_AVAILABLE, readNode } from './nodes/read-node.ts'

export interface KubeNodeStoreTools {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: Random
  /** What our annotations' names begin with. */
  readonly annotationPrefix: string
  /** Nodes per request of a list; {@link PAGE} where it is not given. */
  readonly pageSize?: number
  /** A watch without a word is opened anew after so long, in milliseconds. */
  readonly silenceMs?: number
}

/** As many as other clients ask for: a page of full ones has ten megabytes, of which little is in memory at any time. */
const PAGE = 500

const NODES = '/api/v1/nodes'
/** A list whose pages end before it does begins anew so often: what is listed changes under it when its history is compacted. */
const MOST_LISTS = 3

const LIST: Operation = { op: 'list of Nodes', verb: 'list', resource: 'nodes' }
const READ: Operation = { op: 'our Node', verb: 'get', resource: 'nodes' }
const PATCH: Operation = { op: 'annotations of our Node', verb: 'patch', resource: 'nodes/status' }
const POD: Operation = { op: 'our pod', verb: 'get', resource: 'pods' }

/** The port over an API server. */
export class KubeNodeStore implements NodeStore {
  readonly #tools: KubeNodeStoreTools

  constructor(tools: KubeNodeStoreTools) {
    this.#tools = tools
  }

  get url(): string {
    return this.#tools.client.url
  }

  async list(signal: AbortSignal): Promise<NodeList> {
    for (let lists = 1; ; lists++)
      try {
        return await this.#listOnce(signal)
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'OUT_OF_RANGE' || lists === MOST_LISTS) throw error
      }
  }

  /** @throws {StoreError} `OUT_OF_RANGE` when the next page's history is gone */
  async #listOnce(signal: AbortSignal): Promise<NodeList> {
    const { client, pageSize, annotationPrefix } = this.#tools
    const nodes: NodeRecord[] = []
    for (let next = ''; ;) {
      const query = new URLSearchParams({ limit: String(pageSize ?? PAGE), ...(next !== '' && { continue: next }) })
      const asked = { method: 'GET', path: `${NODES}?${query.toString()}` } as const
      const reader = await client.askPieces(LIST, asked, () => new ListStream(annotationPrefix), signal)
      const page = reader.end() ?? readListPage(await client.askBytes(LIST, asked, signal), annotationPrefix)
      if (page === undefined) throw broken(LIST, this.url, 'the answer is no list of Nodes')
      nodes.push(...page.nodes)
      if (page.next === '') return { nodes, resourceVersion: page.resourceVersion }
      next = page.next
    }
  }

  async read(name: string, signal: AbortSignal): Promise<OneNode | undefined> {
    const path = `${NODES}/${encodeURIComponent(name)}`
    return this.#oneNode(await unlessMissing(this.#tools.client.ask(READ, { method: 'GET', path }, signal)), READ)
  }

  async *watch(
    resourceVersion: string,
    signal: AbortSignal,
    status: WatchStatus = {},
  ): AsyncGenerator<NodeWatchEvent, void, undefined> {
    yield* new NodeWatch(this.#tools, resourceVersion, status).run(signal)
  }

  async patch(name: string, patch: NodePatch, signal: AbortSignal): Promise<OneNode | undefined> {
    const path = `${NODES}/${encodeURIComponent(name)}/status`
    const asked = { method: 'PATCH', path, sent: bodyOf(patch, this.#tools.annotationPrefix) } as const
    return this.#oneNode(await unlessMissing(this.#tools.client.ask(PATCH, asked, signal)), PATCH)
  }

  async nodeOfPod(namespace: string, name: string, signal: AbortSignal): Promise<string | undefined> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
    const pod = await unlessMissing(this.#tools.client.ask(POD, { method: 'GET', path }, signal))
    const spec = isObject(pod) ? pod['spec'] : undefined
    const node = isObject(spec) ? spec['nodeName'] : undefined
    return typeof node === 'string' && node !== '' ? node : undefined
  }

  /** Of what an agent does with Nodes, what this client may not. @throws {StoreError} where that cannot be asked */
  missingRights(signal: AbortSignal): Promise<readonly Right[]> {
    return missingRights(this.#tools.client, signal)
  }

  refreshConnections(): void {
    this.#tools.client.refresh()
  }

  close(): void {
    this.#tools.client.close()
  }

  #oneNode(value: unknown, operation: Operation): OneNode | undefined {
    if (value === undefined) return undefined
    const node = readNode(value, this.#tools.annotationPrefix)
    if (node === undefined) throw broken(operation, this.url, 'the answer is no Node')
    return { ...node, isNetworkAvailable: isNetworkAvailable(value), bootId: bootIdOf(value) }
  }
}

async function unlessMissing(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}

/** As a strategic merge patch of a Node. */
function bodyOf({ annotations = {}, networkAvailableSinceMs }: NodePatch, prefix: string): object {
  const named = Object.entries(annotations).map(([name, value]) => [prefix + name, value] as const)
  const metadata = named.length === 0 ? {} : { metadata: { annotations: Object.fromEntries(named) } }
  if (networkAvailableSinceMs === undefined) return metadata
  const time = `${new Date(networkAvailableSinceMs).toISOString().slice(0, 19)}Z`
  const condition = { ...NETWORK_AVAILABLE, lastTransitionTime: time, lastHeartbeatTime: time }
  return { ...metadata, status: { conditions: [condition] } }
}
