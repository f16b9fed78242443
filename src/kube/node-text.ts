import { isObject } from '../config/json.ts'

/**
 * Where parts of a Node begin that matter to nobody here, and are most of it: each is a key, for in a text its quotes are escaped. API servers
 * write metadata, spec and status in this order, as Go has the fields.
 */
const MANAGED_FIELDS = ',"managedFields":['
const SPEC = ',"spec":{'
export const STATUS = ',"status":{'

/** @returns undefined: it is no JSON */
export function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch {
    return undefined
  }
}

/** The text of a Node, or of what it stands in, up to its status, without what is said of who has managed its fields; left open at the end. */
export function headText(bytes: Buffer, from: number, status: number): string {
  const managed = bytes.subarray(from, status).indexOf(MANAGED_FIELDS)
  const spec = managed < 0 ? -1 : bytes.subarray(from, status).indexOf(SPEC, managed)
  if (spec < 0) return bytes.toString('utf8', from, status)
  return `${bytes.toString('utf8', from, from + managed)}}${bytes.toString('utf8', from + spec, status)}`
}

/** Whether a Node that was cut off at its status has all that stands before it. */
export const isWhole = (node: unknown): boolean =>
  isObject(node) && isObject(node['metadata']) && isObject(node['spec'])
