import type { Answer, Question } from '../../http/answer.ts'
import { parseLeaseKey } from '../../lease/codec.ts'
import { subnetUse } from '../../lease/subnet-use.ts'
import { answerMetrics } from '../../metrics/answer.ts'
import { readProcess } from '../../metrics/process-readings.ts'
import type { PendingCount, Readings, SubnetsOfFamily } from '../../metrics/readings.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { SessionView } from '../view/session-view.ts'
import type { LiveAgent } from './live-agent.ts'
import { peerStatuses } from './peer-statuses.ts'
import { statusDocument } from './status-document.ts'

/** Answers who asks for metrics of an agent that runs. */
export async function answerMetricsOf(live: LiveAgent, question: Pick<Question, 'query' | 'header'>): Promise<Answer> {
  const { query, header } = question
  const { status, contentType, body } = await answerMetrics(
    { query, accept: header('accept') },
    { agent: () => readingsOf(live), peers: () => ({ peers: peerStatuses(live) }) },
  )
  return { status, type: contentType, body }
}

async function readingsOf(live: LiveAgent): Promise<Readings> {
  const process = await readProcess()
  const { session } = live.status
  return {
    status: statusDocument(live),
    counts: live.counts,
    probes: live.reaches.totals?.(),
    pending: session === undefined ? [] : pendingOf(session),
    rejections: session?.peers.rejected.values() ?? [],
    subnets: session === undefined ? [] : subnetsOf(session),
    process,
  }
}

function* pendingOf({ families }: SessionView): Generator<PendingCount> {
  for (const view of families) for (const { table } of view.pendingRows()) yield { family: view.family, table }
}

function subnetsOf(session: SessionView): readonly SubnetsOfFamily[] {
  const leased = [...leasedSubnets(session)]
  return session.config.overlays.map((overlay) => ({ family: overlay.family, ...subnetUse(overlay, leased) }))
}

/** Ours, those of peers, and those of leases that are rejected: nobody else is given one of them. */
function* leasedSubnets({ lease, peers }: SessionView): Generator<Prefix> {
  for (const { subnet } of lease.families) yield subnet
  for (const [, entries] of peers.inForce()) for (const { subnet } of entries.values()) yield subnet
  for (const key of peers.rejected.keys()) yield* parseLeaseKey(key) ?? []
}
