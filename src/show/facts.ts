import { ago, counted, duration, milliseconds, since, until } from '../present/age.ts'
import type { Labelled } from '../present/lines.ts'
import {
  isRefusing,
  refuses,
  STORE_NAMES,
  type ConfigurationStatus,
  type EndpointStatus,
  type FamilyStatus,
  type FirewallStatus,
  type ForwarderStatus,
  type LeaseStatus,
  type PeersSummary,
  type StatusDocument,
  type StoreStatus,
} from '../status/document.ts'
import { printable } from '../text/printable.ts'
import { countsByFamily } from './reach.ts'

/** So many endpoints of the store are shown each by itself. */
const MOST_ENDPOINTS = 5

/** What a node is, one line each, at this time in milliseconds since 1970. */
export function facts(status: StatusDocument, at: number): readonly Labelled[] {
  const { agent, node, lease, configuration, families, peers, store, firewall } = status
  return [
    [
      'Agent',
      `${agent.version} (${agent.commit.slice(0, 12)}), pid ${agent.pid}, up for ${duration(agent.uptimeSeconds * 1_000)}`,
    ],
    ['Node', `${printable(node.hostname)}, id ${printable(node.id)}`],
    ['Lease', lease === null ? 'none' : leaseText(lease, store.renewedAt, at)],
    ['Network', configuration === null ? 'not known yet' : networkText(configuration, store.kind)],
    ...(configuration?.waitsForRestart ?? []).map((what): Labelled => ['Restart', `needed for ${printable(what)}`]),
    ...families.map((family): Labelled => [`IPv${family.family}`, familyText(family)]),
    ['Peers', peersText(peers)],
    ...endpointRows(store, at),
    ...certificateRows(store, at),
    ['Firewall', firewallText(firewall, at)],
  ]
}

function leaseText({ subnets, secondsLeft, how }: LeaseStatus, renewedAt: string | null, at: number): string {
  const left = secondsLeft === null ? 'does not expire' : `expires in ${duration(secondsLeft * 1_000)}`
  const renewed = renewedAt === null ? '' : `, renewed ${ago(renewedAt, at)}`
  return `${subnets.join(' and ')} (${how}), ${left}${renewed}`
}

/** As the network configuration has them; what is off is not shown. */
const SETTINGS: Readonly<Record<string, string>> = {
  ...{ vni: 'VNI', port: 'Port', underlayMtu: 'MTU', gbp: 'GBP', learning: 'Learning' },
  directRouting: 'DirectRouting',
}

/** The length of podCIDRs is the cluster's matter. */
function networkText({ source, networks, backend }: ConfigurationStatus, kind: StoreStatus['kind']): string {
  const shown = networks
    .map(({ network, subnetLength }) => (kind === 'kubernetes' ? network : `${network} in subnets of /${subnetLength}`))
    .join(' and ')
  const settings = Object.entries(backend.settings)
    .filter(([, value]) => value !== false)
    .map(([name, value]) => `${SETTINGS[name] ?? name} ${String(value)}`)
  return `${shown}; ${[backend.type, ...settings].join(', ')}; from ${printable(source)}`
}

function familyText({ underlay, device, tables }: FamilyStatus): string {
  const carrier = underlay.hasCarrier ? '' : ', NO CARRIER'
  const published = underlay.publicIp === underlay.address ? '' : `, published as ${underlay.publicIp}`
  const way = `${printable(underlay.interface)} ${underlay.address} (MTU ${underlay.mtu}${carrier}${published})`
  const overlay =
    device === null
      ? ''
      : ` ← ${device.name} ${device.address} ${device.mac ?? ''} (MTU ${device.mtu}${device.index === null ? ', MISSING' : ''})`
  const held =
    tables.pending === 0
      ? 'all entries in the kernel'
      : `${counted(tables.pending, 'entry', 'entries')} not in the kernel`
  const restored = Object.values(tables.restored).reduce((sum, count) => sum + count, 0)
  const changed = restored === 0 ? '' : `, ${counted(restored, 'entry', 'entries')} of others' changing put right`
  const carried = device === null || device.forwarder === null ? '' : carriedText(device.forwarder)
  return `${way}${overlay}${carried}; ${tables.synced ? held : 'not written to the kernel yet'}${changed}`.replaceAll(
    / +/g,
    ' ',
  )
}

const carriedText = ({ sentPackets, receivedPackets, drops }: ForwarderStatus): string => {
  const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0)
  return `, whose packets the agent carries: ${sentPackets} sent, ${receivedPackets} received, ${dropped} dropped`
}

function peersText({ total, kept, byReach, families, probes }: PeersSummary): string {
  const off = probes.isOn && probes.why === null ? '' : `; not asked: ${printable(probes.why ?? '--peer-probes=false')}`
  const counts = countsByFamily(families.length > 1 ? families : [{ byReach }])
  const lost = kept > 0 ? `; ${kept} of them kept for a while, whose leases the store has lost` : ''
  return `${total === 0 ? 'none' : total}${counts === '' ? '' : `: ${counts}`}${lost}${off}`
}

function endpointRows(store: StoreStatus, at: number): readonly Labelled[] {
  const { endpoints, isUp, reconnects } = store
  const does = isRefusing(store) ? 'REFUSES' : isUp ? 'answers' : 'DOES NOT ANSWER'
  const state = `${does}, for ${since(store.since, at)}${reconnects === 0 ? '' : `, ${counted(reconnects, 'reconnection')}`}`
  const shown = endpoints.slice(0, MOST_ENDPOINTS).map((endpoint) => endpointText(endpoint, at))
  const more = endpoints.length > shown.length ? [`and ${endpoints.length - shown.length} more`] : []
  return [[STORE_NAMES[store.kind], `${state}; ${[...shown, ...more].join('; ')}`]]
}

function endpointText(endpoint: EndpointStatus, at: number): string {
  const { url, isUp, latencyMs, lastError, lastErrorAt } = endpoint
  const answer = refuses(endpoint) ? 'refuses' : milliseconds(latencyMs)
  const said = isUp === null ? 'not asked yet' : isUp ? answer : 'does not answer'
  const error = lastError === null ? '' : ` (${ago(lastErrorAt, at)}: ${printable(lastError)})`
  return `${printable(url)} ${said}${error}`
}

const WARN_WITHIN_MS = 30 * 86_400_000

/** Those with a problem, and those that expire soon. */
const certificateRows = ({ certificates }: StoreStatus, at: number): readonly Labelled[] =>
  certificates.flatMap(({ file, expiresAt, problem }): readonly Labelled[] => {
    const isSoon = expiresAt !== null && Date.parse(expiresAt) - at < WARN_WITHIN_MS
    if (problem === null && !isSoon) return []
    return [['Certificate', `${printable(file)}: ${printable(problem ?? `expires ${until(expiresAt, at)}`)}`]]
  })

function firewallText({ isWanted, kind, holds, repairs, lastLookAt, peerFilter }: FirewallStatus, at: number): string {
  const state = holds === null ? 'not looked at yet' : holds ? 'rules stand' : 'RULES ARE NOT AS THEY SHOULD BE'
  const seen = lastLookAt === null ? '' : `, looked at ${ago(lastLookAt, at)}`
  const repaired = repairs === 0 ? '' : `, ${counted(repairs, 'repair')}`
  const rules = isWanted ? `${kind ?? 'of unknown kind'}, ${state}${seen}${repaired}` : 'no rules wanted'
  if (peerFilter === null) return rules
  const drops = peerFilter.drops === null ? '' : `, ${counted(peerFilter.drops, 'packet')} dropped`
  return `${rules}; peer filter ${peerFilter.holds ? 'stands' : 'DOES NOT STAND'}${drops}`
}
