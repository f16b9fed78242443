import type { Answer, Question } from '../../http/answer.ts'
import { freeSubnets, takenSubnets } from '../../lease/free-subnets.ts'
import type { RejectionCode } from '../../lease/rejection.ts'
import type { PeersView } from '../view/session-view.ts'
import { answerMetrics } from '../../metrics/answer.ts'
import { readProcess } from '../../metrics/process-readings.ts'
import type { PendingCount, ProbeReadings, Readings, SubnetsOfFamily } from '../../metrics/readings.ts'
import { RTT_BOUNDS_MS } from '../../probe/totals.ts'
import type { SessionView } from '../view/session-view.ts'
import type { LiveAgent } from './live-agent.ts'
import { peerStatuses } from './peer-statuses.ts'
import { statusDocument } from './status-document.ts'

/** Answers who asks for metrics of an agent that runs. */
export async function answerMetricsOf(live: LiveAgent, question: Pick<Question, 'query' | 'header'>): Promise<Answer> {
  const { query, header } = question
  const { status, contentType, body } = await answerMetrics(
    { query, accept: header('accept') },
    { agent: () => readingsOf(live), peers: () => ({ peers: () => peerStatuses(live) }) },
  )
  return { status, type: contentType, body }
}

async function readingsOf(live: LiveAgent): Promise<Readings> {
  const process = await readProcess()
  const { session } = live.status
  return {
    status: statusDocument(live),
    counts: live.counts,
    probes: probesOf(live),
    pending: session === undefined ? [] : pendingOf(session),
    rejections: session === undefined ? [] : codes(session.peers),
    subnets: session === undefined || live.store.kind !== 'etcd' ? [] : subnetsOf(session),
    process,
  }
}

/** In seconds, and counted as Prometheus' histograms are. */
function probesOf({ reaches }: LiveAgent): ProbeReadings | undefined {
  const totals = reaches.totals?.()
  if (totals === undefined) return undefined
  const { questions, answers, lost, rttCounts, rttSumMs } = totals
  let sum = 0
  const cumulative = RTT_BOUNDS_MS.map((_, at) => (sum += rttCounts[at] ?? 0))
  const bounds = RTT_BOUNDS_MS.map((ms) => ms / 1_000)
  return { questions, answers, lost, roundTrips: { bounds, cumulative, count: answers, sum: rttSumMs / 1_000 } }
}

function* pendingOf({ families }: SessionView): Generator<PendingCount> {
  for (const view of families) for (const { table } of view.pendingRows()) yield { family: view.family, table }
}

function subnetsOf(session: SessionView): readonly SubnetsOfFamily[] {
  const own = session.lease.families.map(({ subnet }) => subnet)
  const leased = [...takenSubnets(own, session.peers)]
  return session.config.overlays.map((overlay) => {
    const { family, total, taken } = freeSubnets(overlay, leased)
    return { family, all: Number(total), leased: Number(taken) }
  })
}

function* codes(peers: PeersView): Generator<RejectionCode> {
  for (const key of peers.rejected.keys()) yield peers.codeOf(key) ?? 'claimed_by_other'
}
