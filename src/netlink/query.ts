import { setImmediate } from 'node:timers/promises'
import type { KernelError } from '../kernel/kernel.ts'
import { unanswered } from './batch.ts'
import { fault, refusal } from './codec/errors.ts'
import {
  isDone,
  isError,
  readAcknowledgement,
  readDone,
  type Acknowledgement,
  type Conversation,
} from './conversation.ts'
import type { MessageCursor } from './codec/reader.ts'
import { Recording } from './recording.ts'
import { NLM_F } from './codec/uapi.ts'
import type { MessageWriter } from './codec/writer.ts'

/** How long rows are decoded before others get a turn, in milliseconds. */
const MOST_WITHOUT_A_TURN_MS = 4

/** How often a table that changes while it is read is read again. */
const MAX_INTERRUPTIONS = 16

/** A question to the kernel: how to write it, and what to make of each message of the answer. */
export interface Query<T> {
  /** For errors. */
  readonly name: string
  readonly write: (writer: MessageWriter, sequence: number) => void
  /** Undefined: the message is none of ours. */
  readonly read: (message: MessageCursor) => T | undefined
}

/** Reads a table, as {@link record} does, and decodes it; others have their turn meanwhile. @throws {KernelError} */
export async function dump<T>(conversation: Conversation, query: Query<T>, aborted: () => boolean): Promise<T[]> {
  const rows: T[] = []
  const recording = await record(conversation, query, aborted)
  let turnMs = performance.now()
  for (const piece of recording.pieces()) {
    for (const row of piece) rows.push(row)
    if (performance.now() - turnMs < MOST_WITHOUT_A_TURN_MS) continue
    await setImmediate()
    turnMs = performance.now()
  }
  return rows
}

/**
 * Reads a table, which is decoded when somebody goes through it. One that the kernel marks as changed meanwhile (NLM_F_DUMP_INTR) is read
 * again.
 * @param aborted when it turns true the rest of the table is fetched, so that the socket is free for the next, but not kept
 * @throws {KernelError}; with code `DECODE` also whoever goes through the table
 */
export async function record<T>(
  conversation: Conversation,
  query: Query<T>,
  aborted: () => boolean,
): Promise<Recording<T>> {
  for (let attempt = 0; attempt <= MAX_INTERRUPTIONS; attempt++) {
    const once = new Dump(query, ask(conversation, query), aborted)
    if (await once.run(conversation)) return once.recording
  }
  throw fault(query.name, '', 'INTERRUPTED')
}

/** One pass over a table. Reads to the end whatever happens: a dump left half-way would block the socket for the next. */
class Dump<T> {
  readonly recording: Recording<T>
  readonly #query: Query<T>
  readonly #sequence: number
  readonly #aborted: () => boolean
  #error: KernelError | undefined
  #interrupted = false

  constructor(query: Query<T>, sequence: number, aborted: () => boolean) {
    this.#query = query
    this.#sequence = sequence
    this.recording = new Recording(query, sequence)
    this.#aborted = aborted
  }

  /** @returns whether what was read is consistent */
  async run(conversation: Conversation): Promise<boolean> {
    const { name } = this.#query
    const outcome = await conversation.receiveUntil(
      (message) => message.sequence === this.#sequence && this.#take(message),
    )
    if (outcome.is !== 'complete') throw unanswered(name, '', outcome)
    if (this.#aborted()) throw fault(name, '', 'ABORTED')
    if (this.#error !== undefined) throw this.#error
    return !this.#interrupted && !outcome.overrun
  }

  #take(message: MessageCursor): boolean {
    if ((message.flags & NLM_F.DUMP_INTR) !== 0) this.#interrupted = true
    if (!this.#aborted()) this.recording.take(message)
    if (isDone(message)) return this.#end(readDone(message))
    if (isError(message)) return this.#end(readAcknowledgement(message))
    return false
  }

  #end({ errno, explanation }: Acknowledgement): true {
    if (errno !== 0) this.#error ??= refusal(this.#query.name, '', errno, explanation)
    return true
  }
}

/** Asks for one object; the answer is one message, or a refusal. @throws {KernelError} */
export async function lookUp<T>(conversation: Conversation, query: Query<T>, target: string): Promise<T | undefined> {
  const sequence = ask(conversation, query)
  let refused: KernelError | undefined
  let found: T | undefined
  const outcome = await conversation.receiveUntil((message) => {
    if (message.sequence !== sequence) return false
    if (isError(message)) {
      const { errno, explanation } = readAcknowledgement(message)
      if (errno !== 0) refused = refusal(query.name, target, errno, explanation)
    } else found = query.read(message)
    return true
  })
  if (outcome.is !== 'complete') throw unanswered(query.name, target, outcome)
  if (refused !== undefined) throw refused
  return found
}

/** @returns the sequence number that answers will carry */
function ask<T>(conversation: Conversation, query: Query<T>): number {
  const sequence = conversation.takeSequence()
  conversation.writer.reset()
  query.write(conversation.writer, sequence)
  const sent = conversation.send()
  if (sent < 0) throw refusal(query.name, '', -sent)
  return sequence
}
