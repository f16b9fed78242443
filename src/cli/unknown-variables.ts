import { environmentName } from './flag.ts'
import { FLAGS } from './flags.ts'
import { isKlog, whyGone } from './foreign-flags.ts'
import { hint } from './usage.ts'

const PREFIX = 'FLANNELD_'

/** Read by others than the flags: by unit files, and by the loader of the addon. */
const OTHERS = ['FLANNELD_OPTS', 'FLANNELD_NETLINK_ADDON']

const FLAG_NAMES = Object.values(FLAGS).map(({ name }) => name)
const KNOWN: ReadonlySet<string> = new Set([...FLAG_NAMES.map(environmentName), ...OTHERS])

/** A flag's name by that of its variable, or what would be one. */
const flagOf = (variable: string): string => variable.slice(PREFIX.length).toLowerCase().replaceAll('_', '-')

/** Names of klog's flags are written with underscores. */
const klogOf = (variable: string): string => variable.slice(PREFIX.length).toLowerCase()

const isOfKlog = (variable: string): boolean => isKlog(klogOf(variable))

/** Variables that no flag of ours has. */
const namesIn = (environment: Readonly<Record<string, string | undefined>>): readonly string[] =>
  Object.keys(environment).filter((name) => name.startsWith(PREFIX) && !KNOWN.has(name))

/**
 * Variables named as if they were for `flanneld`, which nothing reads: misspelt, most likely. A flag would be refused; of a variable
 * nobody knows for whom else it is, so it is only said. Never the values: one may be a password.
 * @returns a sentence for each
 */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  return namesIn(environment)
    .filter((name) => !isOfKlog(name))
    .map((name) => `${name} is not read: ${why(name)}`)
}

function why(variable: string): string {
  const gone = whyGone(flagOf(variable))
  if (gone !== undefined) return `its flag is ${gone}`
  if (variable === 'FLANNELD_OPTIONS') return 'no flag has that name; did you mean FLANNELD_OPTS?'
  return `no flag has that name; ${hint(flagOf(variable), { program: 'flanneld', flags: FLAG_NAMES }, environmentName)}`
}

/**
 * Flags and variables of klog, which upstream takes: they change how its log is written, and nothing here.
 * @param flags names of those that were given
 * @returns one sentence for all; undefined where there is none
 */
export function ignoredKlog(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const named = [...flags.map((name) => `--${name}`), ...namesIn(environment).filter(isOfKlog)]
  if (named.length === 0) return undefined
  return `${named.join(', ')} of upstream's log: ignored; the log goes to standard error, see --v and --log-format`
}
