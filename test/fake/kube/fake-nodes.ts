/** A Node as an API server writes it, in the order in which Go has its fields. */
export interface NodeObject {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
    readonly creationTimestamp: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: { readonly podCIDR?: string; readonly podCIDRs?: readonly string[] }
  readonly status: { readonly conditions?: readonly Condition[]; readonly [field: string]: unknown }
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly lastHeartbeatTime?: string
}

/** What a test says of a Node. */
export interface NodeSpec {
  readonly podCIDRs?: readonly string[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly conditions?: readonly Condition[]
  /** Milliseconds since 1970, with the part of a second cut off. */
  readonly createdMs?: number
  /** As the kubelet of this Node reports it. */
  readonly bootId?: string
}

export interface NodePatchObject {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string | null>> }
  readonly spec?: { readonly podCIDRs?: readonly string[] }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export interface NodeEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly revision: number
  readonly object: NodeObject
}

/** Nodes with their history, as etcd keeps it for an API server. */
export class FakeNodes {
  #revision = 100
  #uids = 0
  #nodes = new Map<string, NodeObject>()
  #events: NodeEvent[] = []
  /** No watch from before it. */
  #compactedTo = 0
  #listener: ((event: NodeEvent) => void) | undefined

  get revision(): number {
    return this.#revision
  }

  get compactedTo(): number {
    return this.#compactedTo
  }

  onEvent(listener: (event: NodeEvent) => void): void {
    this.#listener = listener
  }

  all(): readonly NodeObject[] {
    return [...this.#nodes.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  get(name: string): NodeObject | undefined {
    return this.#nodes.get(name)
  }

  eventsAfter(revision: number): readonly NodeEvent[] {
    return this.#events.filter((event) => event.revision > revision)
  }

  put(
    name: string,
    { podCIDRs = [], annotations = {}, conditions = [], createdMs = Date.now(), bootId }: NodeSpec,
  ): NodeObject {
    const known = this.#nodes.get(name)
    const [podCIDR] = podCIDRs
    return this.#write(known === undefined ? 'ADDED' : 'MODIFIED', {
      metadata: {
        name,
        uid: known?.metadata.uid ?? `uid-${++this.#uids}`,
        resourceVersion: '',
        creationTimestamp: known?.metadata.creationTimestamp ?? `${new Date(createdMs).toISOString().slice(0, 19)}Z`,
        annotations,
      },
      spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs },
      status: { conditions, ...(bootId !== undefined && { nodeInfo: { bootID: bootId } }) },
    })
  }

  /** Merges as a strategic merge patch does. @returns undefined: there is none */
  patch(name: string, { metadata, spec, status }: NodePatchObject): NodeObject | undefined {
    const known = this.#nodes.get(name)
    if (known === undefined) return undefined
    const annotations = new Map(Object.entries(known.metadata.annotations ?? {}))
    for (const [key, value] of Object.entries(metadata?.annotations ?? {}))
      if (value === null) annotations.delete(key)
      else annotations.set(key, value)
    const conditions = new Map((known.status.conditions ?? []).map((one) => [one.type, one]))
    for (const condition of status?.conditions ?? [])
      conditions.set(condition.type, { ...conditions.get(condition.type), ...condition })
    const podCIDRs = spec?.podCIDRs ?? known.spec.podCIDRs ?? []
    const [podCIDR] = podCIDRs
    return this.#write('MODIFIED', {
      metadata: { ...known.metadata, annotations: Object.fromEntries(annotations) },
      spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs },
      status: { ...known.status, conditions: [...conditions.values()] },
    })
  }

  delete(name: string): boolean {
    const known = this.#nodes.get(name)
    if (known === undefined) return false
    this.#nodes.delete(name)
    this.#happened('DELETED', { ...known, metadata: { ...known.metadata, resourceVersion: String(++this.#revision) } })
    return true
  }

  /** Something else than a Node was written. */
  advance(): void {
    this.#revision++
  }

  /** What came before is forgotten: watches from there have to list again. */
  compact(): void {
    this.#compactedTo = this.#revision
    this.#events = []
  }

  /** As it is now, for {@link restore}. */
  backup(): { readonly revision: number; readonly nodes: readonly NodeObject[] } {
    return { revision: this.#revision, nodes: this.all() }
  }

  /** Revisions go back to those of a backup, and nobody is told. */
  restore({ revision, nodes }: ReturnType<FakeNodes['backup']>): void {
    this.#revision = revision
    this.#nodes = new Map(nodes.map((node) => [node.metadata.name, node]))
    this.#events = []
    this.#compactedTo = 0
  }

  #write(type: 'ADDED' | 'MODIFIED', node: NodeObject): NodeObject {
    const object = { ...node, metadata: { ...node.metadata, resourceVersion: String(++this.#revision) } }
    this.#nodes.set(node.metadata.name, object)
    this.#happened(type, object)
    return object
  }

  #happened(type: NodeEvent['type'], object: NodeObject): void {
    const event = { type, revision: this.#revision, object }
    this.#events.push(event)
    this.#listener?.(event)
  }
}
