import { ConfigError } from '../config/error.ts'
import type { EtcdAccess } from '../config/options.ts'
import { ETCD_ACCESS_FLAGS, readEtcdAccess } from './etcd-access.ts'
import { boolean, flagReader, type Flag } from './flag.ts'
import { FLAGS } from './flags.ts'
import { normaliseGoFlags } from './go-flags.ts'
import { strayArgument, unknownFlag, valueMissing, type Usage } from './usage.ts'

export const CLEANUP_HELP = `Usage: flanneld cleanup [--dry-run] [--release] [--subnet-file <file>]
                        [--etcd-endpoints <urls> …]

Takes away what flanneld leaves on this host when it stops, so that forwarding goes on: its VXLAN
devices with all that hangs on them, its routes on other devices, its firewall rules, its filter
for peers, and the subnet file. Containers are cut off from those on other hosts. What is not
flanneld's stays. Stop flanneld first: while one runs, nothing is removed.

Upstream's routes to peers on other devices (host-gw, DirectRouting) look like anybody's. They are
removed where etcd may be asked and the leases there name just these routes; without etcd they are
only listed.

Without --release nothing is removed in etcd: the lease stays until it expires, so that this host
gets the same subnet when flanneld starts again before that.

  --dry-run
    only say what would be removed
  --release
    also give the lease of this host back in etcd, for a host that leaves the network for good:
    once nothing here uses the subnet any more, its key is deleted if it is still as it was seen.
    Leases of other nodes stay, and so does a reservation (a key on no etcd lease), which is named.
    Needs --etcd-endpoints
  --node-id <id>
    with --release: identity of this node, as flanneld was given it (default: derived from the
    machine id) [FLANNELD_NODE_ID]
  --subnet-file <file>
    subnet file of that flanneld (default: ${FLAGS.subnetFile.fallback})
    [FLANNELD_SUBNET_FILE]
  --etcd-endpoints <urls>
    etcd to ask for leases (default: none); how to reach it is said as for flanneld: --etcd-prefix,
    --etcd-cafile, --etcd-certfile, --etcd-keyfile, --etcd-username, --etcd-password
    [FLANNELD_ETCD_ENDPOINTS]

Exit code: 0 when nothing of flanneld is left, also when there was nothing; 1 when something could
not be removed or given back; 2 for bad usage.
`

/** What was asked for on the command line. */
export type CleanupInvocation =
  | {
      readonly kind: 'clean'
      readonly dryRun: boolean
      readonly subnetFile: string
      /** Undefined: etcd is not to be asked. */
      readonly etcd: EtcdAccess | undefined
      /** Whose leases to give back; undefined: nobody's. */
      readonly release: LeaseRelease | undefined
    }
  /** Print and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

export interface LeaseRelease {
  readonly etcd: EtcdAccess
  /** Identity of the node instead of the one derived from its machine id. */
  readonly nodeId: string | undefined
}

const RELEASE = boolean('release', false, '')
const DRY_RUN = boolean('dry-run', false, '')
const OWN_FLAGS: readonly Flag<unknown>[] = [
  ...[DRY_RUN, RELEASE, FLAGS.subnetFile, FLAGS.nodeId, FLAGS.help],
  ...ETCD_ACCESS_FLAGS,
]
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
  const release = value(RELEASE) ? { etcd: named(etcd), nodeId: asDaemon(FLAGS.nodeId) } : undefined
  return { kind: 'clean', dryRun: value(DRY_RUN), subnetFile: asDaemon(FLAGS.subnetFile), etcd, release }
}

/** @throws {ConfigError} when no etcd is named */
function named(etcd: EtcdAccess | undefined): EtcdAccess {
  if (etcd !== undefined) return etcd
  throw new ConfigError(
    '--etcd-endpoints',
    'the etcd that holds the lease, since --release is to give it back',
    undefined,
  )
}

const USAGE: Usage = { program: 'flanneld cleanup', flags: OWN_FLAGS.map(({ name }) => name) }

/** @throws {ConfigError} for what is no flag of ours, or lacks its value */
function givenFlags(args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const shapes = OWN_FLAGS.map(({ name, placeholder }) => ({ name, isBoolean: placeholder === undefined }))
  const given = new Map<string, readonly string[]>()
  let before: string | undefined
  for (const arg of normaliseGoFlags(args, shapes)) {
    const [, name = '', assignment] = /^--([^=]+)(=[^]*)?$/.exec(arg) ?? []
    if (!arg.startsWith('-') || arg === '--') throw strayArgument(arg, before, shapes)
    if (!OWN_FLAGS.some((flag) => flag.name === name)) throw unknownFlag(arg.replace(/=[^]*$/, ''), USAGE)
    if (assignment === undefined) throw valueMissing(`--${name}`)
    given.set(name, [...(given.get(name) ?? []), assignment.slice(1)])
    before = arg
  }
  return given
}
