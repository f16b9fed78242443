import type { RouteAnswer, RouteQuestion } from '../kernel/kernel.ts'
import { unanswered } from './batch.ts'
import { isError, readAcknowledgement, type Conversation } from './conversation.ts'
import { EINVAL, errnoName, refusal } from './codec/errors.ts'
import type { MessageCursor } from './codec/reader.ts'
import { readRouteAnswer, writeRouteQuestion } from './codec/route-question.ts'

const NAME = 'answers'

/**
 * Sends questions about routes in one go. Each has one answer: a route, or a refusal that says what would become of the packet.
 * @param questions as many as fit a send, and whose answers fit the receive buffer
 * @throws {KernelError} when an answer is missing, or a question is refused
 */
export async function askAll(
  conversation: Conversation,
  questions: readonly RouteQuestion[],
): Promise<readonly RouteAnswer[]> {
  const first = conversation.takeSequence(questions.length)
  conversation.writer.reset()
  for (const [index, question] of questions.entries()) writeRouteQuestion(conversation.writer, question, first + index)
  const sent = conversation.send()
  if (sent < 0) throw refusal(NAME, '', -sent)
  const answers = new Map<number, RouteAnswer>()
  const outcome = await conversation.receiveUntil((message) => {
    const index = (message.sequence - first) >>> 0
    if (index >= questions.length) return false
    answers.set(index, readAnswer(message))
    return answers.size === questions.length
  })
  if (outcome.is !== 'complete') throw unanswered(NAME, '', outcome)
  return questions.flatMap((_, index) => answers.get(index) ?? [])
}

/**
 * A route that cannot be read is as good as none. EINVAL is what becomes of packets in a blackhole; where the kernel explains it, it has
 * refused the question.
 */
function readAnswer(message: MessageCursor): RouteAnswer {
  if (isError(message)) {
    const { errno, explanation } = readAcknowledgement(message)
    if (errno === EINVAL && explanation !== undefined) throw refusal(NAME, '', errno, explanation)
    return { is: 'none', code: errnoName(errno) }
  }
  const route = readRouteAnswer(message)
  return route === undefined ? { is: 'none', code: 'EPROTO' } : { is: 'route', route }
}
