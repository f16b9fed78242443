import type { Layer } from '../../cli/layers.ts'
import type { DaemonOptions, EtcdAccess, KubeAccess } from '../../config/options.ts'
import { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { hearGrpc } from '../../etcd/grpc-log.ts'
import { systemClock } from '../../host/system-clock.ts'
import type { PeerRecord } from '../../lease/lease.ts'
import { StoreError } from '../../lease/store.ts'
import { STORE_NAMES } from '../../status/document.ts'
import { within } from '../../time/within.ts'
import { daemonSettings } from './daemon-settings.ts'
import { withNodes } from './open-kube.ts'

/** What the store says of all nodes, or why it says nothing. `name`: what it is called where people read it. */
export type StoreLook = { readonly name: string; readonly endpoints: string } & (
  { readonly is: 'read'; readonly records: readonly PeerRecord[] } | { readonly is: 'away'; readonly problem: string }
)

/** One that lives answers sooner, also for 10 000 leases. */
const WITHIN_MS = 4_000

/** Lists all leases, or Nodes, with the settings of the daemon of this host. @throws {ConfigError} for settings that cannot be */
export async function listStore(own: Layer, signal: AbortSignal): Promise<StoreLook> {
  const { options, environment, isDefaultEtcd } = daemonSettings(own)
  const asked = storeOf(options, environment)
  try {
    const records = await within({ clock: systemClock, ms: WITHIN_MS, signal }, (stop) => asked.list(stop))
    return { is: 'read', records, name: asked.name, endpoints: asked.endpoints }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const isLate = error.code === 'ABORTED_BY_CALLER' && !signal.aborted
    const why = isLate ? `no answer within ${WITHIN_MS / 1_000} s` : error.message
    const problem = isDefaultEtcd ? `${why}; nothing here names a store: with Kubernetes, name --kube-subnet-mgr` : why
    return { is: 'away', problem, name: asked.name, endpoints: asked.endpoints }
  }
}

interface Store {
  readonly name: string
  readonly endpoints: string
  readonly list: (signal: AbortSignal) => Promise<readonly PeerRecord[]>
}

function storeOf({ etcd, kube }: DaemonOptions, environment: Layer['environment']): Store {
  if (kube === undefined)
    return {
      name: STORE_NAMES.etcd,
      endpoints: etcd.endpoints.join(', '),
      list: (signal) => leasesIn(etcd, signal),
    }
  return {
    name: STORE_NAMES.kubernetes,
    endpoints: kube.apiUrl ?? kube.kubeconfigFile ?? 'the API server of this pod',
    list: (signal) => nodesOf(kube, environment, signal),
  }
}

async function leasesIn(etcd: EtcdAccess, signal: AbortSignal): Promise<readonly PeerRecord[]> {
  hearGrpc({ error: () => undefined, debug: () => undefined }, systemClock)
  const store = new EtcdLeaseStore(etcd, { clock: systemClock, random: Math.random })
  try {
    return (await store.list(signal)).records
  } finally {
    store.close()
  }
}

/** Those that an agent has published. */
const nodesOf = (
  access: KubeAccess,
  environment: Layer['environment'],
  signal: AbortSignal,
): Promise<readonly PeerRecord[]> =>
  withNodes(access, environment, async (store) => {
    const { recordOf } = await import('../../kube/subnets/node-claims.ts')
    return (await store.list(signal)).nodes.flatMap((node) => recordOf(node) ?? [])
  })
