import type { OverlayNetwork } from '../../config/network.ts'
import { otherNetworks, seenHost, type OtherNetwork, type SeenHost } from '../../host/underlay/other-networks.ts'
import type { HostAddresses } from '../../host/underlay/underlay.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Family, Ip } from '../../net/ip.ts'
import { prefixesOverlap, type Prefix } from '../../net/prefix.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'

/** Without a look at the host, nothing has changed: this long, in milliseconds. */
const IDLE_MS = 3_600_000
/** Between two looks, in milliseconds, however often leases and addresses change. */
const APART_MS = 1_000
/** A look, and judging the peers anew for it, may take one part in this many of the time. */
const SHARE = 50
/** So many are guarded, the widest: every peer is held against each. Hosts have thousands of addresses where these are virtual services. */
const MOST_GUARDED = 256
const MOST_NAMED = 3

/** Network of the host, with those subnets of peers that may lie over it all the same. */
export interface GuardedNetwork extends OtherNetwork {
  /** By their text: they stood before the network came. */
  readonly conceded: ReadonlySet<string>
}

/** What is seen of the host, by family of the overlay. */
export interface Seen {
  readonly hosts: ReadonlyMap<Family, SeenHost>
  readonly resolvers: readonly Ip[]
}

export interface OtherNetworksInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'conditions' | 'readResolvers'>
  readonly overlays: readonly OverlayNetwork[]
  /** Our subnets. */
  readonly own: readonly Prefix[]
  readonly underlayOf: (family: Family) => Pick<Underlay, 'prefix'> | undefined
  /** As it was when our lease was acquired. */
  readonly seen: Seen
  /** Leases that are rejected since they cover a network of this host, and why in words. */
  readonly rejected: () => Iterable<readonly [key: string, reason: string]>
  /** Called when peers are to be judged anew. */
  readonly onChange: () => void
}

/**
 * Guards the host's other networks against subnets of peers that cover them, and names the peers that share addresses with one, be they
 * rejected for it or reached. A network that comes while a peer stands in its place takes nothing from that
 * peer: it is named, and who was there first stays, until one of the two goes. So nothing flaps, and no network that comes and goes cuts
 * peers off.
 */
export class OtherNetworks implements Task {
  readonly name = 'other networks of this host'
  readonly roundMs = ROUND_MS.files
  readonly #input: OtherNetworksInput
  readonly #hosts: Map<Family, SeenHost>
  readonly #bell = new Wakeup()
  #guarded: ReadonlyMap<string, GuardedNetwork> = new Map()

  constructor(input: OtherNetworksInput) {
    this.#input = input
    this.#hosts = new Map(input.seen.hosts)
    this.#update(input.seen.resolvers)
  }

  get guarded(): readonly GuardedNetwork[] {
    return [...this.#guarded.values()]
  }

  /** The host as somebody has seen it who looked for the underlay of this family. */
  see(family: Family, host: HostAddresses): void {
    this.#hosts.set(family, seenHost(host, family))
    this.#bell.ring()
  }

  /** Other leases are rejected now. */
  ask(): void {
    if (this.#guarded.size > 0) this.#bell.ring()
  }

  async run({ signal, rest }: TaskContext): Promise<void> {
    const { clock } = this.#input.ports
    let pauseMs = APART_MS
    this.#report()
    while (!isStopped(signal)) {
      await rest(IDLE_MS, this.#bell)
      if (isStopped(signal)) break
      await rest(pauseMs)
      if (isStopped(signal)) break
      const resolvers = await this.#input.ports.readResolvers()
      const beganMs = clock.monotonicMs()
      if (this.#update(resolvers)) this.#input.onChange()
      this.#report()
      pauseMs = Math.max(APART_MS, (clock.monotonicMs() - beganMs) * SHARE)
    }
  }

  /** @returns whether there are others now */
  #update(resolvers: readonly Ip[]): boolean {
    const before = this.#guarded
    const { overlays, own, underlayOf } = this.#input
    const now = new Map<string, GuardedNetwork>()
    for (const overlay of overlays) {
      const host = this.#hosts.get(overlay.family)
      if (host === undefined) continue
      const networks = otherNetworks(host, { overlay, own, underlay: underlayOf(overlay.family), resolvers })
      for (const network of widest(networks.filter(({ toleratesPeers }) => toleratesPeers !== true))) {
        const key = `${network.prefix.text} ${network.what}`
        now.set(key, before.get(key) ?? { ...network, conceded: overlapping(host.standing, network) })
      }
    }
    this.#guarded = now
    return now.size !== before.size || [...now.keys()].some((key) => !before.has(key))
  }

  #report(): void {
    const { conditions } = this.#input.ports
    const what = 'networks of this host'
    const named = [...this.guarded.flatMap((network) => this.#overlapped(network)), ...this.#rejected()]
    if (named.length === 0) {
      conditions.holds(what)
      return
    }
    const more = named.length > MOST_NAMED ? [`${named.length - MOST_NAMED} more`] : []
    const reason = [...named.slice(0, MOST_NAMED), ...more].join('; ')
    conditions.fails(what, reason, 'degraded', {
      says: `${reason}: what is in both is reached on one side only; give that network other addresses, or move Network`,
      saysHolds: 'no network of this host overlaps subnets in use any more',
      repeats: false,
    })
  }

  /** Leases that are not taken for one of them, in words. */
  #rejected(): readonly string[] {
    if (this.#guarded.size === 0) return []
    return Array.from(this.#input.rejected(), ([key, why]) => `${key} is rejected: ${why}`)
  }

  /** In whose way it stands, in words. */
  #overlapped(network: GuardedNetwork): readonly string[] {
    const { prefix, what } = network
    const peers = [...this.#hosts.values()].flatMap(({ standing }) => [...overlapping(standing, network)])
    const own = this.#input.own.filter((subnet) => prefixesOverlap(subnet, prefix)).map(({ text }) => text)
    const others = peers.length > MOST_NAMED ? [`${peers.length - MOST_NAMED} more`] : []
    const over = [...own.map((text) => `our own subnet ${text}`), ...peers.slice(0, MOST_NAMED), ...others]
    return over.length === 0 ? [] : [`${prefix.text}, ${what}, overlaps ${over.join(', ')}`]
  }
}

/** Default gateways and resolvers, which come last, are few: they go before addresses that are as narrow. */
const widest = (networks: readonly OtherNetwork[]): readonly OtherNetwork[] =>
  networks.length <= MOST_GUARDED
    ? networks
    : networks
        .toReversed()
        .toSorted((a, b) => a.prefix.length - b.prefix.length)
        .slice(0, MOST_GUARDED)

function overlapping(standing: Iterable<Prefix>, { prefix }: OtherNetwork): ReadonlySet<string> {
  const texts = new Set<string>()
  for (const subnet of standing) if (prefixesOverlap(subnet, prefix)) texts.add(subnet.text)
  return texts
}
