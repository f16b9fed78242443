import { Command, CommanderError, Option } from 'commander'
import type { Environment } from '../config/environment.ts'
import { ConfigError } from '../config/error.ts'
import type { DaemonOptions } from '../config/options.ts'
import { hideSecret } from '../config/secrets.ts'
import { statusSocketBeside } from '../config/status-socket.ts'
import type { Family, Ip } from '../net/ip.ts'
import { readEtcdAccess } from './etcd-access.ts'
import { FLAGS, type Flag } from './flags.ts'
import { flagReader, type FlagReader } from './flag.ts'
import { KLOG_FLAGS, setKlogAside, whyGone } from './foreign-flags.ts'
import { helpText } from './help.ts'
import { normaliseGoFlags, type FlagShape } from './go-flags.ts'
import { readKubeAccess, requireNode, variableReader, type VariableReader } from './kube-access.ts'
import type { Layer } from './layers.ts'
import { strayArgument, unknownFlag, valueMissing, type Usage } from './usage.ts'

/** What the command line asks for. */
export type Invocation =
  /** `isCheck`: not to run, but to say what is to be said of them. `klog`: names of flags of klog that were given, and are ignored. */
  | {
      readonly kind: 'run'
      readonly options: DaemonOptions
      readonly klog: readonly string[]
      readonly isCheck: boolean
    }
  /** Print and exit 0. */
  | { readonly kind: 'print'; readonly text: string }
  /** Print what this program is, and exit 0. */
  | { readonly kind: 'about'; readonly about: About }

export type About = 'version' | 'licenses'

/**
 * Reads the arguments (without `node` and script) and the environment of `flanneld`.
 * @throws {ConfigError} naming the flag, what was expected and what was found
 */
export function readCommandLine(args: readonly string[], environment: Environment): Invocation {
  const { given, klog } = readGiven(args)
  const value = flagReader(given, environment)
  if (value(FLAGS.version)) return { kind: 'about', about: 'version' }
  if (value(FLAGS.licenses)) return { kind: 'about', about: 'licenses' }
  if (value(FLAGS.help)) return { kind: 'print', text: helpText() }
  const options = readOptions(value, variableReader([environment]))
  requireNode(options.kube)
  return { kind: 'run', options, klog, isCheck: value(FLAGS.check) }
}

/** The texts given for each flag, and the names of those of klog. @throws {ConfigError} for what is no flag, or lacks its value */
function readGiven(args: readonly string[]): {
  readonly given: ReadonlyMap<string, readonly string[]>
  readonly klog: readonly string[]
} {
  const normalised = normaliseGoFlags(args, SHAPES).map((arg) => (arg === '--h=true' ? '--help=true' : arg))
  const { own, klog } = setKlogAside(normalised)
  return { given: parseWithCommander(describeProgram(), own, normalised), klog }
}

/** What the arguments of a daemon say, as one of the places that settings come from. @throws {ConfigError} */
export const daemonFlags = (args: readonly string[]): Layer['given'] => readGiven(args).given

const SHAPES: readonly FlagShape[] = [
  ...Object.values(FLAGS).map(({ name, placeholder }) => ({ name, isBoolean: placeholder === undefined })),
  { name: 'h', isBoolean: true },
  ...KLOG_FLAGS,
]

function describeProgram(): Command {
  const program = new Command('flanneld')
    .helpOption(false)
    .allowExcessArguments()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  for (const flag of Object.values(FLAGS)) program.addOption(describeOption(flag))
  return program
}

/** commander collects the texts; reading them is the flag's own business. */
function describeOption({ name, placeholder }: Flag<unknown>): Option {
  return collecting(new Option(`--${name} ${placeholder === undefined ? '[bool]' : '<value>'}`))
}

const collecting = (option: Option): Option =>
  option.argParser((text: string, previous: readonly string[] | undefined): readonly string[] => [
    ...(previous ?? []),
    text,
  ])

/**
 * @param all `args` with those of klog among them, for what stands before a stray one
 * @returns the texts given for each flag. @throws {ConfigError} for what is no flag, or lacks its value
 */
function parseWithCommander(
  program: Command,
  args: readonly string[],
  all: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  try {
    program.parse(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) throw usageError(error, args)
    throw error
  }
  const [stray] = program.args
  if (stray !== undefined) throw strayArgument(stray, all[all.indexOf(stray) - 1], SHAPES)
  return new Map(
    program.options.flatMap((option) => {
      const texts: unknown = program.getOptionValue(option.attributeName())
      return Array.isArray(texts) ? [[option.name(), texts.map(String)] as const] : []
    }),
  )
}

const FLAG_NAMES: ReadonlySet<string> = new Set(Object.values(FLAGS).map(({ name }) => name))
const USAGE: Usage = { program: 'flanneld', flags: [...FLAG_NAMES] }

/** Only the last argument can lack its value: the others are joined with theirs. */
function usageError({ code }: CommanderError, args: readonly string[]): ConfigError {
  const missing = code === 'commander.optionMissingArgument'
  const culprit = (missing ? args.at(-1) : args.find(isUnknown)) ?? ''
  const given = culprit.replace(/=[^]*$/, '')
  const name = given.replace(/^-+/, '')
  const gone = whyGone(name)
  if (gone !== undefined) return new ConfigError(`--${name}`, `to be left out: it is ${gone}`, given)
  return missing ? valueMissing(`--${name}`) : unknownFlag(given, USAGE)
}

const isUnknown = (arg: string): boolean => {
  const [, name = ''] = /^--([^=]+)/.exec(arg) ?? []
  return /^-./.test(arg) && !FLAG_NAMES.has(name)
}

/** @param variable reads variables that are no flag's @throws {ConfigError} */
export function readOptions(value: FlagReader, variable: VariableReader): DaemonOptions {
  const [healthzIp, healthzPort] = [value(FLAGS.healthzIp), value(FLAGS.healthzPort)]
  return {
    etcd: readEtcdAccess(value),
    kube: readKubeAccess(value, variable),
    ifaces: value(FLAGS.ifaces),
    ifaceRegexes: value(FLAGS.ifaceRegexes),
    ifaceCanReach: value(FLAGS.ifaceCanReach),
    publicIps: byFamily(value(FLAGS.publicIp), value(FLAGS.publicIpv6)),
    ipMasq: value(FLAGS.ipMasq),
    ipMasqRandomFully: !value(FLAGS.noRandomFully),
    ipBlackholeRoute: value(FLAGS.ipBlackholeRoute),
    forwardRules: value(FLAGS.forwardRules),
    firewallResyncMs: value(FLAGS.firewallResyncSeconds) * MS_PER_SECOND,
    peerFilter: value(FLAGS.peerFilter),
    peerProbes: value(FLAGS.peerProbes),
    healthz: healthzPort === 0 ? undefined : { ip: healthzIp, port: healthzPort },
    subnetFile: value(FLAGS.subnetFile),
    statusSocket: statusSocketOf(value(FLAGS.statusSocket), value(FLAGS.subnetFile)),
    healthzStatus: value(FLAGS.healthzStatus),
    healthzPage: value(FLAGS.healthzPage),
    given: givenFlags(value),
    renewMarginMs: value(FLAGS.renewMarginMinutes) * MS_PER_MINUTE,
    stalePeerGraceMs: value(FLAGS.stalePeerGraceSeconds) * MS_PER_SECOND,
    nodeId: value(FLAGS.nodeId),
    verbosity: value(FLAGS.verbosity),
    logFormat: value(FLAGS.logFormat),
  }
}

const NO_SOCKET = 'none'

const statusSocketOf = (given: string | undefined, subnetFile: string): string | undefined => {
  if (given?.toLowerCase() === NO_SOCKET) return undefined
  return given ?? statusSocketBeside(subnetFile)
}

/** Flags whose values are not their defaults, as they would be given; a secret is left out, and one inside a URL hidden. */
function givenFlags(value: FlagReader): Readonly<Record<string, string>> {
  const flags: readonly Flag<unknown>[] = Object.values(FLAGS)
  const given = flags.flatMap((flag) => {
    const [now, otherwise] = [shownValue(value(flag)), shownValue(flag.fallback)]
    return flag.isVerbatim === true || now === otherwise ? [] : [[flag.name, hideSecret(now)] as const]
  })
  return Object.fromEntries(given)
}

/** A pattern or an address has a text. */
function shownValue(value: unknown): string {
  if (Array.isArray(value)) return value.map(shownValue).join(',')
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value === null) return ''
  if ('text' in value) return shownValue(value.text)
  return 'source' in value ? shownValue(value.source) : ''
}

const byFamily = (...addresses: readonly (Ip | undefined)[]): ReadonlyMap<Family, Ip> =>
  new Map(addresses.flatMap((address) => (address === undefined ? [] : [[address.family, address] as const])))

const MS_PER_SECOND = 1_000
const MS_PER_MINUTE = 60_000
