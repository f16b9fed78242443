import { ConfigError } from '../../config/error.ts'
import { hideSecret } from '../../config/secrets.ts'
import { boolean, flagReader, type Flag, type FlagReader } from '../flag.ts'
import { FLAGS } from '../flags.ts'
import { normaliseGoFlags } from '../go-flags.ts'
import type { Layer } from '../layers.ts'
import { unknownFlag, valueMissing } from '../usage.ts'
import { entry, wrap } from '../help.ts'

/** A command besides the daemon, as its arguments go: what reads them, and what `--help`, the manual page and completions say. */
export interface CommandSpec {
  readonly name: string
  /** What may follow the name besides flags, as `[NAME|IP|SUBNET]`; empty where nothing may. */
  readonly operands: string
  /** How many of these there must be, and may be. */
  readonly takes: readonly [least: number, most: number]
  /** What it does, in paragraphs with an empty line between; an indented one is shown as it stands. */
  readonly about: string
  /** Those of the daemon (FLAGS) are taken from the environment too, as the daemon does; others are not. */
  readonly flags: readonly Flag<unknown>[]
  /** One letter that stands for one of the flags, as `-c` for `--count`. */
  readonly letters?: Readonly<Record<string, Flag<unknown>>>
  /** What its exit codes mean. */
  readonly exits: string
}

export type CommandReading =
  | { readonly kind: 'print'; readonly text: string }
  | {
      readonly kind: 'run'
      readonly operands: readonly string[]
      /** Command line, else environment for flags of the daemon, else the default. */
      readonly value: FlagReader
      /** What was given here, for {@link layeredReader}: the daemon's own flags may be said elsewhere too. */
      readonly own: Layer
    }

/** Reads the arguments of a command; flags and operands may stand in any order. @throws {ConfigError} */
export function readCommand(
  spec: CommandSpec,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CommandReading {
  const { given, operands } = divide(spec, args)
  if (flagReader(given, {})(FLAGS.help)) return { kind: 'print', text: helpOf(spec) }
  const [least, most] = spec.takes
  // A shell's variable that is not set: nobody is meant by it, and neither are all.
  if (operands.some((operand) => operand.trim() === ''))
    throw new ConfigError('arguments', spec.operands || 'flags only', '')
  const stray = operands[most]
  if (stray !== undefined)
    throw new ConfigError('arguments', most === 0 ? 'flags only' : `no more than ${spec.operands}`, stray)
  if (operands.length < least) throw new ConfigError('arguments', spec.operands, operands.at(-1))
  const value: FlagReader = (flag) => flagReader(given, isOfDaemon(flag) ? environment : {})(flag)
  return { kind: 'run', operands, value, own: { given, environment } }
}

const DAEMON_FLAGS: ReadonlySet<string> = new Set(Object.values(FLAGS).map(({ name }) => name))
const isOfDaemon = ({ name }: Flag<unknown>): boolean => DAEMON_FLAGS.has(name)

interface Divided {
  readonly given: ReadonlyMap<string, readonly string[]>
  readonly operands: readonly string[]
}

function divide(spec: CommandSpec, args: readonly string[]): Divided {
  const flags = [...spec.flags, FLAGS.help]
  const letters: Readonly<Record<string, Flag<unknown>>> = { h: FLAGS.help, ...spec.letters }
  const shapes = [
    ...flags.map((flag) => ({ name: flag.name, isBoolean: flag.placeholder === undefined })),
    ...Object.entries(letters).map(([name, { placeholder }]) => ({
      ...{ name, isBoolean: placeholder === undefined, isLetter: true },
    })),
  ]
  const given = new Map<string, readonly string[]>()
  const operands: string[] = []
  const [before, after] = aroundDashes(normaliseGoFlags(args, shapes))
  for (const arg of before) {
    const [, typed = '', assignment] = /^--([^=]+)(=[^]*)?$/.exec(arg) ?? []
    const name = (Object.hasOwn(letters, typed) ? letters[typed]?.name : undefined) ?? typed
    if (!arg.startsWith('-') || arg === '-') operands.push(arg)
    else if (!flags.some((flag) => flag.name === name))
      throw unknownFlag(hideSecret(arg.replace(/=[^]*$/, '')), usageOf(spec, flags))
    else if (assignment === undefined) throw valueMissing(`--${name}`)
    else given.set(name, [...(given.get(name) ?? []), assignment.slice(1)])
  }
  return { given, operands: [...operands, ...after] }
}

/** What stands behind `--` is no flag, whatever it looks like. */
function aroundDashes(args: readonly string[]): readonly [readonly string[], readonly string[]] {
  const at = args.indexOf('--')
  return at < 0 ? [args, []] : [args.slice(0, at), args.slice(at + 1)]
}

const usageOf = ({ name }: CommandSpec, flags: readonly Flag<unknown>[]): Parameters<typeof unknownFlag>[1] => ({
  program: `flanneld ${name}`,
  flags: flags.map((flag) => flag.name),
})

/** What `flanneld NAME --help` prints. */
export function helpOf({ name, operands, about, flags, letters = {}, exits }: CommandSpec): string {
  const usage = `Usage: flanneld ${name}${operands === '' ? '' : ` ${operands}`} [flags]\n`
  const paragraphs = about.split('\n\n').map((text) => (text.startsWith(' ') ? `${text}\n` : wrap(text, '')))
  const described = [...flags, boolean('help', false, 'print this and exit')].map((flag) => {
    const letter = Object.entries({ h: FLAGS.help, ...letters }).find(([, { name: long }]) => long === flag.name)?.[0]
    const value = flag.placeholder === undefined ? '' : ` <${flag.placeholder}>`
    return entry(
      `${letter === undefined ? '' : `-${letter}, `}--${flag.name}${value}`,
      `${flag.help}${toldDefault(flag)}`,
    )
  })
  return `${usage}\n${paragraphs.join('\n')}\n${described.join('')}\n${wrap(`Exit code: ${exits}`, '')}`
}

/** Said where the flag's own words do not: a number, an address, one of a few words. */
function toldDefault({ fallback, help }: Flag<unknown>): string {
  const shown =
    typeof fallback === 'object' && fallback !== null && 'text' in fallback ? String(fallback.text) : fallback
  const isTold = (typeof shown === 'string' && shown !== '') || typeof shown === 'number'
  return isTold && !help.includes('(default') ? ` (default: ${shown})` : ''
}
