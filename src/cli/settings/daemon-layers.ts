import { ConfigError } from '../../config/error.ts'
import { ETCD_ACCESS_FLAGS } from '../etcd-access.ts'
import type { Flag, FlagReader } from '../flag.ts'
import { daemonFlags } from '../flanneld.ts'
import { FLAGS } from '../flags.ts'
import { layeredReader, type Layer } from '../layers.ts'

/** Files that flanneld.service reads, in this order; what stands in a later one counts. */
export const UNIT_FILES = ['/etc/default/flanneld', '/etc/sysconfig/flanneld', '/run/flannel/options.env'] as const

/** Variables that the unit makes flags of: the names of Red Hat's /etc/sysconfig/flanneld. */
const AS_FLAGS = { FLANNEL_ETCD_ENDPOINTS: 'etcd-endpoints', FLANNEL_ETCD_PREFIX: 'etcd-prefix' } as const
/** Variables with further flags in them. */
const WITH_FLAGS = ['FLANNEL_OPTIONS', 'FLANNELD_OPTS'] as const

const ENDPOINTS: Flag<readonly string[] | undefined> = { ...FLAGS.endpoints, fallback: undefined }
const OF_ETCD: ReadonlySet<string> = new Set(ETCD_ACCESS_FLAGS.map(({ name }) => name))

/**
 * Reads what a command was told itself, else what the daemon was. Whoever names endpoints of etcd says with them all that it takes to reach
 * them: a password of the daemon is shown to no other etcd. And means etcd, whatever the daemon asks.
 * @param daemon undefined: nothing is known of one
 */
export function settingsReader(own: Layer, daemon: Layer | undefined): FlagReader {
  const ofCommand = layeredReader([own])
  const either = layeredReader(daemon === undefined ? [own] : [own, daemon])
  const ofEtcd = ofCommand(ENDPOINTS) === undefined ? either : ofCommand
  return (flag) => (OF_ETCD.has(flag.name) || flag.name === FLAGS.kubeSubnetMgr.name ? ofEtcd(flag) : either(flag))
}

/** Who has said where etcd is; undefined: nobody, and the default counts. */
export function namesEtcd(own: Layer, daemon: Layer | undefined): 'command' | 'daemon' | undefined {
  if (layeredReader([own])(ENDPOINTS) !== undefined) return 'command'
  return daemon !== undefined && layeredReader([daemon])(ENDPOINTS) !== undefined ? 'daemon' : undefined
}

/** Who has said that the API server of Kubernetes is asked, or which; undefined: nobody. */
export function namesKubernetes(own: Layer, daemon: Layer | undefined): 'command' | 'daemon' | undefined {
  const named = (layer: Layer): boolean => {
    const value = layeredReader([layer])
    return [FLAGS.kubeconfigFile, FLAGS.kubeApiUrl].some((flag) => value(flag) !== undefined)
  }
  if (layeredReader([own])(FLAGS.kubeSubnetMgr) || named(own)) return 'command'
  return daemon !== undefined && layeredReader([daemon])(FLAGS.kubeSubnetMgr) ? 'daemon' : undefined
}

/**
 * What flanneld.service would hand to the daemon. Flags that the daemon would refuse are left out.
 * @param texts of {@link UNIT_FILES}, as far as there are any, in their order
 */
export function unitLayer(texts: readonly string[]): Layer {
  const environment = Object.fromEntries(texts.flatMap((text) => [...assignments(text)]))
  const flags = Object.entries(AS_FLAGS).flatMap(([name, flag]) => {
    const value = environment[name] ?? ''
    return value === '' ? [] : [`--${flag}=${value}`]
  })
  const further = WITH_FLAGS.flatMap((name) => wordsOf(environment[name] ?? ''))
  return { given: flagsOf([...flags, ...further]), environment }
}

/**
 * What a daemon that runs was started with.
 * @param commandLine with the program first, and perhaps a script that it runs, as /proc shows it
 */
export function processLayer(commandLine: readonly string[], environment: Layer['environment']): Layer {
  for (let from = 1; from <= commandLine.length; from++)
    try {
      return { given: daemonFlags(commandLine.slice(from)), environment }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
    }
  return { given: new Map(), environment }
}

function flagsOf(args: readonly string[]): Layer['given'] {
  try {
    return daemonFlags(args)
  } catch (error) {
    if (error instanceof ConfigError) return new Map()
    throw error
  }
}

/** `NAME=value` in a line, the value with or without quotes around it (systemd.exec(5), EnvironmentFile=). */
function* assignments(text: string): Generator<readonly [string, string]> {
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line) ?? []
    if (name !== undefined) yield [name, value.trim().replace(/^(["'])(.*)\1$/s, '$2')]
  }
}

/** As systemd splits `$NAME`: at blanks, but for those in quotes (systemd.service(5), Command lines). */
const wordsOf = (text: string): readonly string[] =>
  [...text.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replaceAll(
      /"([^"]*)"|'([^']*)'/g,
      (_, double: string | undefined, single: string | undefined) => double ?? single ?? '',
    ),
  )
