import type { FlagShape } from './go-flags.ts'
import { ConfigError } from '../config/error.ts'

/**
 * The flags of klog and of glog before it, but for `-v`: how upstream's log is written. Upstream itself takes three of them today, and took
 * all before version 0.8. They ask for nothing that the overlay needs.
 */
export const KLOG_FLAGS: readonly FlagShape[] = [
  ...['add_dir_header', 'alsologtostderr', 'legacy_stderr_threshold_behavior', 'logtostderr'].map(asSwitch),
  ...['one_output', 'skip_headers', 'skip_log_headers'].map(asSwitch),
  ...['alsologtostderrthreshold', 'log_backtrace_at', 'log_dir', 'log_file', 'log_file_max_size'].map(asSetting),
  ...['log_link', 'logbuflevel', 'stderrthreshold', 'vmodule'].map(asSetting),
]

function asSwitch(name: string): FlagShape {
  return { name, isBoolean: true }
}

function asSetting(name: string): FlagShape {
  return { name, isBoolean: false }
}

const KLOG_NAMES: ReadonlySet<string> = new Set(KLOG_FLAGS.map(({ name }) => name))

export const isKlog = (name: string): boolean => KLOG_NAMES.has(name)

/** Arguments in one form, without those of klog. */
export interface WithoutKlog {
  readonly own: readonly string[]
  /** Names of klog's flags that were given, each once. */
  readonly klog: readonly string[]
}

/** @param args as `normaliseGoFlags` leaves them @throws {ConfigError} for one of klog's that lacks its value */
export function setKlogAside(args: readonly string[]): WithoutKlog {
  const end = args.indexOf('--')
  const own: string[] = []
  const klog = new Set<string>()
  for (const [at, arg] of args.entries()) {
    const [, name = '', assignment] = /^--([^=]+)(=[^]*)?$/.exec(arg) ?? []
    if ((end !== -1 && at >= end) || !isKlog(name)) own.push(arg)
    else if (assignment === undefined) throw new ConfigError(`--${name}`, 'a value after it', undefined)
    else klog.add(name)
  }
  return { own, klog: [...klog] }
}

const SERVER = 'every agent speaks to etcd itself: give each --etcd-endpoints'
const NETWORKS = 'one agent carries one network: give it --etcd-prefix and --subnet-file'

/** Flags of flannel before 0.8, and what is to be done instead. */
const GONE: ReadonlyMap<string, string> = new Map([
  ...['listen', 'remote', 'remote-keyfile', 'remote-certfile', 'remote-cafile'].map((name) => [name, SERVER] as const),
  ...['networks', 'watch-networks', 'subnet-dir'].map((name) => [name, NETWORKS] as const),
])

/** @returns since when flannel has a flag no more, and what to do instead; undefined for a flag that it never had, or has */
export function whyGone(name: string): string | undefined {
  const instead = GONE.get(name)
  return instead === undefined ? undefined : `gone since flannel 0.8; ${instead}`
}
