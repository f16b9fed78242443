import { ConfigError } from '../config/error.ts'
import { boolean, flagReader } from './flag.ts'
import { FLAGS } from './flags.ts'
import { normaliseGoFlags } from './go-flags.ts'

export const CLEANUP_HELP = `Usage: flanneld cleanup [--dry-run] [--subnet-file <file>]

Takes away what flanneld leaves on this host when it stops, so that forwarding goes on: its VXLAN devices with all that
hangs on them, its routes on other devices, its firewall rules, its filter for peers, and the subnet file. Containers are
cut off from those on other hosts. What is not flanneld's stays. Stop flanneld first: while one runs, nothing is removed.

Nothing is removed in etcd: the lease stays until it expires, so that this host gets the same subnet when flanneld starts
again before that.

  --dry-run
    only say what would be removed
  --subnet-file <file>
    subnet file of that flanneld (default: ${FLAGS.subnetFile.fallback}) [FLANNELD_SUBNET_FILE]

Exit code: 0 when nothing of flanneld is left, also when there was nothing; 1 when something could not be removed; 2 for
bad usage.
`

/** What was asked for on the command line. */
export type CleanupInvocation =
  | { readonly kind: 'clean'; readonly dryRun: boolean; readonly subnetFile: string }
  /** Print and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const DRY_RUN = boolean('dry-run', false, '')
const OWN_FLAGS = [DRY_RUN, FLAGS.subnetFile, FLAGS.help]

/** Reads the arguments of `flanneld cleanup`, written as the daemon's. @throws {ConfigError} */
export function readCleanup(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CleanupInvocation {
  const given = givenFlags(args.map((arg) => (arg === '-h' ? '--help' : arg)))
  const value = flagReader(given, {})
  if (value(FLAGS.help)) return { kind: 'print', text: CLEANUP_HELP }
  return { kind: 'clean', dryRun: value(DRY_RUN), subnetFile: flagReader(given, environment)(FLAGS.subnetFile) }
}

/** @throws {ConfigError} for what is no flag of ours, or lacks its value */
function givenFlags(args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const shapes = OWN_FLAGS.map(({ name, placeholder }) => ({ name, isBoolean: placeholder === undefined }))
  const given = new Map<string, readonly string[]>()
  for (const arg of normaliseGoFlags(args, shapes)) {
    const [, name = '', assignment] = /^--([^=]+)(=[^]*)?$/.exec(arg) ?? []
    if (!OWN_FLAGS.some((flag) => flag.name === name))
      throw new ConfigError('arguments', 'flags of flanneld cleanup (see flanneld cleanup --help)', arg)
    if (assignment === undefined) throw new ConfigError(`--${name}`, 'a value after it', undefined)
    given.set(name, [...(given.get(name) ?? []), assignment.slice(1)])
  }
  return given
}
