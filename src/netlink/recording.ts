import { MessageBuffer } from './codec/buffer.ts'
import { fault } from './codec/errors.ts'
import { DecodeError, MessageCursor } from './codec/reader.ts'
import { isDone, isError } from './conversation.ts'
import type { Query } from './query.ts'

interface Datagram {
  readonly buffer: MessageBuffer
  readonly length: number
}

/**
 * The kernel's answer to a dump as it came, decoded whenever somebody goes through it: a table of tens of thousands of rows is some
 * megabytes of octets, and would be ten times as much in objects, which the collector would look at and move for as long as they are held.
 * It can be gone through once: what has been read is let go of at once, since at rest nobody collects it for long.
 */
export class Recording<T> implements Iterable<T> {
  readonly #query: Query<T>
  readonly #sequence: number
  readonly #datagrams: Datagram[] = []
  /** Number of the one that was taken last, as the cursor counts them. */
  #taken = 0

  /** @param sequence of the messages that belong to it */
  constructor(query: Query<T>, sequence: number) {
    this.#query = query
    this.#sequence = sequence
  }

  /** Takes the message that the cursor stands at, with all that came in one piece with it. */
  take(cursor: MessageCursor): void {
    if (cursor.datagrams === this.#taken) return
    this.#taken = cursor.datagrams
    const buffer = new MessageBuffer(cursor.length)
    buffer.bytes.set(cursor.buffer.bytes.subarray(0, cursor.length))
    this.#datagrams.push({ buffer, length: cursor.length })
  }

  /** @throws {KernelError} with code `DECODE` at a row that cannot be read */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (const piece of this.pieces()) yield* piece
  }

  /** The rows of one datagram after the other, some hundreds each; of some there may be none. @throws as going through the rows does */
  *pieces(): Generator<readonly T[], void, undefined> {
    for (let first = this.#datagrams[0]; first !== undefined; first = this.#datagrams[0]) {
      yield this.#rowsOf(first)
      this.#datagrams.shift()
      first.buffer.release()
    }
  }

  #rowsOf({ buffer, length }: Datagram): readonly T[] {
    const cursor = new MessageCursor(buffer)
    cursor.start(length)
    const rows: T[] = []
    while (cursor.next()) {
      const row = this.#read(cursor)
      if (row !== undefined) rows.push(row)
    }
    return rows
  }

  #read(message: MessageCursor): T | undefined {
    if (message.sequence !== this.#sequence || isDone(message) || isError(message)) return undefined
    try {
      return this.#query.read(message)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw fault(this.#query.name, '', 'DECODE', error)
    }
  }
}
