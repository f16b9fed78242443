import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import type { ForwardedPeer, Forwarder, PeerTraffic } from '../../kernel/tun.ts'
import type { Prefix } from '../../net/prefix.ts'
import { NO_ROWS } from '../../reconcile/entries.ts'
import type { ShownRow } from '../../reconcile/shown-row.ts'
import type { ReachablePeer } from '../judge.ts'
import type { PeerRouter, PeerRouterInput } from '../peer-router.ts'

/**
 * Not 0, with which it would take the place of somebody else's route to the network, without a word from the kernel. There is one route:
 * nothing makes it slow to add.
 */
const METRIC = 1

export interface ForwardedPeersInput extends PeerRouterInput {
  readonly network: Prefix
}

/** The peers of a forwarder, and the one route that leads to all of them. Peers that come at one time are handed over in one step. */
export class ForwardedPeers implements PeerRouter {
  readonly wantsOtherRoutes = false
  readonly #peers = new Map<string, ForwardedPeer>()
  /** Those that were handed over, in that order. */
  #handed: readonly string[] = []
  #forwarder: Forwarder | undefined
  /** Whether they are to be handed over when all that is said now has been said. */
  #isDue = false

  constructor({ network, setEntries }: ForwardedPeersInput) {
    const route = {
      ...{ destination: network, gateway: undefined, metric: METRIC, protocol: ROUTE_PROTOCOL, onlink: false },
    }
    setEntries('all peers', { onDevice: { ...NO_ROWS, routes: [route] }, onUnderlay: [] })
  }

  get peers(): number {
    return this.#peers.size
  }

  setPeer(key: string, peer: ReachablePeer | undefined): void {
    if (peer === undefined) this.#peers.delete(key)
    else this.#peers.set(key, { subnet: peer.subnet, publicIp: peer.publicIp })
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      this.#handOver()
    })
  }

  /** From now on this one forwards; undefined: nobody does. */
  attach(forwarder: Forwarder | undefined): void {
    this.#forwarder = forwarder
    this.#handOver()
  }

  #handOver(): void {
    this.#handed = [...this.#peers.keys()]
    this.#forwarder?.setPeers([...this.#peers.values()])
  }

  *rowsOf(key: string): Generator<ShownRow> {
    const peer = this.#peers.get(key)
    if (peer === undefined) return
    const isInKernel = this.#forwarder !== undefined && !this.#isDue
    yield { table: 'forwarder', row: `forwarder ${peer.subnet.text} to ${peer.publicIp.text}`, isInKernel }
  }

  traffic(): ReadonlyMap<string, PeerTraffic> | undefined {
    const counts = this.#forwarder?.counts().peers
    return counts && new Map(this.#handed.flatMap((key, at) => pairOf(key, counts[at])))
  }

  /** Nothing hangs on the routes of the underlay. */
  follow(): void {
    // peers are reached by whatever way the kernel has to their PublicIP
  }

  configure(): void {
    // of the settings, none concerns peers
  }
}

const pairOf = (key: string, traffic: PeerTraffic | undefined): readonly (readonly [string, PeerTraffic])[] =>
  traffic === undefined ? [] : [[key, traffic]]
