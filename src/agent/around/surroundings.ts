import type { NetworkConfig } from '../../config/network.ts'
import type { HostAddresses } from '../../host/underlay/underlay.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { PeerLimits } from '../../lease/peers/peer-rules.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { ChangeFollower } from '../datapath/kernel-changes-task.ts'
import { OwnAddresses } from './own-addresses.ts'
import { StoreWayTask } from './store-way-task.ts'
import { OtherNetworks, type Seen } from './other-networks.ts'
import { protectedPrefixes, type HostNetwork } from './host-network.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import type { Task } from '../runtime/task.ts'

export interface SurroundingsInput {
  readonly ports: AgentPorts
  readonly config: Pick<NetworkConfig, 'overlays'>
  /** Our own. */
  readonly subnets: readonly Prefix[]
  /** By family of the overlay. */
  readonly underlays: ReadonlyMap<Family, Underlay>
  /** The host, as it was when the lease was acquired. */
  readonly seen: Seen
  /** Leases that are rejected since they cover a network of this host, and why in words. */
  readonly rejected: () => Iterable<readonly [key: string, reason: string]>
  /** Called when others may be peers than before. */
  readonly onChange: () => void
}

/**
 * What is around our overlay on this host, and must not be covered by it: the underlay, the host's addresses and other networks, the way
 * to the store. It decides with the leases who may be a peer.
 */
export class Surroundings {
  readonly tasks: readonly Task[]
  readonly followers: readonly ChangeFollower[]
  readonly #input: SurroundingsInput
  readonly #underlays: Map<Family, Underlay>
  readonly #addresses: OwnAddresses
  readonly #others: OtherNetworks
  readonly #storeWay: StoreWayTask
  /** As they were when they were asked for last; undefined: nobody has, or the underlay is another since. */
  #protected: { readonly endpoints: readonly Ip[]; readonly prefixes: readonly Prefix[] } | undefined

  constructor(input: SurroundingsInput) {
    const { ports, subnets, seen, rejected, onChange } = input
    const { overlays } = input.config
    this.#input = input
    this.#underlays = new Map(input.underlays)
    this.#addresses = new OwnAddresses({ ports, subnets, onChange })
    const underlayOf = (family: Family): Underlay | undefined => this.#underlays.get(family)
    this.#others = new OtherNetworks({ ports, overlays, own: subnets, underlayOf, seen, rejected, onChange })
    this.#storeWay = new StoreWayTask({ ports, underlays: () => this.#underlays.values() })
    this.tasks = [this.#addresses, this.#others, this.#storeWay]
    this.followers = [this.#addresses]
  }

  get underlays(): ReadonlyMap<Family, Underlay> {
    return this.#underlays
  }

  /** To be called before the first peer is judged. */
  read(signal: AbortSignal): Promise<void> {
    return this.#addresses.read(signal)
  }

  /** The host as somebody has seen it who looked for the underlay of this family. */
  see(family: Family, host: HostAddresses): void {
    this.#others.see(family, host)
  }

  /** Other leases are rejected than before. */
  rejectionsChanged(): void {
    this.#others.ask()
  }

  /** The store has other addresses. */
  storeMoved(): void {
    this.#storeWay.ask()
  }

  /** The underlay is another, or has another address. */
  follow(underlay: Underlay): void {
    const { ports } = this.#input
    const { publicIp, address } = underlay
    const before = this.#underlays.get(address.family)
    this.#underlays.set(address.family, underlay)
    this.#protected = undefined
    if (before?.publicIp.text !== publicIp.text || before.address.text !== address.text) {
      ports.log.warn(
        'our address on the underlay has changed',
        { publicIp: publicIp.text, before: before?.publicIp.text },
        { kind: 'underlay-changed' },
      )
      ports.subnets.refreshConnections()
    }
    this.#storeWay.ask()
  }

  /** @param config what is in force */
  network(config: NetworkConfig): HostNetwork {
    return { config, underlays: this.#underlays, endpoints: this.#input.ports.subnets.endpoints.all }
  }

  /** What a peer must not trample on. @param config what is in force */
  limits(config: NetworkConfig): PeerLimits {
    return {
      overlays: config.overlays,
      own: this.#input.subnets,
      ownPublicIps: [...this.#underlays.values()].map(({ publicIp }) => publicIp),
      interfaceOf: (ip) => this.#addresses.interfaceOf(ip),
      protectedPrefixes: this.#protectedPrefixes(config),
      others: this.#others.guarded,
    }
  }

  /** The same as long as nothing of it has changed: they are asked for once for each of tens of thousands of peers. */
  #protectedPrefixes(config: NetworkConfig): readonly Prefix[] {
    const network = this.network(config)
    const { endpoints } = network
    const known = this.#protected
    if (known?.endpoints.length === endpoints.length && endpoints.every((one, at) => one === known.endpoints[at]))
      return known.prefixes
    const prefixes = protectedPrefixes(network)
    this.#protected = { endpoints, prefixes }
    return prefixes
  }
}
