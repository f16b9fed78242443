import type { KernelError, OpResult } from '../kernel/kernel.ts'
import { ENOBUFS, fault, noRoomFor, refusal } from './codec/errors.ts'
import {
  isError,
  readAcknowledgement,
  type Acknowledgement,
  type Conversation,
  type ConversationOutcome,
} from './conversation.ts'
import { isAlreadySo, operationTarget, writeOperation, type LinkNamer, type Operation } from './codec/operation.ts'
import { NLM_F } from './codec/uapi.ts'
import { MessageTooLong, type MessageWriter } from './codec/writer.ts'

/** Room that any operation fits into, unless its texts are beyond what the kernel would take. */
const ROOM_FOR_ONE = 1024

const DONE: OpResult = { ok: true }
const failure = (error: KernelError): OpResult => ({ ok: false, error })

/**
 * Sends operations in one go and in order, with an acknowledgement wanted for the last only: the kernel reports every message that
 * fails anyway. An operation whose answer was lost counts as failed, with code `LOST`.
 * @param nameOf for what errors say
 * @returns one result for each operation taken from the front of `ops`; at least one was, unless there is none
 */
export async function sendBatch(
  conversation: Conversation,
  ops: readonly Operation[],
  nameOf: LinkNamer,
): Promise<OpResult[]> {
  const first = conversation.takeSequence(ops.length)
  const taken = writeBatch(conversation.writer, ops, first)
  if (taken === 0) return ops.slice(0, 1).map((op) => failure(fault(op.op, operationTarget(op, nameOf), 'ENCODE')))
  if (conversation.isClosed())
    return ops.slice(0, taken).map((op) => failure(fault(op.op, operationTarget(op, nameOf), 'CLOSED')))
  const sent = conversation.send()
  if (sent < 0) return ops.slice(0, taken).map((op) => failure(refusal(op.op, operationTarget(op, nameOf), -sent)))

  const answers = new Map<number, Acknowledgement>()
  const outcome = await conversation.receiveUntil((message) => {
    const index = (message.sequence - first) >>> 0
    if (!isError(message) || index >= taken) return false
    const answer = readAcknowledgement(message)
    if (answer.errno !== 0) answers.set(index, answer)
    return index === taken - 1
  })
  return ops.slice(0, taken).map((op, index) => resultOf(op, answers.get(index), outcome, nameOf))
}

/** @returns how many operations fitted; numbered from `first` on, the last one is to be acknowledged */
function writeBatch(writer: MessageWriter, ops: readonly Operation[], first: number): number {
  let taken = 0
  writer.reset()
  try {
    for (const op of ops) {
      if (taken > 0 && writer.room < ROOM_FOR_ONE) break
      writer.mark()
      writeOperation(writer, op, first + taken)
      taken++
    }
  } catch (error) {
    if (!(error instanceof MessageTooLong)) throw error
    writer.rewind() // one that does not fit leaves no trace
  }
  if (taken > 0) writer.flagLast(NLM_F.ACK)
  return taken
}

function resultOf(
  op: Operation,
  answer: Acknowledgement | undefined,
  outcome: ConversationOutcome,
  nameOf: LinkNamer,
): OpResult {
  if (answer !== undefined) {
    if (isAlreadySo(op, answer.errno)) return DONE
    return failure(refusalOf(op, operationTarget(op, nameOf), answer))
  }
  if (outcome.is === 'complete' && !outcome.overrun) return DONE
  return failure(unanswered(op.op, operationTarget(op, nameOf), outcome))
}

function refusalOf(op: Operation, target: string, { errno, explanation }: Acknowledgement): KernelError {
  const isFull = op.op === 'neighbour.replace' && errno === ENOBUFS
  return isFull ? noRoomFor(op.ip.family, target) : refusal(op.op, target, errno, explanation)
}

/** Why there is no answer, or none that can be relied on. */
export function unanswered(op: string, target: string, outcome: ConversationOutcome): KernelError {
  switch (outcome.is) {
    case 'failed':
      return refusal(op, target, outcome.errno)
    case 'unreadable':
      return fault(op, target, 'DECODE', outcome.error)
    case 'closed':
      return fault(op, target, 'CLOSED')
    case 'complete':
    case 'lost':
    case 'timeout':
      return fault(op, target, 'LOST')
  }
}
