import type { Ip } from '../../src/net/ip.ts'
import {
  PeerFilterError,
  type FilterState,
  type GuardedOverlay,
  type PeerFilter,
} from '../../src/kernel/peer-filter.ts'

/** A packet filter in memory that can be broken. */
export class FakePeerFilter implements PeerFilter {
  /** Addresses that are let in; undefined: there is no table. */
  peers: Set<string> | undefined
  overlay: GuardedOverlay | undefined
  packets = 0
  forged = 0
  /** Why it keeps strangers out only. */
  oneWay: string | undefined
  /** Calls that changed something. */
  writes: string[] = []
  /** Reads, full ones among them. */
  reads = 0
  /** Full reads. */
  fullReads = 0
  /** What every call fails with. */
  broken: PeerFilterError['code'] | undefined
  /** Known by address, to answer with what was given. */
  readonly #ips = new Map<string, Ip>()

  read(overlay: GuardedOverlay, what: 'rules' | 'all', signal?: AbortSignal): Promise<FilterState | undefined> {
    return this.#answer('read', signal, () => {
      this.reads++
      if (what === 'all') this.fullReads++
      if (this.peers === undefined) return undefined
      const isWhole = this.overlay?.vni === overlay.vni && this.overlay.port === overlay.port
      const peers = [...this.peers].flatMap((text) => this.#ips.get(text) ?? [])
      const drops = { packets: this.packets, forged: this.forged }
      return { isWhole, peers: what === 'all' ? peers : undefined, drops, oneWay: this.oneWay }
    })
  }

  install(overlay: GuardedOverlay, peers: readonly Ip[], signal?: AbortSignal): Promise<void> {
    return this.#answer('install', signal, () => {
      this.writes.push(`install ${texts(peers)}`)
      this.overlay = overlay
      ;[this.packets, this.forged] = [0, 0]
      this.peers = new Set()
      this.#add(this.peers, peers)
    })
  }

  change(added: readonly Ip[], removed: readonly Ip[], signal?: AbortSignal): Promise<void> {
    return this.#answer('change', signal, () => {
      if (added.length + removed.length === 0) return
      if (this.peers === undefined || removed.some(({ text }) => this.peers?.has(text) !== true))
        throw new PeerFilterError({ op: 'change', code: 'REFUSED', message: 'no such file or directory' })
      this.writes.push(`+${texts(added)} -${texts(removed)}`)
      this.#add(this.peers, added)
      for (const { text } of removed) this.peers.delete(text)
    })
  }

  remove(signal?: AbortSignal): Promise<boolean> {
    return this.#answer('remove', signal, () => {
      const wasThere = this.peers !== undefined
      this.peers = undefined
      return wasThere
    })
  }

  #add(peers: Set<string>, added: readonly Ip[]): void {
    for (const address of added) {
      this.#ips.set(address.text, address)
      peers.add(address.text)
    }
  }

  #answer<T>(op: string, signal: AbortSignal | undefined, work: () => T): Promise<T> {
    return Promise.resolve().then(() => {
      signal?.throwIfAborted()
      if (this.broken !== undefined) throw new PeerFilterError({ op, code: this.broken, message: `nft ${this.broken}` })
      return work()
    })
  }
}

const texts = (addresses: readonly Ip[]): string => addresses.map(({ text }) => text).join(',')
