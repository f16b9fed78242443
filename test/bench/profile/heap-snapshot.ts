/** A heap snapshot, as far as it is read (V8: src/profiler/heap-snapshot-generator.cc). */
interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[]
      readonly node_types: readonly (string | readonly string[])[]
    }
  }
  /** One object behind the other, `node_fields` numbers each. */
  readonly nodes: readonly number[]
  readonly strings: readonly string[]
}

/** What objects of one kind take by themselves. */
export interface HeapKind {
  /** A constructor, or in parentheses what V8 calls such things. */
  readonly name: string
  readonly count: number
  readonly bytes: number
}

/** Objects by constructor, those that take most first. What they refer to is not counted. */
export function summarizeHeap(json: string): readonly HeapKind[] {
  const { snapshot, nodes, strings } = JSON.parse(json) as Snapshot
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field))
  if (type === undefined || name === undefined || size === undefined || Math.min(type, name, size) < 0)
    throw new Error(`a snapshot of another format: ${fields.join(' ')}`)
  const typeNames = types[type] ?? []
  const kinds = new Map<string, { count: number; bytes: number }>()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const typeName = typeNames[nodes[at + type] ?? 0] ?? ''
    const key = typeName === 'object' ? (strings[nodes[at + name] ?? 0] ?? '') : `(${typeName})`
    const kind = kinds.get(key) ?? { count: 0, bytes: 0 }
    kind.count++
    kind.bytes += nodes[at + size] ?? 0
    kinds.set(key, kind)
  }
  return [...kinds].map(([key, kind]) => ({ name: key, ...kind })).sort((a, b) => b.bytes - a.bytes)
}
