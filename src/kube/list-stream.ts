import type { NodeRecord } from './nodes/node-store.ts'
import { readNode } from './nodes/read-node.ts'
import { ITEMS, pageOf, type ListPage } from './list-page.ts'
import { headText, isWhole, parse, STATUS } from './node-text.ts'

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d]
/** A Node's own JSON is 1.5 MB at most, as etcd has it; what stands before the first is less. In bytes. */
const LONGEST_HEAD = 8 * 1_024 * 1_024
const NOTHING = Buffer.alloc(0)

/**
 * Reads a page of a list of Nodes as it comes, piece by piece: of each Node what stands before its status is kept until that begins, and of the
 * status nothing. However long a page is, little of it is in memory at any time.
 */
export class ListStream {
  readonly #prefix: string
  readonly #nodes: NodeRecord[] = []
  /** What was not read yet. */
  #rest: Buffer = NOTHING
  /** Before the first Node; up to a status; in one; behind one; behind the last Node; or it is none that is written as API servers write it. */
  #at: 'start' | 'node' | 'status' | 'behind' | 'end' | 'lost' = 'start'
  #start = ''
  /** Braces and brackets that are open in a status. */
  #depth = 0
  #isInText = false

  /** @param prefix of our annotations */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  push(piece: Buffer): void {
    if (this.#at === 'lost') return
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    while (this.#step());
    if (this.#rest.length > LONGEST_HEAD) this.#lose()
  }

  /** All of it has come. @returns undefined: it is written otherwise, or is none */
  end(): ListPage | undefined {
    const isOver = this.#at === 'end' && this.#rest.toString().trim() === '}'
    return isOver ? pageOf(parse(`${this.#start}"items":[]}`), this.#nodes) : undefined
  }

  /** @returns whether there may be more to read of what has come */
  #step(): boolean {
    if (this.#at === 'start') return this.#readStart()
    if (this.#at === 'node') return this.#readNode()
    if (this.#at === 'status') return this.#skipStatus()
    return this.#at === 'behind' && this.#readBetween()
  }

  #readStart(): boolean {
    const items = this.#rest.indexOf(ITEMS)
    if (items < 0) return false
    this.#start = this.#rest.toString('utf8', 0, items)
    return this.#go('node', items + ITEMS.length)
  }

  #readNode(): boolean {
    const status = this.#rest.indexOf(STATUS)
    if (status < 0) return false
    const item = parse(`${headText(this.#rest, 0, status)}}`)
    const node = isWhole(item) ? readNode(item, this.#prefix) : undefined
    if (node === undefined) return this.#lose()
    this.#nodes.push(node)
    this.#depth = 1
    this.#isInText = false
    return this.#go('status', status + STATUS.length)
  }

  #skipStatus(): boolean {
    const bytes = this.#rest
    for (let at = 0; at < bytes.length; at++) {
      if (this.#isInText) {
        at = endOfText(bytes, at)
        if (at < 0) return this.#keepFrom(bytes.length - trailingBackslashes(bytes))
        this.#isInText = false
        continue
      }
      const byte = bytes[at]
      if (byte === QUOTE) this.#isInText = true
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth--
        if (this.#depth === 0) return this.#go('behind', at + 1)
      }
    }
    return this.#keepFrom(bytes.length)
  }

  /** The status is the last of a Node. */
  #readBetween(): boolean {
    const [close, next] = this.#rest
    if (close === undefined || next === undefined) return false
    if (close !== CLOSE_BRACE) return this.#lose()
    if (next === COMMA) return this.#go('node', 2)
    return next === CLOSE_BRACKET ? this.#go('end', 2) : this.#lose()
  }

  #go(at: 'node' | 'status' | 'behind' | 'end', from: number): boolean {
    this.#at = at
    this.#rest = this.#rest.subarray(from)
    return true
  }

  #keepFrom(from: number): false {
    this.#rest = this.#rest.subarray(from)
    return false
  }

  #lose(): false {
    this.#at = 'lost'
    this.#rest = NOTHING
    return false
  }
}

/** Where the text ends in which `from` is. @returns -1: not in these bytes */
function endOfText(bytes: Buffer, from: number): number {
  for (let quote = bytes.indexOf(QUOTE, from); quote >= 0; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let backslashes = 0
    while (quote - backslashes > from && bytes[quote - backslashes - 1] === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote
  }
  return -1
}

/** Those at the end of a piece belong to what comes next. */
function trailingBackslashes(bytes: Buffer): number {
  let count = 0
  while (count < bytes.length && bytes[bytes.length - count - 1] === BACKSLASH) count++
  return count
}
