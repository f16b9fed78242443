import { leasesView } from '../../admin/leases.ts'
import { showLeases } from '../../admin/show/leases.ts'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { LEASES } from '../../cli/specs/leases.ts'
import { ConfigError } from '../../config/error.ts'
import { parseNetworkConfig, type NetworkConfig } from '../../config/network.ts'
import type { EtcdLeaseStore } from '../../etcd/etcd-lease-store.ts'
import { NO_ETCD_LEASE } from '../../lease/lease.ts'
import { asJson, asking, type Asking, type Said } from '../asking/asking.ts'
import { Progress } from '../asking/terminal.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'
import { withStore } from '../settings/open-store.ts'
import { nodes } from './nodes.ts'
import { nothingThere, ownNodeId, placeOf, sayTo, type Place } from './place.ts'

/** `flanneld leases`. */
export const run = (call: CommandCall): Promise<number> =>
  asking(LEASES, call, (asked) => {
    const { options, environment, from } = daemonSettings(asked.own)
    if (options.kube !== undefined) return nodes(asked, options.kube, environment, from)
    return withStore({ ...options, from }, sayTo(asked), (store) =>
      leases(asked, store, placeOf(options.etcd, from), options.nodeId),
    )
  })

async function leases(asked: Asking, store: EtcdLeaseStore, place: Place, givenId: string | undefined): Promise<Said> {
  const { signal } = asked
  const progress = new Progress()
  progress.say('reading leases')
  const config = await store.readConfig(signal)
  const { records, revision } = await store.list(signal)
  if (config === undefined && records.length === 0) {
    progress.end()
    asked.complain(nothingThere(place))
    return {
      text: asked.isJson ? asJson({ version: 1, revision: String(revision), leases: [], free: null }) : '',
      code: EXIT.failed,
    }
  }
  progress.say('reading when they end')
  const lives = await store.livesOf(
    records.flatMap(({ etcdLeaseId }) => (etcdLeaseId === NO_ETCD_LEASE ? [] : [etcdLeaseId])),
    signal,
  )
  progress.end()
  const endless = records.filter(({ etcdLeaseId }) => etcdLeaseId === NO_ETCD_LEASE).length
  if (lives.size < records.length - endless)
    asked.complain(
      `when ${records.length - endless - lives.size} of them end is not known: etcd was asked one by one, for two seconds`,
    )
  const nodeId = await ownNodeId(givenId)
  const parsed = readable(config?.value, asked)
  const view = leasesView({ records, revision, config: parsed, nodeId, lives })
  const isFine = view.leases.every(({ problems }) => problems.length === 0) && parsed !== undefined
  const document = { version: 1, revision: view.revision, leases: view.leases, free: view.free ?? null }
  const text = asked.isJson ? asJson(document) : showLeases(view, place.words, asked.terminal)
  return { text, code: isFine ? EXIT.done : EXIT.failed }
}

function readable(text: string | undefined, asked: Asking): NetworkConfig | undefined {
  try {
    if (text !== undefined) return parseNetworkConfig(text)
    asked.complain('there is no network configuration: flanneld config set writes one')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    asked.complain(`the network configuration cannot be read: ${error.message}`)
  }
  return undefined
}
