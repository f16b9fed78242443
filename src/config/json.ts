import { parseIp, type Family, type Ip } from '../net/ip.ts'
import { parsePrefix, type Prefix } from '../net/prefix.ts'
import { ConfigError } from './error.ts'
import { whatItIs } from './lenient.ts'

/** A JSON object of which nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether Go takes one name for the other. */
export const sameName = (one: string, other: string): boolean =>
  one.length === other.length && one.toLowerCase() === other.toLowerCase()

/** @throws {ConfigError} when `text` is not JSON, or not a JSON object */
export function parseJsonObject(path: string, text: string): JsonFields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const what = whatItIs(text) ?? (error instanceof Error ? error.message : 'unreadable')
    throw new ConfigError(path, `valid JSON (${what})`, text)
  }
  const what = typeof value === 'string' ? whatItIs(text) : undefined
  if (what !== undefined) throw new ConfigError(path, `a JSON object (${what})`, text)
  return new JsonFields(path, value)
}

/**
 * Reads fields of a JSON object as Go's encoding/json does: names match in any case, an exact match first; `null` counts as absent.
 * Every reader throws {@link ConfigError} with the path of the field.
 */
export class JsonFields {
  readonly #parent: JsonFields | undefined
  readonly #name: string
  readonly #object: object

  /** `name` is the document's for messages, or with a `parent` that of the field this object was found in. */
  constructor(name: string, value: unknown, parent?: JsonFields) {
    this.#name = name
    this.#parent = parent
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new ConfigError(parent === undefined ? name : parent.path(name), 'a JSON object', value)
    this.#object = value
  }

  /** Where a field of this object stands in the document: `Backend.VNI`. */
  path(name: string): string {
    return this.#parent === undefined ? name : `${this.#parent.path(this.#name)}.${name}`
  }

  raw(name: string): unknown {
    const exact: unknown = Object.hasOwn(this.#object, name) ? Reflect.get(this.#object, name) : this.#inAnyCase(name)
    return exact ?? undefined
  }

  #inAnyCase(name: string): unknown {
    const found = Object.keys(this.#object).findLast((key) => sameName(key, name))
    return found === undefined ? undefined : Reflect.get(this.#object, found)
  }

  /**
   * Each of these fields once, in whatever case: Go takes the last one, others the one that is written as it should be.
   * @throws {ConfigError} naming those that stand there twice
   */
  refuseTwins(names: readonly string[]): void {
    for (const name of names) {
      const found = Object.keys(this.#object).filter((key) => sameName(key, name))
      if (found.length > 1) throw new ConfigError(this.path(name), 'one field of that name, in whatever case', found)
    }
  }

  object(name: string): JsonFields | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : new JsonFields(name, value, this)
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === 'boolean') return value
    throw new ConfigError(this.path(name), 'true or false', value)
  }

  string(name: string): string | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === 'string') return value
    throw new ConfigError(this.path(name), 'a string', value)
  }

  /** A whole number within [min, max]; `rule` says what bounds it. */
  integer(name: string, min: number, max: number, rule = ''): number | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    throw new ConfigError(this.path(name), `a whole number from ${min} to ${max}${rule}`, value)
  }

  prefix(name: string, family: Family): Prefix | undefined {
    const text = this.string(name)
    if (text === undefined) return undefined
    const parsed = parsePrefix(text)
    if (parsed?.family === family) return parsed
    throw new ConfigError(this.path(name), `an IPv${family} network such as ${SAMPLE_NETWORK[family]}`, text)
  }

  ip(name: string, family: Family): Ip | undefined {
    const text = this.string(name)
    if (text === undefined) return undefined
    const parsed = parseIp(text)
    if (parsed?.family === family) return parsed
    throw new ConfigError(this.path(name), `an IPv${family} address`, text)
  }
}

const SAMPLE_NETWORK = { 4: '10.0.0.0/8', 6: 'fd00:10::/48' } as const
