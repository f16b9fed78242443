import { bridgeOf } from '../../host/container-bridge.ts'
import { parseNetworks, parseSubnets } from '../../host/subnet-env.ts'
import type { ForeignVerdicts, OverlayPath, TunnelEnd } from '../../kernel/foreign-rules.ts'
import { parseIp } from '../../net/ip.ts'
import type { PeersDocument, PeerStatus, StatusDocument } from '../../status/document.ts'
import { MOST_SUSPECTS, type HostReads, type OverlayHere, type Probes, type Suspect, type View } from '../view.ts'
import type { KubeReads } from '../kube-facts.ts'
import type { StoreReads } from '../store-facts.ts'
import type { LinuxHost } from './linux-host.ts'
import { once } from './once.ts'
import { overlayOfHost, overlayOfStatus } from './overlay-here.ts'
import { lookAtTunnels } from './sights.ts'
import { askAll, peersOfTables } from './peers-of-kernel.ts'

/** The agent of this host, asked over its socket. */
export interface AgentHere {
  /** Undefined: none answers. */
  status(): Promise<StatusDocument | undefined>
  /** Whether it has let the last question without an answer, and is there: it hangs. */
  isSilent(): boolean
  /** @param of a name, an address or a subnet; undefined: all */
  peers(of: string | undefined): Promise<PeersDocument>
  /** Asks a peer now. */
  probe(of: string): Promise<PeersDocument>
  /** Asks some of them now, whoever they are. */
  probeFirst(count: number): Promise<PeersDocument>
}

export interface LiveViewInput {
  readonly agent: AgentHere
  readonly host: LinuxHost
  readonly probes: Probes
  readonly foreignRules: {
    /** Rejects where the rules cannot be read. */
    judgeOrSay(
      paths: readonly OverlayPath[],
      tunnels: readonly TunnelEnd[],
      signal: AbortSignal,
    ): Promise<ForeignVerdicts>
  }
  readonly subnetFile: string
  readonly store: StoreReads
  /** Undefined: etcd is asked. */
  readonly kube: KubeReads | undefined
  /** The process that has claimed this host. */
  readonly claim: number | undefined
  /** The peer that `--peer` names. */
  readonly about: string | undefined
  /** Milliseconds since 1970. */
  readonly nowMs: number
  readonly signal: AbortSignal
}

/** What checks see of this host. */
export function liveView(input: LiveViewInput): View {
  const { about, nowMs, probes, agent } = input
  const status = once(() => agent.status())
  const overlay = once(async () => {
    const said = await status()
    const told = said === undefined ? [] : overlayOfStatus(said)
    return told.length > 0 ? told : overlayLeft(input)
  })
  const verdicts = once(async () => judgeRules(input, await overlay(), await status()))
  const peers = once(async () => ((await status()) === undefined ? [] : (await agent.peers(undefined)).peers))
  const asked = once(async () =>
    (await isAsking(status)) ? askAgent(input, status, overlay) : askHere(input, await overlay()),
  )
  const host: HostReads = {
    kernel: input.host.kernel,
    text: (path) => input.host.text(path),
    names: (folder) => input.host.names(folder),
    show: (program, ...args) => input.host.show(program, ...args),
    showNow: (program, ...args) => input.host.showNow(program, ...args),
    checksumErrors: () => input.host.checksumErrors(),
    dropCounts: () => input.host.dropCounts(),
    neighbourTables: () => input.host.neighbourTables(),
    holderOf: (inode) => input.host.holderOf(inode),
    verdicts,
  }
  const suspects = once(async () => worstFirst(await asked(), about).slice(0, MOST_SUSPECTS))
  const reaches = once(async () => {
    await asked()
    return (await isAsking(status)) ? (await agent.status())?.peers.byReach : undefined
  })
  const undecided = async (): Promise<number> =>
    (await asked()).filter(({ reach, address }) => reach === 'unknown' && address !== null).length
  const sights = once(async () =>
    lookAtTunnels({
      ...{ overlay: await overlay(), suspects: await suspects(), links: await host.kernel.links(input.signal) },
      ...{ host, probes },
    }),
  )
  const ofPeers = { peers, suspects, undecided, sights, reaches }
  const { store, kube, claim } = input
  const isAgentSilent = async (): Promise<boolean> => (await status()) === undefined && agent.isSilent()
  return { nowMs, about, agent: status, isAgentSilent, overlay, ...ofPeers, host, probes, store, kube, claim }
}

/** Whether the agent asks its peers: where it does not, we do. */
const isAsking = async (status: () => Promise<StatusDocument | undefined>): Promise<boolean> =>
  (await status())?.peers.probes.isOn === true

const RANK = ['unreachable', 'mtu', 'lossy', 'unknown', 'reachable']

const worstFirst = (peers: readonly PeerStatus[], about: string | undefined): readonly Suspect[] =>
  peers
    .filter(({ reach }) => about !== undefined || (reach !== 'reachable' && reach !== 'unknown'))
    .toSorted((a, b) => RANK.indexOf(a.reach) - RANK.indexOf(b.reach))

/**
 * So many are asked in any case. The agent asks its peers in turn, and makes up its mind after several questions: what has befallen this host
 * just now shows with these.
 */
const SAMPLE = 8

/** Those that do not answer are asked again: it may be over. */
async function askAgent(
  { agent, about, probes }: LiveViewInput,
  status: () => Promise<StatusDocument | undefined>,
  overlay: () => Promise<readonly OverlayHere[]>,
): Promise<readonly PeerStatus[]> {
  if (about !== undefined) return askOpen((await agent.probe(about)).peers, await overlay(), probes)
  const rows = (await status())?.peers.notReachable.slice(0, MOST_SUSPECTS) ?? []
  const subnets = [...new Set(rows.map(({ subnet }) => subnet))]
  const sample = agent.probeFirst(SAMPLE).then(
    ({ peers }) => peers,
    () => [],
  )
  const again = await Promise.all(
    subnets.map((subnet) =>
      agent.probe(subnet).then(
        ({ peers }) => peers,
        () => undefined,
      ),
    ),
  )
  const named = subnets.flatMap((subnet, at) => again[at] ?? rows.filter((row) => row.subnet === subnet))
  return [...named, ...(await sample).filter(({ subnet }) => !subnets.includes(subnet))]
}

/** Of a peer that has just joined, the agent makes up its mind after a while: until then we ask ourselves. */
async function askOpen(
  peers: readonly PeerStatus[],
  overlay: readonly OverlayHere[],
  probes: Probes,
): Promise<readonly PeerStatus[]> {
  const asked = peers.map(async (peer): Promise<readonly PeerStatus[]> => {
    const here = overlay.find(({ family }) => family === peer.family)
    return peer.reach === 'unknown' && here !== undefined ? askAll([peer], here, probes) : [peer]
  })
  return (await Promise.all(asked)).flat()
}

async function askHere(
  { host, probes, about, signal }: LiveViewInput,
  overlay: readonly OverlayHere[],
): Promise<readonly PeerStatus[]> {
  const asked = overlay.map(async (here) => {
    const index = here.device?.index
    if (index === undefined) return []
    const all = peersOfTables(here, await host.kernel.snapshot(index, [here.family], signal))
    return askAll(about === undefined ? all : all.filter((peer) => isMeant(peer, about)), here, probes)
  })
  return (await Promise.all(asked)).flat()
}

const isMeant = ({ name, subnet, publicIp, address }: PeerStatus, about: string): boolean =>
  [name, subnet, publicIp, address].includes(about)

async function overlayLeft({ host, subnetFile, signal }: LiveViewInput): Promise<readonly OverlayHere[]> {
  const { kernel } = host
  const text = (await host.text(subnetFile)) ?? ''
  return overlayOfHost({
    links: await kernel.links(signal),
    addresses: await kernel.addresses(signal),
    routes: await kernel.routes(4, signal),
    networks: parseNetworks(text).map(({ network }) => network),
    subnets: parseSubnets(text),
  })
}

async function judgeRules(
  { host, foreignRules, signal }: LiveViewInput,
  overlay: readonly OverlayHere[],
  status: StatusDocument | undefined,
): Promise<ForeignVerdicts | undefined> {
  const all = { links: await host.kernel.links(signal), addresses: await host.kernel.addresses(signal) }
  const paths = overlay.flatMap(({ family, network, subnet, device, underlay }) => {
    if (network === undefined) return []
    const part = { family, network, subnet, device: device?.name ?? underlay.interface }
    return [{ ...part, bridge: bridgeOf(part, all)?.name }]
  })
  const silent = status?.peers.notReachable.slice(0, MOST_SUSPECTS) ?? []
  const others = silent.flatMap(({ publicIp }) => parseIp(publicIp) ?? [])
  const tunnels = overlay.flatMap(({ family, network, device, underlay }) =>
    device?.port === undefined || network === undefined
      ? []
      : [{ family, link: underlay.interface, address: underlay.address, network, port: device.port, others }],
  )
  return paths.length + tunnels.length === 0 ? undefined : foreignRules.judgeOrSay(paths, tunnels, signal)
}
