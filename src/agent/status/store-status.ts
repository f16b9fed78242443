import type { StoreStatus } from '../../status/document.ts'
import { printable } from '../../text/printable.ts'
import type { LiveAgent } from './live-agent.ts'
import type { Moments } from './moments.ts'

export function storeStatus(live: LiveAgent, moments: Moments): StoreStatus {
  const { store, counts, status, startedMs } = live
  const outage = status.failing.find(({ what }) => what === store.outage)
  const endpoints = store.endpoints.map(({ url, isUp = null, latencyMs = null, lastError }) => ({
    ...{ url, isUp, latencyMs },
    lastError: lastError === undefined ? null : printable(lastError.message),
    lastErrorAt: moments.isoOrNull(lastError?.atMs),
  }))
  return {
    kind: store.kind,
    isUp: outage === undefined && endpoints.some(({ isUp }) => isUp === true),
    since: moments.iso(outage?.sinceMs ?? counts.store.changedMs ?? startedMs),
    endpoints,
    reconnects: counts.store.reconnects,
    renewedAt: moments.isoOrNull(status.session?.life?.renewedAtMs),
    certificates: certificates(store.certificates),
  }
}

function certificates(files: LiveAgent['store']['certificates']): StoreStatus['certificates'] {
  if (files === undefined) return []
  const known = files.validities.map(({ what, toMs }) => ({
    ...{ file: what, expiresAt: new Date(toMs).toISOString(), problem: null },
  }))
  const { problem } = files
  return problem === undefined
    ? known
    : [...known, { file: 'the files as they stand', expiresAt: null, problem: printable(problem) }]
}
