import type { Readable } from 'node:stream'
import { isObject } from '../config/json.ts'
import { readStatus, type StatusWords } from './client/errors.ts'
import type { NodeRecord } from './nodes/node-store.ts'
import { headText, isWhole, parse, STATUS } from './node-text.ts'
import { readNode } from './nodes/read-node.ts'

/** One line of a watch (Kubernetes API, meta/v1 WatchEvent), as far as it matters. */
export type WatchLine =
  | { readonly kind: 'put' | 'deleted'; readonly node: NodeRecord }
  /** Nothing but a position: there is nothing else to tell. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** The stream ends after it. `code`: as of HTTP. */
  | { readonly kind: 'error'; readonly code: number; readonly words: StatusWords }

/** A Node is 1.5 MB at most, as etcd has it; longer ones are no Node. In bytes. */
const LONGEST_LINE = 8 * 1_024 * 1_024
const NEWLINE = 0x0a

/** The lines of a body, all of one piece together. @throws whatever the body fails with */
export async function* linesOf(body: Readable): AsyncGenerator<readonly Buffer[], void, undefined> {
  let rest: Buffer[] = []
  let restLength = 0
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue
    const lines: Buffer[] = []
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const piece = chunk.subarray(from, end)
      lines.push(rest.length === 0 ? piece : Buffer.concat([...rest, piece]))
      rest = []
      from = end + 1
    }
    if (from === 0) restLength += chunk.length
    else restLength = chunk.length - from
    if (from < chunk.length) rest.push(chunk.subarray(from))
    if (restLength > LONGEST_LINE) throw new RangeError('a line of the watch has no end')
    if (lines.length > 0) yield lines
  }
}

const HEAD_ENDS = '}}'

/** @returns undefined: it is no line of a watch of Nodes */
export function readWatchLine(line: Buffer, prefix: string): WatchLine | undefined {
  const event = parseHead(line) ?? parse(line.toString())
  if (!isObject(event)) return undefined
  const { type, object } = event
  if (!isObject(object)) return undefined
  if (type === 'ERROR') return errorIn(object)
  if (type === 'BOOKMARK') return bookmarkIn(object)
  const node = readNode(object, prefix)
  if (node === undefined) return undefined
  if (type === 'DELETED') return { kind: 'deleted', node }
  return type === 'ADDED' || type === 'MODIFIED' ? { kind: 'put', node } : undefined
}

/**
 * Reads a Node up to its status, which is most of it: that is written last.
 * @returns undefined: it is written otherwise, or has none
 */
function parseHead(line: Buffer): unknown {
  const status = line.indexOf(STATUS)
  const head = status < 0 ? undefined : parse(headText(line, 0, status) + HEAD_ENDS)
  return isObject(head) && isWhole(head['object']) ? head : undefined
}

function errorIn(status: Readonly<Record<string, unknown>>): WatchLine {
  const { code } = status
  const said = readStatus(status)
  const words = said.sentence === '' ? { ...said, sentence: 'without a reason' } : said
  return { kind: 'error', code: typeof code === 'number' ? code : 0, words }
}

function bookmarkIn({ metadata }: Readonly<Record<string, unknown>>): WatchLine | undefined {
  const resourceVersion = isObject(metadata) ? metadata['resourceVersion'] : undefined
  return typeof resourceVersion === 'string' ? { kind: 'bookmark', resourceVersion } : undefined
}
