import { ConfigError } from '../config/error.ts'
import type { KubeAccess } from '../config/options.ts'
import { ETCD_ACCESS_FLAGS } from './etcd-access.ts'
import type { Flag, FlagReader } from './flag.ts'
import { FLAGS } from './flags.ts'

/** The value of a variable that is no flag's, as Kubernetes names it; undefined: not set, or empty. */
export type VariableReader = (name: string) => string | undefined

/** Reads variables in the first of these environments that sets them. */
export const variableReader =
  (environments: readonly Readonly<Record<string, string | undefined>>[]): VariableReader =>
  (name) => {
    for (const environment of environments) {
      const text = environment[name]?.trim() ?? ''
      if (text !== '') return text
    }
    return undefined
  }

/**
 * How the API server of Kubernetes is asked, and for which Node.
 * @returns undefined: it is not to be asked; leases stand in etcd
 * @throws {ConfigError}
 */
export function readKubeAccess(value: FlagReader, variable: VariableReader): KubeAccess | undefined {
  if (!value(FLAGS.kubeSubnetMgr)) return undefined
  return {
    apiUrl: value(FLAGS.kubeApiUrl),
    kubeconfigFile: value(FLAGS.kubeconfigFile),
    annotationPrefix: value(FLAGS.kubeAnnotationPrefix),
    netConfigPath: value(FLAGS.netConfigPath),
    setsNetworkAvailable: value(FLAGS.setNodeNetworkUnavailable),
    nodeName: variable('NODE_NAME'),
    pod: readPod(variable),
  }
}

/** Names of Nodes are DNS subdomains (RFC 1123, as Kubernetes has it). */
const NODE_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/

/** Whoever is to be a node has to know which. @throws {ConfigError} where nothing says which Node is ours */
export function requireNode(access: KubeAccess | undefined): void {
  if (access === undefined) return
  const { nodeName, pod } = access
  if (nodeName !== undefined && !NODE_NAME.test(nodeName))
    throw new ConfigError(
      'NODE_NAME',
      'the name of a Node, which has small letters, digits, "-" and "." alone: kubelets write that of their host so',
      nodeName,
    )
  if (nodeName !== undefined || pod !== undefined) return
  throw new ConfigError(
    '--kube-subnet-mgr',
    'the name of our Node in the variable NODE_NAME (fieldRef spec.nodeName), or that of our pod in POD_NAME and POD_NAMESPACE',
    undefined,
  )
}

function readPod(variable: VariableReader): KubeAccess['pod'] {
  const [name, namespace] = [variable('POD_NAME'), variable('POD_NAMESPACE')]
  return name === undefined || namespace === undefined ? undefined : { name, namespace }
}

/** What commands that ask the store take: how to reach etcd, or the API server. */
export const STORE_ACCESS_FLAGS = [
  ...ETCD_ACCESS_FLAGS,
  ...[FLAGS.kubeSubnetMgr, FLAGS.kubeconfigFile, FLAGS.kubeApiUrl, FLAGS.kubeAnnotationPrefix, FLAGS.netConfigPath],
] as const

const OF_ETCD: readonly Flag<unknown>[] = [...ETCD_ACCESS_FLAGS, FLAGS.renewMarginMinutes]
const OF_KUBERNETES: readonly Flag<unknown>[] = [
  ...[FLAGS.kubeApiUrl, FLAGS.kubeconfigFile, FLAGS.kubeAnnotationPrefix, FLAGS.netConfigPath],
  FLAGS.setNodeNetworkUnavailable,
]

/**
 * Flags that were given for a store that is not asked: nothing reads them, as with upstream, and whoever gave them should know.
 * @param given names of flags that are not at their default
 * @returns a sentence for all; undefined where there is none
 */
export function unreadOfOtherStore(given: readonly string[], isKubernetes: boolean): string | undefined {
  const others: ReadonlySet<string> = new Set((isKubernetes ? OF_ETCD : OF_KUBERNETES).map(({ name }) => name))
  const named = given.filter((name) => others.has(name)).map((name) => `--${name}`)
  if (named.length === 0) return undefined
  const [verb, pronoun] = named.length === 1 ? ['is', 'it is'] : ['are', 'they are']
  return isKubernetes
    ? `${named.join(', ')} ${verb} not read: with --kube-subnet-mgr etcd is not asked`
    : `${named.join(', ')} ${verb} not read: ${pronoun} for --kube-subnet-mgr, which is not given`
}
