import { readFileSync } from 'node:fs'
import { MessageBuffer } from '../../src/netlink/codec/buffer.ts'
import { MessageCursor } from '../../src/netlink/codec/reader.ts'

/** What capture.mjs recorded. */
interface Recording {
  readonly requests: readonly { readonly name: string; readonly command: string; readonly bytes: string }[]
  readonly answers: readonly {
    readonly name: string
    readonly command: string
    readonly datagrams: readonly string[]
  }[]
}

const isRecording = (value: unknown): value is Recording =>
  typeof value === 'object' && value !== null && 'requests' in value && 'answers' in value

function readRecording(): Recording {
  const parsed: unknown = JSON.parse(readFileSync(new URL('messages.json', import.meta.url), 'utf8'))
  if (!isRecording(parsed)) throw new Error('messages.json is no recording; run node test/golden/capture.mjs')
  return parsed
}

export const recording = readRecording()

/** Everything the kernel and iproute2 said, as bytes: what real messages look like. */
export const realDatagrams: readonly Uint8Array[] = [
  ...recording.requests.map(({ bytes }) => Buffer.from(bytes, 'hex')),
  ...recording.answers.flatMap(({ datagrams }) => datagrams.map((datagram) => Buffer.from(datagram, 'hex'))),
]

/** Calls `visit` at every message of the datagrams, with the cursor on it. */
export function walk(datagrams: readonly Uint8Array[], visit: (message: MessageCursor) => void): void {
  for (const datagram of datagrams) {
    const buffer = new MessageBuffer(datagram.length)
    buffer.bytes.set(datagram)
    const cursor = new MessageCursor(buffer)
    cursor.start(datagram.length)
    while (cursor.next()) visit(cursor)
  }
}

/** What `read` makes of every message of the recorded answer, what it does not want left out. */
export function readAnswer<T>(name: string, read: (message: MessageCursor) => T | undefined): readonly T[] {
  const answer = recording.answers.find((one) => one.name === name)
  if (answer === undefined) throw new Error(`no answer "${name}" is recorded`)
  const found: T[] = []
  walk(
    answer.datagrams.map((hex) => Buffer.from(hex, 'hex')),
    (message) => {
      const entry = message.type >= FIRST_RTM ? read(message) : undefined
      if (entry !== undefined) found.push(entry)
    },
  )
  return found
}

/** RTM_BASE: message types below are netlink's own. */
const FIRST_RTM = 16
