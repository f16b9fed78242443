import { isObject, type JsonObject } from '../config/json.ts'

/** The member, when it is an object. */
export function objectAt(value: unknown, name: string): JsonObject | undefined {
  const member = isObject(value) ? value[name] : undefined
  return isObject(member) ? member : undefined
}

/** The member as text: strings and numbers; '' for anything else. */
export function textAt(value: unknown, name: string): string {
  const member = isObject(value) ? value[name] : undefined
  return typeof member === 'string' || typeof member === 'number' ? String(member) : ''
}

export function listAt(value: unknown, name: string): readonly unknown[] {
  const member = isObject(value) ? value[name] : undefined
  return Array.isArray(member) ? member : []
}
