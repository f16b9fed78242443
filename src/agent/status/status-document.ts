import { printable } from '../../text/printable.ts'
import {
  STATUS_ROWS,
  STATUS_VERSION,
  type ConditionStatus,
  type ConfigurationStatus,
  type FamilyStatus,
  type FirewallStatus,
  type ForwarderStatus,
  type LeaseStatus,
  type PeerStatus,
  type PeersSummary,
  type StatusDocument,
} from '../../status/document.ts'
import type { ForwarderCounts } from '../../kernel/tun.ts'
import { REACHES } from '../../probe/reach.ts'
import type { FamilyView, SessionView } from '../view/session-view.ts'
import type { LiveAgent } from './live-agent.ts'
import { Moments } from './moments.ts'
import { peerStatuses } from './peer-statuses.ts'
import { pendingRows } from './pending-rows.ts'
import { rejectedRows } from './rejected-rows.ts'
import { storeStatus } from './store-status.ts'

/** How an agent is, as a whole. Costs in proportion to what is amiss, and a look at each peer's reach; asks neither kernel nor store. */
export function statusDocument(live: LiveAgent): StatusDocument {
  const moments = new Moments(live)
  const { status, program, node, events } = live
  const { session } = status
  return {
    version: STATUS_VERSION,
    at: moments.now,
    state: stateOf(status.state),
    node: { ...node, instance: live.instance },
    agent: {
      ...program,
      startedAt: moments.iso(live.startedMs),
      uptimeSeconds: moments.secondsSince(live.startedMs),
    },
    conditions: status.failing.map((one) => conditionStatus(one, moments)),
    configuration: session === undefined ? null : configurationStatus(live, session),
    lease: session === undefined ? null : leaseStatus(session, moments),
    families: session?.families.map((family) => familyStatus(live, session, family)) ?? [],
    peers: peersSummary(live),
    pending: pendingRows(live, STATUS_ROWS),
    rejected: rejectedRows(live, STATUS_ROWS),
    store: storeStatus(live, moments),
    firewall: firewallStatus(live, session, moments),
    kernel: live.kernelCounts(),
    events: events.after(events.lastId - STATUS_ROWS),
  }
}

const stateOf = ({ ready, degraded }: LiveAgent['status']['state']): StatusDocument['state'] => {
  if (!ready) return 'unready'
  return degraded.length > 0 ? 'degraded' : 'ready'
}

function conditionStatus(
  { what, reason, effect, sinceMs, fault }: LiveAgent['status']['failing'][number],
  moments: Moments,
): ConditionStatus {
  return {
    what,
    reason,
    effect,
    since: moments.iso(sinceMs),
    forSeconds: moments.secondsSince(sinceMs),
    fault: fault ?? null,
  }
}

function configurationStatus(
  { store, flags }: LiveAgent,
  { config, waitsForRestart }: SessionView,
): ConfigurationStatus {
  const { type, ...settings } = config.backend
  return {
    source: store.configuration,
    networks: config.overlays.map(({ family, network, subnetLength, subnetMin, subnetMax }) => ({
      ...{ family, network: network.text, subnetLength },
      ...{ firstSubnet: subnetMin.text, lastSubnet: subnetMax.text },
    })),
    backend: {
      type,
      settings: Object.fromEntries(
        Object.entries(settings).flatMap(([name, value]: [string, string | number | boolean | undefined]) =>
          value === undefined ? [] : [[name, value]],
        ),
      ),
    },
    waitsForRestart,
    flags,
  }
}

function leaseStatus({ lease, how, life }: SessionView, moments: Moments): LeaseStatus {
  const endsMs = life?.expiresAtMs
  return {
    key: lease.key,
    subnets: lease.families.map(({ subnet }) => subnet.text),
    expiresAt: moments.isoOrNull(endsMs),
    secondsLeft: endsMs === undefined ? null : -moments.secondsSince(endsMs),
    how,
  }
}

function familyStatus(live: LiveAgent, { overwrites }: SessionView, view: FamilyView): FamilyStatus {
  const { family, own, underlay } = view
  const { link } = underlay
  const counts = live.counts.of(family)
  return {
    family,
    subnet: own.subnet.text,
    underlay: {
      interface: link.name,
      index: link.index,
      address: underlay.address.text,
      publicIp: (overwrites.get(family) ?? underlay.publicIp).text,
      mtu: underlay.way?.mtu ?? link.mtu,
      hasCarrier: link.carrier,
    },
    device: deviceStatus(view),
    tables: {
      peers: live.status.tablesOf(family)?.peers ?? 0,
      pending: view.pending,
      synced: live.status.tablesOf(family)?.synced ?? false,
      restored: { ...counts.restored },
      passes: counts.passes.read().count,
      lastPassMs: counts.lastPassMs ?? null,
    },
  }
}

function deviceStatus({ own, device, mtu }: FamilyView): FamilyStatus['device'] {
  if (device === undefined) return null
  const { name, index = null, endPoint, counts } = device
  const { mac = null, vni = null, port = null } = endPoint ?? {}
  const address = own.subnet.base.text
  return {
    name,
    index,
    mac,
    address,
    mtu: mtu ?? 0,
    vni,
    port,
    forwarder: counts === undefined ? null : carried(counts),
  }
}

const carried = ({ sent, received, drops }: ForwarderCounts): ForwarderStatus => ({
  ...{ sentPackets: sent.packets, sentOctets: sent.octets },
  ...{ receivedPackets: received.packets, receivedOctets: received.octets, drops },
})

/** The worst first; of one kind, in the order of the leases. */
function peersSummary(live: LiveAgent): PeersSummary {
  const { reaches, status } = live
  const notReachable: PeerStatus[] = []
  const counts = reaches.counts()
  for (const reach of REACHES) {
    if (reach === 'reachable' || reach === 'unknown' || counts[reach] === 0) continue
    for (const peer of peerStatuses(live, { reach })) {
      if (notReachable.length >= STATUS_ROWS) break
      notReachable.push(peer)
    }
  }
  return {
    total: status.session?.peers.size ?? 0,
    kept: status.session?.peers.kept.size ?? 0,
    byReach: counts,
    families: (status.session?.families ?? []).map(({ family }) => ({ family, byReach: reaches.counts(family) })),
    probes: { isOn: reaches.isOn, why: reaches.why === null ? null : printable(reaches.why) },
    notReachable,
  }
}

function firewallStatus(live: LiveAgent, session: SessionView | undefined, moments: Moments): FirewallStatus {
  const { counts } = live
  if (session === undefined)
    return {
      isWanted: false,
      kind: null,
      holds: null,
      repairs: counts.firewallRepairs,
      lastLookAt: null,
      peerFilter: null,
    }
  const { isWanted, kind, holds, lastLookMs, peerFilter } = session.firewall
  const { strangers, forged } = counts.filterDrops
  return {
    isWanted,
    kind: holds === undefined ? null : kind,
    holds: holds ?? null,
    repairs: counts.firewallRepairs,
    lastLookAt: moments.isoOrNull(lastLookMs),
    peerFilter: peerFilter === undefined ? null : { holds: peerFilter.holds, drops: strangers + forged },
  }
}
