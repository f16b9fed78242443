import { json, refusal, type Answer, type Question } from '../../http/answer.ts'
import { STATUS_VERSION } from '../../status/document.ts'
import { within } from '../../time/within.ts'
import { followEvents, isForEventStream } from './event-stream.ts'
import { listed } from './json-pieces.ts'
import type { LiveAgent } from './live-agent.ts'
import { Moments } from './moments.ts'
import { peerChoice } from './peer-choice.ts'
import { peerStatuses } from './peer-statuses.ts'
import { eachPending } from './pending-rows.ts'
import { eachRejected } from './rejected-rows.ts'
import { statusDocument } from './status-document.ts'

/*
 * What is answered to whoever asks an agent how it is (status/document.ts). Documents that grow with the number of peers are written piece
 * by piece as they are read.
 */

const version = STATUS_VERSION

export const answerStatus = (live: LiveAgent): Answer => json(statusDocument(live))

export function answerPeers(live: LiveAgent, { query }: Pick<Question, 'query'>): Answer {
  const choice = peerChoice(query)
  if ('wrong' in choice) return refusal(400, choice.wrong)
  const head = { version, at: new Moments(live).now, hasLease: live.status.session !== undefined }
  return { status: 200, body: listed(head, 'peers', peerStatuses(live, choice)) }
}

export function answerPending(live: LiveAgent): Answer {
  const { session } = live.status
  const total = session?.families.reduce((sum, { pending }) => sum + pending, 0) ?? 0
  return {
    status: 200,
    body: listed({ version, total }, 'rows', session === undefined ? [] : eachPending(live, session)),
  }
}

export function answerRejected(live: LiveAgent): Answer {
  const { session } = live.status
  const total = session?.peers.rejected.size ?? 0
  return {
    status: 200,
    body: listed({ version, total }, 'rows', session === undefined ? [] : eachRejected(session.peers)),
  }
}

export function answerEvents(live: LiveAgent, question: Pick<Question, 'header' | 'query' | 'signal'>): Answer {
  if (isForEventStream(question.header('accept'))) return followEvents(live.events, question)
  const after = question.query.get('after') ?? '0'
  if (!/^\d{1,15}$/.test(after)) return refusal(400, 'after= is the id of an event')
  return json({ version, events: live.events.after(Number(after)) })
}

/** Peers that are asked at once: whoever wants to know of all reads what is known of them. */
const MOST_ASKED = 1_000
/** By then it is answered with what is known, in milliseconds. */
const ASKED_WITHIN_MS = 10_000

export async function answerProbe(
  live: LiveAgent,
  { query, signal }: Pick<Question, 'query' | 'signal'>,
): Promise<Answer> {
  const choice = peerChoice(query)
  if ('wrong' in choice) return refusal(400, choice.wrong)
  const isAnybodyAsked = live.reaches.isOn || Object.values(live.reaches.counts()).some((peers) => peers > 0)
  if (!isAnybodyAsked) return refusal(503, `peers are not asked: ${live.reaches.why ?? 'there is none'}`)
  const keys = new Set<string>()
  for (const { key } of peerStatuses(live, choice)) {
    if (keys.size >= MOST_ASKED) return refusal(400, `of= names more than ${MOST_ASKED} peers`)
    keys.add(key)
  }
  await within({ clock: live.clock, ms: ASKED_WITHIN_MS, signal }, (enough) => live.reaches.askNow([...keys], enough))
  return answerPeers(live, { query })
}
