import { ConfigError } from '../config/error.ts'
import type { EtcdAccess } from '../config/options.ts'
import { ETCD_ACCESS_FLAGS, readEtcdAccess } from './etcd-access.ts'
import { boolean, flagReader, hideSecret, type Flag } from './flag.ts'
import { FLAGS } from './flags.ts'
import { normaliseGoFlags } from './go-flags.ts'

export const CLEANUP_HELP = `Usage: flanneld cleanup [--dry-run] [--subnet-file <file>] [--etcd-endpoints <urls> …]

Takes away what flanneld leaves on this host when it stops, so that forwarding goes on: its VXLAN devices with all that
hangs on them, its routes on other devices, its firewall rules, its filter for peers, and the subnet file. Containers are
cut off from those on other hosts. What is not flanneld's stays. Stop flanneld first: while one runs, nothing is removed.

Upstream's routes to peers on other devices (host-gw, DirectRouting) look like anybody's. They are removed where etcd may be asked and
the leases there name just these routes; without etcd they are only listed.

Nothing is removed in etcd: the lease stays until it expires, so that this host gets the same subnet when flanneld starts
again before that.

  --dry-run
    only say what would be removed
  --subnet-file <file>
    subnet file of that flanneld (default: ${FLAGS.subnetFile.fallback}) [FLANNELD_SUBNET_FILE]
  --etcd-endpoints <urls> [FLANNELD_ETCD_ENDPOINTS]
    etcd to ask for leases (default: none); how to reach it is said as for flanneld: --etcd-prefix, --etcd-cafile,
    --etcd-certfile, --etcd-keyfile, --etcd-username, --etcd-password

Exit code: 0 when nothing of flanneld is left, also when there was nothing; 1 when something could not be removed; 2 for
bad usage.
`

/** What was asked for on the command line. */
export type CleanupInvocation =
  | {
      readonly kind: 'clean'
      readonly dryRun: boolean
      readonly subnetFile: string
      /** Undefined: etcd is not to be asked. */
      readonly etcd: EtcdAccess | undefined
    }
  /** Print and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const DRY_RUN = boolean('dry-run', false, '')
const OWN_FLAGS: readonly Flag<unknown>[] = [DRY_RUN, FLAGS.subnetFile, FLAGS.help, ...ETCD_ACCESS_FLAGS]
/** Where none is named, none is guessed. */
const ENDPOINTS: Flag<readonly string[] | undefined> = { ...FLAGS.endpoints, fallback: undefined }

/** Reads the arguments of `flanneld cleanup`, written as the daemon's. @throws {ConfigError} */
export function readCleanup(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CleanupInvocation {
  const given = givenFlags(args.map((arg) => (arg === '-h' ? '--help' : arg)))
  const value = flagReader(given, {})
  if (value(FLAGS.help)) return { kind: 'print', text: CLEANUP_HELP }
  const asDaemon = flagReader(given, environment)
  const etcd = asDaemon(ENDPOINTS) === undefined ? undefined : readEtcdAccess(asDaemon)
  return { kind: 'clean', dryRun: value(DRY_RUN), subnetFile: asDaemon(FLAGS.subnetFile), etcd }
}

/** @throws {ConfigError} for what is no flag of ours, or lacks its value */
function givenFlags(args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const shapes = OWN_FLAGS.map(({ name, placeholder }) => ({ name, isBoolean: placeholder === undefined }))
  const given = new Map<string, readonly string[]>()
  for (const arg of normaliseGoFlags(args, shapes)) {
    const [, name = '', assignment] = /^--([^=]+)(=[^]*)?$/.exec(arg) ?? []
    if (!OWN_FLAGS.some((flag) => flag.name === name))
      throw new ConfigError('arguments', 'flags of flanneld cleanup (see flanneld cleanup --help)', hideSecret(arg))
    if (assignment === undefined) throw new ConfigError(`--${name}`, 'a value after it', undefined)
    given.set(name, [...(given.get(name) ?? []), assignment.slice(1)])
  }
  return given
}
