import { parseAllDocuments } from 'yaml'
import { isObject, type JsonObject } from '../../lab/json.ts'

/** Every object in a manifest, in order. @throws {Error} for what is no YAML, or has a key twice */
export function objectsOf(text: string): readonly JsonObject[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors
    if (error !== undefined) throw error
    const value: unknown = document.toJS()
    if (!isObject(value)) throw new Error(`no object: ${JSON.stringify(value)}`)
    return value
  })
}
