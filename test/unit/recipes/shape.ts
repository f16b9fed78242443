/** What a document may hold: fields by name, a list of one shape, or a value. A name that begins with `!` has to be there. */
export type Shape = Value | { readonly list: Shape } | { readonly fields: Readonly<Record<string, Shape>> }

/** `file mode`: a number up to 0o7777. */
export type Value = 'text' | 'boolean' | 'file mode' | RegExp

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What is wrong with the document, each fault with its place; empty when nothing is. */
export function faultsIn(document: unknown, shape: Shape, place = ''): readonly string[] {
  if (typeof shape === 'string' || shape instanceof RegExp)
    return isValue(document, shape) ? [] : [`${place}: expected ${String(shape)}, found ${JSON.stringify(document)}`]
  if ('list' in shape)
    return Array.isArray(document)
      ? document.flatMap((item, index) => faultsIn(item, shape.list, `${place}[${index}]`))
      : [`${place}: expected a list`]
  if (!isRecord(document)) return [`${place}: expected fields`]
  return [...unknownFields(document, shape.fields, place), ...faultsOfFields(document, shape.fields, place)]
}

function isValue(value: unknown, shape: Value): boolean {
  if (shape instanceof RegExp) return typeof value === 'string' && shape.test(value)
  if (shape === 'boolean') return typeof value === 'boolean'
  if (shape === 'file mode') return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0o7777
  return typeof value === 'string'
}

function unknownFields(
  document: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, Shape>>,
  place: string,
): readonly string[] {
  const names = Object.keys(fields).map((name) => name.replace('!', ''))
  const unknown = Object.keys(document).filter((name) => !names.includes(name))
  return unknown.map((name) => `${place}.${name}: no such field`)
}

function faultsOfFields(
  document: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, Shape>>,
  place: string,
): readonly string[] {
  return Object.entries(fields).flatMap(([key, shape]) => {
    const name = key.replace('!', '')
    const value = document[name]
    if (value === undefined) return key === name ? [] : [`${place}.${name}: is missing`]
    return faultsIn(value, shape, `${place}.${name}`)
  })
}
