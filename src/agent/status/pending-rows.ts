import type { PendingRow, Why } from '../../reconcile/pending-row.ts'
import type { Counted, PendingStatus } from '../../status/document.ts'
import { printable } from '../../text/printable.ts'
import type { SessionView } from '../view/session-view.ts'
import type { LiveAgent } from './live-agent.ts'
import { Moments } from './moments.ts'
import { nameOf } from './peer-statuses.ts'

/** Rows that are not as they should be, `most` of them. */
export function pendingRows(live: LiveAgent, most = Infinity): Counted<PendingStatus> {
  const { session } = live.status
  if (session === undefined) return { total: 0, rows: [] }
  const rows: PendingStatus[] = []
  for (const row of eachPending(live, session)) {
    if (rows.length >= most) break
    rows.push(row)
  }
  return { total: session.families.reduce((sum, { pending }) => sum + pending, 0), rows }
}

/** All of them, made one by one as they are read. */
export function* eachPending(live: LiveAgent, session: SessionView): Generator<PendingStatus> {
  const moments = new Moments(live)
  for (const view of session.families)
    for (const { table, row, peer, why, untilMs } of view.pendingRows())
      yield {
        family: view.family,
        table,
        row,
        peer: peer === undefined ? null : peerName(session, view.family, peer),
        why: inWords(why),
        until: moments.isoOrNull(untilMs),
      }
}

function peerName({ peers }: SessionView, family: PendingStatus['family'], key: string): string {
  const peer = peers.entriesOf(key)?.get(family)
  return peer === undefined ? printable(key) : nameOf(peer)
}

function inWords(why: PendingRow['why']): string {
  switch (why.is) {
    case 'missing':
      return 'it is not there'
    case 'differs':
      return `something else stands in its place: ${why.actual}`
    case 'surplus':
      return 'no peer wants it'
    case 'refused':
      return `the kernel refuses it${times(why)}: ${printable(why.error.message)}`
    case 'flapping':
      return `somebody undoes it again and again${times(why)}; it is restored ever more slowly`
    case 'waiting':
      return `it waits for ${why.for}`
  }
}

const times = (why: Extract<Why, { readonly times: number }>): string =>
  why.times === 1 ? '' : ` (${why.times} times)`
