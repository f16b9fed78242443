import type { Readable } from 'node:stream'

/** Length of what stands before each message: a byte for compression, four for the length (grpc: doc/PROTOCOL-HTTP2.md). */
const PREFIX = 5

export interface Frame {
  /** As it came, prefix and all. */
  readonly frame: Buffer
  readonly message: Buffer
}

/** The gRPC messages in the data of an HTTP/2 stream. */
export class FrameReader implements AsyncIterable<Frame> {
  readonly #stream: Readable

  constructor(stream: Readable) {
    this.#stream = stream
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Frame, void, undefined> {
    let pieces: Buffer[] = []
    let length = 0
    for await (const piece of this.#stream) {
      if (!Buffer.isBuffer(piece)) throw new Error('a stream of bytes was expected')
      pieces.push(piece)
      length += piece.length
      if (length < needed(pieces)) continue
      let bytes = Buffer.concat(pieces)
      for (let size = needed([bytes]); bytes.length >= size; size = needed([bytes])) {
        yield { frame: bytes.subarray(0, size), message: bytes.subarray(PREFIX, size) }
        bytes = bytes.subarray(size)
      }
      pieces = [bytes]
      length = bytes.length
    }
  }
}

/** Size of the frame that begins there. */
function needed(pieces: readonly Buffer[]): number {
  const [first = Buffer.of()] = pieces
  const start = first.length >= PREFIX ? first : Buffer.concat(pieces)
  return start.length < PREFIX ? PREFIX : PREFIX + start.readUInt32BE(1)
}
