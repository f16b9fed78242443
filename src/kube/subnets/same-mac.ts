import { isObject } from '../../config/json.ts'
import type { LeaseClaim } from '../../lease/lease.ts'
import type { Annotations, NodeRecord } from '../nodes/node-store.ts'
import { annotationsOf, NAMES, recordOf } from './node-claims.ts'

const FAMILIES = [4, 6] as const

/** Another Node whose claim to a VtepMAC goes before ours. */
export interface OlderHolder {
  readonly node: string
  readonly mac: string
}

/**
 * Who publishes a VtepMAC that this claim has as well, and is the older Node: by that all nodes decide whom they reach by it. A machine that
 * was copied while it ran, or that has joined anew under another name, has the device of another Node.
 * @param own our Node
 */
export function olderWithSameMac(
  claim: LeaseClaim,
  own: NodeRecord,
  nodes: readonly NodeRecord[],
): OlderHolder | undefined {
  const ours = annotationsOf(claim)
  for (const family of FAMILIES) {
    const { backendData } = NAMES[family]
    const mac = vtepMacIn(ours[backendData] ?? undefined)
    const holder = nodes.find((node) => isBefore(node, own) && mac !== undefined && mac === macOf(node, backendData))
    if (holder !== undefined && mac !== undefined) return { node: holder.name, mac }
  }
  return undefined
}

/** As claims of one age are heard: by the keys of their subnets. */
function isBefore(other: NodeRecord, own: NodeRecord): boolean {
  if (other.name === own.name || recordOf(other) === undefined) return false
  if (other.createdMs !== own.createdMs) return other.createdMs < own.createdMs
  return (recordOf(other)?.key ?? '') < (recordOf(own)?.key ?? '')
}

const macOf = ({ annotations }: NodeRecord, name: keyof Annotations): string | undefined => vtepMacIn(annotations[name])

/** Of what annotations say of a backend; undefined: it has none. */
export function vtepMacIn(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    const data: unknown = JSON.parse(text)
    const mac = isObject(data) ? data['VtepMAC'] : undefined
    return typeof mac === 'string' ? mac.toLowerCase() : undefined
  } catch {
    return undefined
  }
}
