import { NO_ETCD_LEASE, type EtcdLeaseId, type Revision } from '../lease.ts'
import { isOursToRestore, ownerOf } from '../owner.ts'
import type { LeaseDelta, LeaseRecord } from '../store.ts'
import { isShortLived, type LeaseTerms } from '../terms.ts'

/** What is known of a key that is ours, as far as we know. */
interface Ours {
  /** As it was seen or written last: what the next write is compared with. */
  readonly record: LeaseRecord
  /** What the key should say. */
  readonly wanted: string
  /** What it may say because of writes of ours that had no answer. */
  readonly unanswered: ReadonlySet<string>
  /** The etcd lease the key should hang on: none for a reservation; undefined when a new one must be granted. */
  readonly home: EtcdLeaseId | undefined
  /** Life of that etcd lease as the store counts it. */
  readonly ttlSeconds: number
  /** Newest revision that was observed since our last write began. */
  readonly observed: Revision | undefined
}

/**
 * Where a key of ours stands. Whether etcd answers, and whether somebody keeps changing the key, is no part of it: that only decides
 * when the loop does what the state asks for.
 */
export type KeeperState =
  /** It says what it should: to be renewed from time to time, unless it is a reservation. */
  | (Ours & { readonly is: 'held' })
  /** It is ours, but does not say what it should, or hangs on another's etcd lease: to be written again. */
  | (Ours & { readonly is: 'to restore' })
  /** It is gone: to be created again while it is free. There is nothing to renew. */
  | (Ours & { readonly is: 'to recreate' })
  /** It is another's now, or is to be: the end. */
  | { readonly is: 'lost'; readonly reason: string }

/** What the key still needs of us. */
export type Live = Exclude<KeeperState, { is: 'lost' }>

export type KeeperEvent =
  /** The watch saw a change of the key. */
  | LeaseDelta
  /** A complete list shows the key, or does not. */
  | { readonly kind: 'listed'; readonly record: LeaseRecord | undefined }
  /** The key is another's, who does not live: it is to be taken back. */
  | { readonly kind: 'abandoned'; readonly record: LeaseRecord }
  /** A write of ours was refused, because this stands there instead. */
  | { readonly kind: 'refused'; readonly found: LeaseRecord | undefined }
  /** The key should say something from now on. */
  | { readonly kind: 'wanted'; readonly value: string }
  /** A write of what is wanted begins; it may take effect although no answer comes. */
  | { readonly kind: 'writing' }
  | { readonly kind: 'written'; readonly record: LeaseRecord }
  /** The store renewed the etcd lease that the key hangs on, and counts so many seconds from now. */
  | { readonly kind: 'renewed'; readonly etcdLeaseId: EtcdLeaseId; readonly ttlSeconds: number }
  /** An etcd lease has ended, and with it whatever hung on it. */
  | { readonly kind: 'expired'; readonly etcdLeaseId: EtcdLeaseId }
  /** Another machine has our node id, and we are the one to make way. */
  | { readonly kind: 'yielded'; readonly reason: string }

/** What somebody else did to our key. */
export type ForeignChange = 'deleted' | 'rewritten'

export interface Step {
  readonly state: KeeperState
  /** The event was somebody else's change of our key. */
  readonly foreign?: ForeignChange
  /** Only renewing at once can tell what the etcd lease is that the key hangs on now. */
  readonly isToRenewNow?: boolean
}

type KeeperTerms = Pick<LeaseTerms, 'node' | 'ttlSeconds'>

/** A key that was just acquired. */
export const heldKey = (record: LeaseRecord, { ttlSeconds }: Pick<LeaseTerms, 'ttlSeconds'>): KeeperState => ({
  is: 'held',
  record,
  wanted: record.value,
  unanswered: new Set(),
  home: record.etcdLeaseId,
  ttlSeconds,
  observed: undefined,
})

/** Every change of state there is. Pure. What is lost stays lost. */
export function transition(state: KeeperState, event: KeeperEvent, terms: KeeperTerms): Step {
  if (state.is === 'lost') return { state }
  switch (event.kind) {
    case 'put':
    case 'deleted':
      return afterDelta(state, event, terms)
    case 'listed':
      return afterList(state, event.record, terms)
    case 'abandoned':
      return { state: { ...state, record: event.record, is: 'to restore' } }
    case 'refused':
      return event.found === undefined ? gone(state) : put(state, event.found, terms)
    case 'wanted':
      return { state: { ...state, wanted: event.value, is: state.is === 'held' ? 'to restore' : state.is } }
    case 'writing':
      return { state: { ...state, observed: undefined, unanswered: new Set([...state.unanswered, state.wanted]) } }
    case 'written':
      return { state: afterWrite(state, event.record, terms) }
    case 'renewed':
      return { state: afterRenewal(state, event, terms) }
    case 'expired':
      return { state: afterExpiry(state, event.etcdLeaseId) }
    case 'yielded':
      return { state: { is: 'lost', reason: event.reason } }
  }
}

/** News that are older than what we know say nothing. */
function afterDelta(state: Live, delta: LeaseDelta, terms: KeeperTerms): Step {
  if (delta.revision <= state.record.modRevision) return { state }
  const told = { ...state, observed: delta.revision }
  return delta.kind === 'deleted' ? gone(told) : put(told, delta.record, terms)
}

function afterList(state: Live, listed: LeaseRecord | undefined, terms: KeeperTerms): Step {
  if (listed === undefined) return gone(state)
  const isAsKnown = listed.modRevision === state.record.modRevision && listed.value === state.record.value
  return isAsKnown ? { state } : put(state, listed, terms)
}

const gone = (state: Live): Step =>
  state.is === 'to recreate' ? { state } : { state: { ...state, is: 'to recreate' }, foreign: 'deleted' }

function put(state: Live, record: LeaseRecord, terms: KeeperTerms): Step {
  const { wanted, unanswered } = state
  const known = { ...state, record }
  if (record.value === wanted) return settle(known)
  if (!isOursToRestore(record, wanted, terms))
    return { state: { is: 'lost', reason: `lease ${record.key} now belongs to ${ownerOf(record)}` } }
  const isForeign = record.modRevision !== state.record.modRevision && !unanswered.has(record.value)
  return { state: { ...known, is: 'to restore' }, ...(isForeign ? { foreign: 'rewritten' } : {}) }
}

/** The key says what it should, but may hang on an etcd lease that is not ours. */
function settle(state: Live): Step {
  const { home, record } = state
  // An operator makes a reservation of a lease by writing the same value on no etcd lease (upstream's documentation).
  if (record.etcdLeaseId === NO_ETCD_LEASE) return { state: { ...state, is: 'held', home: NO_ETCD_LEASE } }
  if (home === NO_ETCD_LEASE) return { state: { ...state, is: 'to restore' } }
  // Perhaps a write of ours whose answer was lost, perhaps a short lease of somebody else: renewing it tells.
  return { state: { ...state, is: 'held' }, isToRenewNow: record.etcdLeaseId !== home }
}

/** What was observed during the write may be newer than it, and what the key should say may have changed. */
function afterWrite(before: Live, record: LeaseRecord, terms: KeeperTerms): Live {
  const home = record.etcdLeaseId
  const ttlSeconds = home === before.home ? before.ttlSeconds : terms.ttlSeconds
  const state = { ...before, home, ttlSeconds, unanswered: new Set<string>() }
  if (state.observed !== undefined && state.observed > record.modRevision) return state
  return { ...state, record, is: record.value === state.wanted ? 'held' : 'to restore' }
}

/**
 * A key that hangs on an etcd lease of somebody else's, made for something shorter, is to be brought home; so is a reservation from any.
 */
function afterRenewal(
  state: Live,
  { etcdLeaseId, ttlSeconds }: Extract<KeeperEvent, { kind: 'renewed' }>,
  terms: KeeperTerms,
): Live {
  if (state.home === NO_ETCD_LEASE) return state
  if (etcdLeaseId === state.home || !isShortLived(ttlSeconds, terms)) return { ...state, home: etcdLeaseId, ttlSeconds }
  return state.is === 'held' ? { ...state, is: 'to restore' } : state
}

/** The key went with its etcd lease, unless somebody has moved it meanwhile. */
function afterExpiry(state: Live, etcdLeaseId: EtcdLeaseId): Live {
  const home = state.home === etcdLeaseId ? undefined : state.home
  return state.record.etcdLeaseId === etcdLeaseId ? { ...state, home, is: 'to recreate' } : { ...state, home }
}
