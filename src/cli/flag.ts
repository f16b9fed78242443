import { ConfigError } from '../config/error.ts'
import { hideSecret } from '../config/secrets.ts'

/** A flag of `flanneld`: its name, what it is for, and how its text becomes a value. */
export interface Flag<T> {
  readonly name: string
  /** What `--help` shows for the value; undefined for a boolean flag. */
  readonly placeholder: string | undefined
  readonly help: string
  readonly fallback: T
  /** Whether blanks and quotes around it are part of it, as they may be of a password. */
  readonly isVerbatim?: boolean
  /**
   * Reads what was given, once or more often. `source` is how the operator knows the flag: `--iface` or `FLANNELD_IFACE`.
   * @throws {ConfigError}
   */
  parse(texts: readonly string[], source: string): T
}

/** The environment variable that stands in for a flag that is not given (upstream's rule). */
export const environmentName = (flag: string): string => `FLANNELD_${flag.toUpperCase().replaceAll('-', '_')}`

/** Reads a value, or calls `fail` with what would have been right. */
export type Read<T> = (text: string, fail: (expected: string) => never) => T

const failure =
  (source: string, text: string) =>
  (expected: string): never => {
    throw new ConfigError(source, expected, hideSecret(text))
  }

/** Given several times, the last one counts, as in Go. */
export function flag<T>(
  name: string,
  placeholder: string | undefined,
  fallback: T,
  help: string,
  read: Read<T>,
): Flag<T> {
  const parse = (texts: readonly string[], source: string): T => {
    const last = texts.at(-1) ?? ''
    return read(last, failure(source, last))
  }
  return { name, placeholder, help, fallback, parse }
}

/** Every time it is given counts. */
export function listFlag<T>(name: string, placeholder: string, help: string, read: Read<T>): Flag<readonly T[]> {
  const parse = (texts: readonly string[], source: string): readonly T[] =>
    texts.map((text) => read(text, failure(source, text)))
  return { name, placeholder, help, fallback: [], parse }
}

export const text = (name: string, placeholder: string, help: string): Flag<string | undefined> =>
  flag<string | undefined>(name, placeholder, undefined, help, (value) => value || undefined)

/** A text that is taken to the letter. */
export const secret = (name: string, placeholder: string, help: string): Flag<string | undefined> => ({
  ...text(name, placeholder, help),
  isVerbatim: true,
})

/** A text that has a default. */
export const textOr = (name: string, placeholder: string, fallback: string, help: string): Flag<string> =>
  flag(name, placeholder, fallback, help, (value) => value)

export const integer = (name: string, fallback: number, min: number, max: number, help: string): Flag<number> =>
  flag(name, 'n', fallback, help, (value, fail) =>
    /^-?\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max
      ? Number(value)
      : fail(`a whole number from ${min} to ${max}`),
  )

/** What Go's strconv.ParseBool takes. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false] as const),
])

/** @returns undefined for what is neither true nor false */
export const parseBoolean = (word: string): boolean | undefined => BOOLEANS.get(word)

export const boolean = (name: string, fallback: boolean, help: string): Flag<boolean> =>
  flag(name, undefined, fallback, help, (value, fail) => parseBoolean(value) ?? fail('true or false'))

/** One of these words. */
export const choice = <T extends string>(name: string, words: readonly [T, ...T[]], help: string): Flag<T> =>
  flag<T>(name, words.join('|'), words[0], help, (value, fail) => {
    const chosen = words.find((word) => word === value.toLowerCase())
    return chosen ?? fail(words.join(' or '))
  })

export type FlagReader = <T>(flag: Flag<T>) => T

/** Without blanks around it, and quotes around all of it: neither `docker run --env-file` nor every unit file takes them away. */
const unquoted = (text: string): string =>
  text
    .trim()
    .replace(/^(["'])(.*)\1$/s, '$2')
    .trim()

/** A flag's value: from the command line, else from the environment, else the default. Empty ones count as not given: unit files pass `$UNSET`. */
export function flagReader(
  given: ReadonlyMap<string, readonly string[]>,
  environment: Readonly<Record<string, string | undefined>>,
): FlagReader {
  return (flag) => {
    const bare = (text: string): string => (flag.isVerbatim === true ? text : unquoted(text))
    const texts = given
      .get(flag.name)
      ?.map(bare)
      .filter((text) => text !== '')
    if (texts !== undefined && texts.length > 0) return flag.parse(texts, `--${flag.name}`)
    const variable = environmentName(flag.name)
    const text = bare(environment[variable] ?? '')
    return text === '' ? flag.fallback : flag.parse([text], variable)
  }
}
