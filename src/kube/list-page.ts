import { isObject } from '../config/json.ts'
import type { NodeRecord } from './nodes/node-store.ts'
import { readNode } from './nodes/read-node.ts'
import { headText, isWhole, parse, STATUS } from './node-text.ts'

/** A page of a list of Nodes. */
export interface ListPage {
  readonly nodes: readonly NodeRecord[]
  readonly resourceVersion: string
  /** What the next page is asked for with; empty: this is the last. */
  readonly next: string
}

export const ITEMS = '"items":['
/** Between two of them: the end of a status and of a Node. */
const NEXT = '}},{"metadata":{'
const END = '}}]}'

/** Kubernetes API, core/v1 NodeList. @param prefix of our annotations @returns undefined: it is none */
export function readListPage(body: Buffer, prefix: string): ListPage | undefined {
  return scan(body, prefix) ?? readWhole(parse(body.toString()), prefix)
}

/**
 * Reads Node by Node, each up to its status: with thousands, most of what all of them together are made of is never made.
 * @returns undefined: it is written otherwise than API servers write it, or empty
 */
function scan(body: Buffer, prefix: string): ListPage | undefined {
  const items = body.indexOf(ITEMS)
  const end = body.lastIndexOf(END)
  if (items < 0 || end < 0) return undefined
  const nodes: NodeRecord[] = []
  for (let from = items + ITEMS.length; ;) {
    const status = body.indexOf(STATUS, from)
    const item = status < 0 ? undefined : parse(`${headText(body, from, status)}}`)
    const node = isWhole(item) ? readNode(item, prefix) : undefined
    if (node === undefined) return undefined
    nodes.push(node)
    const next = body.indexOf(NEXT, status)
    if (next < 0) {
      const isLast = parse(body.toString('utf8', from, end + 2)) !== undefined
      return isLast ? pageOf(parse(`${body.toString('utf8', 0, items)}"items":[]}`), nodes) : undefined
    }
    from = next + 3
  }
}

function readWhole(list: unknown, prefix: string): ListPage | undefined {
  // Go writes null for none
  const items: unknown = isObject(list) ? (list['items'] ?? []) : undefined
  return Array.isArray(items)
    ? pageOf(
        list,
        items.flatMap((item) => readNode(item, prefix) ?? []),
      )
    : undefined
}

/** @param list without its Nodes */
export function pageOf(list: unknown, nodes: readonly NodeRecord[]): ListPage | undefined {
  if (!isObject(list) || !isObject(list['metadata'])) return undefined
  const { resourceVersion, continue: next } = list['metadata']
  if (typeof resourceVersion !== 'string') return undefined
  return { nodes, resourceVersion, next: typeof next === 'string' ? next : '' }
}
