/** A field that says something else than what is in force. */
export interface FieldChange {
  /** JSON path, such as `Backend.VNI`. */
  readonly path: string
  readonly from: string
  readonly to: string
}

/** One field: its name for people, its value, and, where a running agent can follow it, how. */
export interface Field<T> {
  readonly path: string
  readonly valueOf: (config: T) => string | number | boolean | undefined
  readonly follow?: (current: T, next: T) => T
}

/** Every field has to be named: one that is added later does not compile until somebody has decided. */
export type Fields<T, K extends keyof T = keyof T> = Readonly<Record<K, Field<T>>>

/** What comparing a part came to. */
export interface FieldComparison<T> {
  readonly value: T
  readonly followed: readonly FieldChange[]
  readonly refused: readonly FieldChange[]
}

/** Takes from `next` what can be followed. Pure. */
export function compareFields<T>(fields: readonly Field<T>[], current: T, next: T): FieldComparison<T> {
  let value = current
  const [followed, refused]: [FieldChange[], FieldChange[]] = [[], []]
  for (const { path, valueOf, follow } of fields) {
    const [from, to] = [valueOf(current), valueOf(next)]
    if (from === to) continue
    const list = follow === undefined ? refused : followed
    list.push({ path, from: shown(from), to: shown(to) })
    if (follow !== undefined) value = follow(value, next)
  }
  return { value, followed, refused }
}

const shown = (value: string | number | boolean | undefined): string => (value === undefined ? 'unset' : String(value))
