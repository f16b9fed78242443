/** What the argument reader must know of a flag. */
export interface FlagShape {
  readonly name: string
  /** A boolean flag takes its value only after `=`; alone it means true. */
  readonly isBoolean: boolean
  /** One letter of a command, whose value may follow it at once, as in `-c1`; Go's `flag` package has no such thing. */
  readonly isLetter?: boolean
}

/**
 * Rewrites Go-style arguments to the one form commander reads. Go's `flag` package takes `-name value`, `-name=value`, `--name value`
 * and `--name=value` alike, booleans as `-name` or `-name=false`, and stops at `--`. Unknown arguments pass through, to be
 * refused by name later.
 */
export function normaliseGoFlags(args: readonly string[], flags: readonly FlagShape[]): readonly string[] {
  const booleans = new Map(flags.map(({ name, isBoolean }) => [name, isBoolean]))
  const normalised: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ''
    if (arg === '--') return [...normalised, ...args.slice(at)]
    const [, name = '', value] = /^--?([^-=][^=]*)(?:=([^]*))?$/.exec(arg) ?? []
    const isBoolean = booleans.get(name)
    if (isBoolean === undefined) normalised.push(apart(arg, flags))
    else if (value !== undefined) normalised.push(`--${name}=${value}`)
    else if (isBoolean) normalised.push(`--${name}=true`)
    else if (at + 1 < args.length) normalised.push(`--${name}=${args[++at] ?? ''}`)
    else normalised.push(`--${name}`)
  }
  return normalised
}

/**
 * A letter and the value behind it, as `-c1` and `-o/tmp/report.tar.gz`: a value that begins with a letter would be taken for the rest of
 * a flag's name, and is to stand apart.
 */
function apart(arg: string, flags: readonly FlagShape[]): string {
  const [, letter, value = ''] = /^-([a-z])([^a-z=-][^]*)$/i.exec(arg) ?? []
  const takesValue = flags.some(({ name, isBoolean, isLetter }) => name === letter && isLetter === true && !isBoolean)
  return takesValue ? `--${letter ?? ''}=${value}` : arg
}
