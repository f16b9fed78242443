import { containing, nearest } from '../config/differences.ts'
import { ConfigError } from '../config/error.ts'
import { hideSecret } from '../config/secrets.ts'
import { parseBoolean } from './flag.ts'
import type { FlagShape } from './go-flags.ts'

/** A command as bad usage of it is put: `flanneld`, or `flanneld cleanup`. */
export interface Usage {
  readonly program: string
  /** Names of its flags. */
  readonly flags: readonly string[]
}

/** What other programs, and the walkthroughs of old, call what we have under another name. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['interface', 'iface'],
  ['public-ipv4', 'public-ip'],
  ['etcd-server', 'etcd-endpoints'],
  ['etcd-servers', 'etcd-endpoints'],
  ['cacert', 'etcd-cafile'],
  ['etcd-cacert', 'etcd-cafile'],
  ['hostname', 'node-id'],
  ['verbose', 'v'],
])

/** So many names are worth showing; of more, none is meant. */
const MOST_NAMED = 3

/** Which of these names may be meant by one that is none of them. */
export function meant(name: string, known: readonly string[]): readonly string[] {
  const other = OTHER_NAMES.get(name.toLowerCase().replaceAll('_', '-'))
  if (other !== undefined && known.includes(other)) return [other]
  const near = nearest(name, known)
  if (near !== undefined) return [near]
  const parts = containing(name, known)
  return parts.length > MOST_NAMED ? [] : parts
}

/**
 * `did you mean --etcd-endpoints?`, or where else to look.
 * @param show how one of the names is written
 */
export function hint(name: string, { program, flags }: Usage, show = (flag: string): string => `--${flag}`): string {
  const [, verbosity] = /^v+(\d*)$/i.exec(name) ?? []
  if (verbosity !== undefined && flags.includes('v')) return `did you mean ${show('v')}=${verbosity || name.length}?`
  const names = meant(name, flags).map(show)
  return names.length === 0 ? `see ${program} --help` : `did you mean ${names.join(' or ')}?`
}

/** @param given without its value: of a misspelt flag nobody knows whether that was a secret */
export function unknownFlag(given: string, usage: Usage): ConfigError {
  const name = given.replace(/^-+/, '')
  const path = name === '' ? 'arguments' : `--${name}`
  return new ConfigError(path, `a flag of ${usage.program} (${hint(name, usage)})`, given)
}

export const valueMissing = (flag: string): ConfigError => new ConfigError(flag, 'a value after it', undefined)

/** What people write for true and false besides what Go takes. */
const WORDS: ReadonlyMap<string, boolean> = new Map([
  ...['yes', 'y', 'on'].map((word) => [word, true] as const),
  ...['no', 'n', 'off'].map((word) => [word, false] as const),
])

/** Dashes that editors and web pages make of `-` and `--`. */
const OTHER_DASHES = /^[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]+/

/**
 * An argument where a flag is expected.
 * @param before the argument before it, as `normaliseGoFlags` leaves it; undefined where it is the first
 * @param shapes flags that may stand there
 */
export function strayArgument(stray: string, before: string | undefined, shapes: readonly FlagShape[]): ConfigError {
  const [, name] = /^--([^=]+)=true$/.exec(before ?? '') ?? []
  const isSwitch = shapes.some((shape) => shape.name === name && shape.isBoolean)
  const value = parseBoolean(stray) ?? WORDS.get(stray.toLowerCase())
  if (name !== undefined && isSwitch && value !== undefined)
    return new ConfigError(`--${name}`, `its value after an equals sign (write --${name}=${String(value)})`, stray)
  const flag = withPlainDashes(stray)
  const expected = flag === undefined ? 'flags only' : `flags that begin with a plain "-" (write ${flag})`
  return new ConfigError('arguments', expected, hideSecret(flag ?? stray))
}

/** @returns the name of the flag that begins with a dash of another kind, as it is to be written; undefined for anything else */
export function withPlainDashes(text: string): string | undefined {
  const name = text
    .replace(OTHER_DASHES, '')
    .replace(/^-+/, '')
    .replace(/=[^]*$/, '')
  return OTHER_DASHES.test(text) && /^[a-z]/i.test(name) ? `--${name}` : undefined
}
