import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'

/*
 * Devices whose packets a program carries, as the agent speaks of them: the port behind which threads of our own take packets out of a TUN
 * device (linux/if_tun.h), send them to peers as UDP datagrams, and put what peers send into it. netlink/tun.ts implements it.
 */

/** Between whom packets are forwarded. */
export interface ForwarderSettings {
  /** Of the socket on the underlay (IPv4). */
  readonly address: Ip
  /** UDP port of the socket, and of all peers'. */
  readonly port: number
  /** Of this host's containers: its base is the device's address. */
  readonly subnet: Prefix
  /** Of packets through the device, in octets. */
  readonly mtu: number
}

/** Whose packets are taken, and where those for its containers are sent. */
export interface ForwardedPeer {
  readonly subnet: Prefix
  readonly publicIp: Ip
}

/** What a forwarder has counted since its device was opened. */
export interface ForwarderCounts {
  readonly sent: Traffic
  readonly received: Traffic
  /** Packets that were dropped, by why: the names are stable. */
  readonly drops: Readonly<Record<string, number>>
  /** Of each peer, in the order in which they were set. */
  readonly peers: readonly PeerTraffic[]
}

export interface Traffic {
  readonly packets: number
  /** Of the packets themselves, without what carries them. */
  readonly octets: number
}

export interface PeerTraffic {
  readonly sent: Traffic
  readonly received: Traffic
  /** Packets that it sent from addresses which are not in its subnet, or to others than ours. */
  readonly refused: number
}

/** Threads that carry packets between a device and peers. They need nothing of the event loop. */
export interface Forwarder {
  /** In place of all before, in one step. */
  setPeers(peers: readonly ForwardedPeer[]): void
  setMtu(mtu: number): void
  counts(): ForwarderCounts
  /** Name of the errno with which it has ended of itself, as it does when its device is deleted; undefined: it has not. */
  failure(): string | undefined
  /** Ends it; the device stays. Twice is nothing. */
  stop(): void
}

/** A TUN device that is there for as long as this process has it. */
export interface TunDevice {
  /** As the kernel has named it. */
  readonly name: string
  /** One at a time. @throws {KernelError} with `udp.bind`: EADDRINUSE, EADDRNOTAVAIL */
  forward(settings: ForwarderSettings): Forwarder
  /** The device goes, and who forwards for it ends. Twice is nothing. */
  close(): void
}
