import { isObject } from '../../config/json.ts'
import { ANNOTATIONS, type AnnotationName, type Annotations, type NodeRecord } from './node-store.ts'

/** No honest annotation comes near this; of longer ones no more is kept, and whoever reads them finds rubbish. In UTF-16 units. */
const LONGEST_ANNOTATION = 2_048
/** One of each family, and some that only a mistake can account for. */
const MOST_CIDRS = 8
const NO_FIELDS = {}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => (isObject(value) ? value : NO_FIELDS)

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/**
 * What is kept of a Node (Kubernetes API, core/v1). Never throws: what is not of the form that the API has counts as missing.
 * @param prefix of our annotations
 * @returns undefined: it has no name
 */
export function readNode(value: unknown, prefix: string): NodeRecord | undefined {
  const node = fieldsOf(value)
  const metadata = fieldsOf(node['metadata'])
  const name = textOf(metadata['name'])
  if (name === '') return undefined
  const createdMs = Date.parse(textOf(metadata['creationTimestamp']))
  return {
    name,
    uid: textOf(metadata['uid']),
    createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
    resourceVersion: textOf(metadata['resourceVersion']),
    podCidrs: readCidrs(fieldsOf(node['spec'])),
    annotations: readAnnotations(fieldsOf(metadata['annotations']), prefix),
  }
}

function readCidrs(spec: Readonly<Record<string, unknown>>): readonly string[] {
  const several = Array.isArray(spec['podCIDRs']) ? spec['podCIDRs'].slice(0, MOST_CIDRS).map(textOf) : []
  const named = several.filter((cidr) => cidr !== '')
  const one = textOf(spec['podCIDR'])
  return named.length > 0 || one === '' ? named : [one]
}

function readAnnotations(all: Readonly<Record<string, unknown>>, prefix: string): Annotations {
  const found: Partial<Record<AnnotationName, string>> = {}
  for (const name of ANNOTATIONS) {
    const value = all[prefix + name]
    if (typeof value === 'string') found[name] = value.slice(0, LONGEST_ANNOTATION)
  }
  return found
}

/** Whether its condition NetworkUnavailable is as upstream sets it. */
export function isNetworkAvailable(node: unknown): boolean {
  const { conditions: all } = fieldsOf(fieldsOf(node)['status'])
  const conditions: readonly unknown[] = Array.isArray(all) ? all : []
  const found = conditions.map(fieldsOf).find((condition) => condition['type'] === 'NetworkUnavailable')
  return found?.['status'] === 'False' && found['reason'] === NETWORK_AVAILABLE.reason
}

/** `status.nodeInfo.bootID`, which the kubelet writes. */
export function bootIdOf(node: unknown): string | undefined {
  const { bootID } = fieldsOf(fieldsOf(fieldsOf(node)['status'])['nodeInfo'])
  const text = textOf(bootID)
  return text === '' ? undefined : text
}

/** Condition NetworkUnavailable as upstream sets it. */
export const NETWORK_AVAILABLE = {
  type: 'NetworkUnavailable',
  status: 'False',
  reason: 'FlannelIsUp',
  message: 'Flannel is running on this node',
} as const
