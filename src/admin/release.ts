import { decodeLease, formatLeaseKey, parseLeaseKey } from '../lease/codec.ts'
import type { Challenger, Challenges } from '../lease/challenges.ts'
import { NO_ETCD_LEASE } from '../lease/lease.ts'
import { StoreError, type LeaseRecord, type LeaseStore } from '../lease/store.ts'
import { parsePrefix } from '../net/prefix.ts'

/** The lease that is meant by its key or one of its subnets; undefined: there is none. */
export function leaseNamed(text: string, records: readonly LeaseRecord[]): LeaseRecord | undefined {
  const subnet = parsePrefix(text)
  return records.find(
    ({ key }) =>
      key === text ||
      (subnet !== undefined && (parseLeaseKey(key) ?? []).some((one) => one.text === subnet.text)) ||
      (parseLeaseKey(key) ?? []).some((one) => formatLeaseKey([one]) === text),
  )
}

/** Whether somebody may be using a lease, as far as it says. */
export type Use =
  /** A reservation that no node has filled in yet. */
  | { readonly is: 'unused' }
  /** Its holder answers whoever asks whether it lives. */
  | { readonly is: 'to be asked' }
  /** Its holder says nothing of itself, as upstream's: silence would prove nothing. */
  | { readonly is: 'silent'; readonly publicIps: readonly string[] }

export function useOf(record: LeaseRecord): Use {
  if (parseLeaseKey(record.key) === undefined) return { is: 'unused' }
  const lease = decodeLease(record)
  if ('rejected' in lease || lease.node !== undefined) return isFresh(record) ? { is: 'unused' } : { is: 'to be asked' }
  if (isFresh(record)) return { is: 'unused' }
  return { is: 'silent', publicIps: lease.families.map(({ publicIp }) => publicIp.text) }
}

/** Whoever takes a lease writes what its backend is. */
function isFresh(record: LeaseRecord): boolean {
  const lease = decodeLease(record)
  return record.etcdLeaseId === NO_ETCD_LEASE && !('rejected' in lease) && lease.backendType === ''
}

/** How to have again what was given back, as a command or in words. */
export function undoing(record: LeaseRecord): string {
  const lease = decodeLease(record)
  if (record.etcdLeaseId !== NO_ETCD_LEASE || 'rejected' in lease)
    return 'the agent that had it takes it again when it starts, as long as it is free'
  const { families, node } = lease
  const words = families.flatMap(({ family, subnet, publicIp }) =>
    family === 4
      ? [subnet.text, `--public-ip=${publicIp.text}`]
      : [`--subnet6=${subnet.text}`, `--public-ipv6=${publicIp.text}`],
  )
  const who =
    node === undefined ? [] : [`--node-id=${node.id}`, ...(node.hostname ? [`--hostname=${node.hostname}`] : [])]
  return ['flanneld reserve', ...words, ...who].join(' ')
}

/** What came of giving a lease back. */
export type Released =
  | { readonly is: 'released'; readonly record: LeaseRecord }
  /** Nothing was deleted. */
  | { readonly is: 'kept'; readonly why: string; readonly isForcible: boolean }

interface Asking {
  /** No node has its id: an agent that saw its own would take us for a copy of its machine. */
  readonly asker: Challenger
  readonly isForced: boolean
  /** How long its holder has for an answer, in milliseconds. */
  readonly waitMs: number
}

/**
 * Gives a lease back as it was seen, unless somebody may be using it.
 * @throws {StoreError}
 */
export async function release(
  store: Pick<LeaseStore, 'release'> & Pick<Challenges, 'ask'>,
  record: LeaseRecord,
  { asker, isForced, waitMs }: Asking,
  signal: AbortSignal,
): Promise<Released> {
  const why = isForced ? undefined : await reasonToKeep(store, record, { asker, waitMs }, signal)
  if (why !== undefined) return { is: 'kept', why, isForcible: true }
  if (await store.release(record, signal)) return { is: 'released', record }
  return { is: 'kept', why: 'it has changed since it was read: is its holder at work?', isForcible: false }
}

/** Undefined: nobody uses it, as far as can be known. */
async function reasonToKeep(
  store: Pick<Challenges, 'ask'>,
  record: LeaseRecord,
  { asker, waitMs }: Pick<Asking, 'asker' | 'waitMs'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const use = useOf(record)
  if (use.is === 'unused') return undefined
  if (use.is === 'silent')
    return `the node at ${use.publicIps.join(' ')} says nothing of itself, as upstream's agents: whether it lives cannot be asked`
  try {
    const answer = await store.ask(record.key, asker, waitMs, signal)
    return answer === undefined ? undefined : `its holder lives: node ${answer.hostname} (${answer.id}) has answered`
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'PERMISSION_DENIED') throw error
    return `whether its holder lives we may not ask: ${error.message}`
  }
}
