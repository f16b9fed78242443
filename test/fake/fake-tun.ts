import type { ForwardedPeer, Forwarder, ForwarderSettings, TunDevice } from '../../src/kernel/tun.ts'

const NO_TRAFFIC = { packets: 0, octets: 0 }

/** A forwarder in memory: what it was told, and whether it runs. */
export class FakeForwarder implements Forwarder {
  readonly settings: ForwarderSettings
  mtu: number
  peers: readonly ForwardedPeer[] = []
  /** Packets, by PublicIP. */
  readonly sentTo = new Map<string, number>()
  isRunning = true
  hasFailed: string | undefined

  constructor(settings: ForwarderSettings) {
    this.settings = settings
    this.mtu = settings.mtu
  }

  setPeers(peers: readonly ForwardedPeer[]): void {
    this.peers = peers
  }

  setMtu(mtu: number): void {
    this.mtu = mtu
  }

  counts(): ReturnType<Forwarder['counts']> {
    const peers = this.peers.map(({ publicIp }) => {
      const packets = this.sentTo.get(publicIp.text) ?? 0
      return { sent: { packets, octets: packets * 100 }, received: NO_TRAFFIC, refused: 0 }
    })
    return { sent: NO_TRAFFIC, received: NO_TRAFFIC, drops: { inStranger: 0 }, peers }
  }

  failure(): string | undefined {
    return this.hasFailed
  }

  stop(): void {
    this.isRunning = false
  }
}

/** A TUN device in memory. */
export class FakeTun implements TunDevice {
  readonly name: string
  /** Those that were started, the last one last. */
  readonly forwarders: FakeForwarder[] = []
  readonly #onClose: () => void
  readonly #refuse: () => void

  /** @param refuse throws what the start of a forwarder is refused with */
  constructor(name: string, onClose: () => void, refuse: () => void) {
    this.name = name
    this.#onClose = onClose
    this.#refuse = refuse
  }

  forward(settings: ForwarderSettings): FakeForwarder {
    this.#refuse()
    const forwarder = new FakeForwarder(settings)
    this.forwarders.push(forwarder)
    return forwarder
  }

  close(): void {
    for (const forwarder of this.forwarders) forwarder.stop()
    this.#onClose()
  }
}
