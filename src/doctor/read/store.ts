import { parseNetworkConfig, type NetworkConfig } from '../../config/network.ts'
import type { EtcdAccess } from '../../config/options.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { lookAt } from '../../etcd/http-look.ts'
import { decodeLease } from '../../lease/codec.ts'
import type { LeaseList } from '../../lease/store.ts'
import { ipToInteger } from '../../net/ip.ts'
import type { FaultStatus } from '../../status/document.ts'
import { faultOf } from '../../status/fault.ts'
import type { StoreAccess, StoreFacts, StoreReads } from '../store-facts.ts'
import { once } from './once.ts'

export interface StoreReadsInput {
  /** Text: why the flags make no sense. */
  readonly etcd: EtcdAccess | string
  /** Where the flags were found, in words. */
  readonly from: string
  /** Nobody has said where etcd is. */
  readonly isDefault: boolean
  /** Opens the store; @throws {ConfigError} where the files of TLS are none. */
  readonly open: (etcd: EtcdAccess) => Promise<EtcdLeaseStore>
  /** This node, by which its leases are known; undefined: not known. */
  readonly nodeId: () => Promise<string | undefined>
  /** Wall-clock time, in milliseconds. */
  readonly wallMs: () => number
  readonly signal: AbortSignal
}

const NOTHING: StoreFacts = {
  ...{ refused: undefined, reading: undefined, writing: [], configuration: undefined, invalid: undefined },
  ...{ elsewhere: [], elsewhereV2: [], leases: undefined, own: undefined, keys: undefined },
  ...{ certificates: { problem: undefined, seen: [] }, clock: undefined },
}

/** Asks etcd, for checks of why an agent fares badly with it. */
export const storeReads = (input: StoreReadsInput): StoreReads => ({
  access: typeof input.etcd === 'string' ? input.etcd : accessOf(input.etcd, input),
  ask: once(() => (typeof input.etcd === 'string' ? Promise.resolve(NOTHING) : examine(input.etcd, input))),
})

const accessOf = (
  { endpoints, prefix, username, caFile, certFile, keyFile }: EtcdAccess,
  { from, isDefault }: Pick<StoreReadsInput, 'from' | 'isDefault'>,
): StoreAccess => ({
  ...{ endpoints, prefix, user: username, caFile, certFile, keyFile, from, isDefault },
})

async function examine(etcd: EtcdAccess, input: StoreReadsInput): Promise<StoreFacts> {
  let store: EtcdLeaseStore
  try {
    store = await input.open(etcd)
  } catch (error) {
    const fault = error instanceof Error ? faultOf(error) : undefined
    if (fault === undefined) throw error
    return { ...NOTHING, refused: { flag: fault.target ?? '', says: fault.says } }
  }
  try {
    return await ask(store, etcd, input)
  } finally {
    store.close()
  }
}

async function ask(store: EtcdLeaseStore, etcd: EtcdAccess, input: StoreReadsInput): Promise<StoreFacts> {
  const { signal, wallMs } = input
  const clock = store.clock(wallMs, signal)
  const read = await reading(store, signal)
  const facts = read.isRead
    ? { ...NOTHING, ...(await kept(store, etcd, read, input)) }
    : { ...NOTHING, reading: read.fault }
  const { problem, validities = [] } = store.certificates?.look() ?? {}
  return { ...facts, clock: await clock, certificates: { problem, seen: validities } }
}

type Reading =
  | { readonly isRead: true; readonly configuration: string | undefined; readonly list: LeaseList }
  | { readonly isRead: false; readonly fault: FaultStatus | undefined }

async function reading(store: EtcdLeaseStore, signal: AbortSignal): Promise<Reading> {
  try {
    const record = await store.readConfig(signal)
    return { isRead: true, configuration: record?.value, list: await store.list(signal) }
  } catch (error) {
    signal.throwIfAborted()
    return { isRead: false, fault: error instanceof Error ? faultOf(error) : undefined }
  }
}

async function kept(
  store: EtcdLeaseStore,
  etcd: EtcdAccess,
  { configuration, list }: Extract<Reading, { isRead: true }>,
  { signal, nodeId }: StoreReadsInput,
): Promise<Partial<StoreFacts>> {
  const denials = await store.examination.denials(signal)
  const writing = denials.flatMap((error) => faultOf(error) ?? [])
  if (configuration === undefined)
    return {
      ...{ writing, configuration: null },
      elsewhere: await store.examination.configurations(signal),
      elsewhereV2: await ofV2(etcd, signal),
    }
  const parsed = parse(configuration, `${etcd.prefix}/config`)
  const own = ownAmong(list, await nodeId())
  const common = { writing, configuration, own, keys: list.records.map(({ key }) => key) }
  if (!('overlays' in parsed)) return { ...common, invalid: parsed }
  const room = roomIn(parsed)
  return { ...common, leases: room === undefined ? undefined : { held: list.records.length, room } }
}

function parse(text: string, name: string): NetworkConfig | FaultStatus {
  try {
    return parseNetworkConfig(text, name)
  } catch (error) {
    const fault = error instanceof Error ? faultOf(error) : undefined
    if (fault === undefined) throw error
    return fault
  }
}

function roomIn({ overlays }: NetworkConfig): number | undefined {
  const overlay = overlays.find(({ family }) => family === 4)
  if (overlay === undefined) return undefined
  const { subnetMin, subnetMax, subnetLength } = overlay
  return Number((ipToInteger(subnetMax) - ipToInteger(subnetMin)) >> BigInt(32 - subnetLength)) + 1
}

const ownAmong = ({ records }: LeaseList, id: string | undefined): readonly string[] | undefined =>
  id === undefined
    ? undefined
    : records.flatMap((record) => {
        const lease = decodeLease(record)
        return 'rejected' in lease || lease.node?.id !== id ? [] : [lease.key]
      })

/** Where flannel of 2015 kept its configuration: another store in the same etcd, which speaks HTTP (etcd: API v2). */
async function ofV2({ endpoints, prefix }: EtcdAccess, signal: AbortSignal): Promise<readonly string[]> {
  const [url] = endpoints
  const answer =
    url?.startsWith('http:') === true ? await lookAt(url, `/v2/keys${prefix}/config`, undefined, signal) : ''
  return /^HTTP\/1\.\d 200/.test(answer) && answer.includes('"node"') ? [`${prefix}/config`] : []
}
