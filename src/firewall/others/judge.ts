import type { ForeignVerdict, ForeignVerdicts, OverlayPath, TunnelEnd } from '../../kernel/foreign-rules.ts'
import type { Ip } from '../../net/ip.ts'
import { hostPrefix, parsePrefix, prefix, prefixCovers, type Prefix } from '../../net/prefix.ts'
import { NFT_TABLES } from '../names.ts'
import { TABLE as PEER_FILTER } from '../peer-filter/filter-rules.ts'
import { acceptCure, DOCKER_RAW_CURE, masqueradeCure, tunnelCure } from './cures.ts'
import { fateOf, type Fate } from './evaluate.ts'
import { AT_DEVICES } from './nft-devices.ts'
import type { ForeignChain, ForeignRule, ForeignTable } from './rule-set.ts'
import type { Side, Traffic } from './traffic.ts'

const OURS: ReadonlySet<string> = new Set([NFT_TABLES[4].name, NFT_TABLES[6].name, PEER_FILTER.name])
const ANYBODY = { 4: prefix('0.0.0.0/0'), 6: prefix('::/0') } as const
/** Of the containers that one rule each is for, so many are looked at. */
const MOST_GUARDED = 3

/** A chain through which packets go by themselves. */
export interface Base {
  readonly table: ForeignTable
  readonly chain: ForeignChain
}

/** What the rules do to packets between containers of different hosts, and to their tunnels. Pure. */
export function judge(
  tables: readonly ForeignTable[],
  paths: readonly OverlayPath[],
  tunnels: readonly TunnelEnd[],
): ForeignVerdicts {
  const bases = tables
    .filter(({ name }) => !OURS.has(name))
    .flatMap((table) => [...table.chains.values()].map((chain): Base => ({ table, chain })))
    .filter(({ chain }) => chain.hook !== undefined)
  const drops = [
    ...paths.flatMap((path) => bases.flatMap((base) => [...dropsOn(path, base), ...guards(path, base)])),
    ...tunnels.flatMap((end) => bases.flatMap((base) => closed(end, base))),
  ]
  return { drops, masquerades: paths.flatMap((path) => bases.flatMap((base) => rewrites(path, base))) }
}

const isOfFamily = ({ table }: Base, family: 4 | 6): boolean =>
  table.family === 'inet' || table.family === 'netdev' || table.family === (family === 4 ? 'ip' : 'ip6')

const isNat = ({ table, chain }: Base): boolean => (chain.type ?? table.name) === 'nat'

/** Packets of new connections: to our containers from those of other hosts, or the other way. */
function overlayTraffic(path: OverlayPath, way: 'in' | 'out', hook: string | undefined): Traffic {
  const here: Side = { within: path.subnet }
  const there: Side = { within: path.network, except: path.subnet }
  const [input, output] = way === 'in' ? [path.device, path.bridge] : [path.bridge, path.device]
  return {
    family: path.family,
    input,
    // Before it is known where they go to, no rule asks.
    output: hook === 'prerouting' ? undefined : output,
    source: way === 'in' ? there : here,
    destination: way === 'in' ? here : there,
    protocol: 'tcp',
    destinationPort: undefined,
  }
}

const PASSED: ReadonlySet<string> = new Set(['prerouting', 'forward', 'postrouting'])

const WAYS = {
  in: 'from containers of other hosts to those of this host',
  out: 'from containers of this host to those of other hosts',
  both: 'between containers of different hosts',
} as const

function dropsOn(path: OverlayPath, base: Base): readonly ForeignVerdict[] {
  const { table, chain } = base
  if (!isOfFamily(base, path.family) || isNat(base) || !PASSED.has(chain.hook ?? '')) return []
  const dropped = (['in', 'out'] as const).flatMap((way) => {
    const fate = fateOf(table, chain, overlayTraffic(path, way, chain.hook))
    return fate?.is === 'drop' ? [{ way, fate }] : []
  })
  const [first] = dropped
  if (first === undefined) return []
  const way = dropped.length === 2 ? 'both' : first.way
  const does = `drops packets ${WAYS[way]}`
  return [{ kind: 'forward', place: place(base, first.fate), does, cure: acceptCure(base, path) }]
}

/** `nftables inet firewalld, chain filter_FWD_public (handle 12)`. */
function place({ table }: Base, { chain, rule }: Fate): string {
  return rule === undefined
    ? `the policy of ${table.title}, chain ${chain},`
    : `${table.title}, chain ${chain} (${rule.text}),`
}

/** Docker keeps what has not come over its bridge from single containers: from the overlay, it all has. */
function guards(path: OverlayPath, base: Base): readonly ForeignVerdict[] {
  const { table, chain } = base
  if (!isOfFamily(base, path.family) || chain.hook !== 'prerouting' || isNat(base)) return []
  const guarded = chain.rules.flatMap((rule) => guardedContainers(rule, path))
  const traffic = overlayTraffic(path, 'in', chain.hook)
  for (const within of guarded.slice(0, MOST_GUARDED)) {
    const fate = fateOf(table, chain, { ...traffic, destination: { within } })
    if (fate?.is !== 'drop') continue
    const others = guarded.length === 1 ? '' : ` and ${guarded.length - 1} more`
    const does = `drops what comes from other hosts to the container ${within.base.text}${others}`
    return [{ kind: 'container', place: place(base, fate), does, cure: DOCKER_RAW_CURE }]
  }
  return []
}

const guardedContainers = ({ guarded = [] }: ForeignRule, { subnet }: OverlayPath): readonly Prefix[] =>
  guarded.flatMap((text) => {
    const network = parsePrefix(text)
    const isHere = network !== undefined && network.family === subnet.family && prefixCovers(subnet, network)
    return isHere && network.length > subnet.length ? [network] : []
  })

/** Chains that see tunnels as they come, and as they go. */
const COMING: ReadonlySet<string> = new Set(['input', 'prerouting', 'ingress'])
const GOING: ReadonlySet<string> = new Set(['output', 'postrouting', 'egress'])

/** What is dropped of all tunnels, else of those of single hosts. */
function closed(end: TunnelEnd, base: Base): readonly ForeignVerdict[] {
  const { hook = '', devices } = base.chain
  if (AT_DEVICES.has(hook) && devices?.includes(end.link) !== true) return []
  const way = COMING.has(hook) ? 'in' : GOING.has(hook) ? 'out' : undefined
  if (way === undefined || !isOfFamily(base, end.family) || isNat(base)) return []
  const found = closedTo(end, base, way, undefined)
  return found ? [found] : (end.others ?? []).flatMap((other) => closedTo(end, base, way, other) ?? [])
}

/** @param other one host; undefined: all of them */
function closedTo(end: TunnelEnd, base: Base, way: 'in' | 'out', other: Ip | undefined): ForeignVerdict | undefined {
  const { family, port, network, link } = end
  if (other !== undefined && other.family !== family) return undefined
  const here: Side = { within: hostPrefix(end.address) }
  const there: Side = other === undefined ? { within: ANYBODY[family], except: network } : { within: hostPrefix(other) }
  const fate = fateOf(base.table, base.chain, {
    ...{ family, protocol: 'udp', destinationPort: port },
    ...(way === 'in'
      ? { input: link, output: undefined, source: there, destination: here }
      : { input: undefined, output: link, source: here, destination: there }),
  })
  if (fate?.is !== 'drop') return undefined
  const whom = other?.text ?? 'other hosts'
  const does = `drops what ${way === 'in' ? `${whom} send${other ? 's' : ''}` : `this host sends ${whom}`} to UDP port ${port}`
  return { kind: 'tunnel', place: place(base, fate), does, cure: tunnelCure(base, end) }
}

function rewrites(path: OverlayPath, base: Base): readonly ForeignVerdict[] {
  const { table, chain } = base
  if (!isOfFamily(base, path.family) || chain.hook !== 'postrouting' || !isNat(base)) return []
  return (['out', 'in'] as const).flatMap((way) => {
    const fate = fateOf(table, chain, overlayTraffic(path, way, chain.hook))
    if (fate?.is !== 'nat') return []
    const does = `changes the source of packets ${WAYS[way]}`
    return [{ kind: 'masquerade', place: place(base, fate), does, cure: masqueradeCure(fate, base, path) } as const]
  })
}
