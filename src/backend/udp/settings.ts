import type { BackendConfig, UdpConfig } from '../../config/backend.ts'
import { ConfigError } from '../../config/error.ts'
import { mtuOf, type Underlay } from '../../kernel/underlay.ts'
import type { Ip } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'

/** Octets that an outer IPv4 header and UDP add around a packet (RFC 791 §3.1, RFC 768). */
const OVERHEAD = 28

/** Smallest MTU in octets with which the kernel speaks IPv4 at all (RFC 791 §3.2). */
const SMALLEST_MTU = 68

/** Between whom, and how large. */
export interface TunnelSettings {
  /** Of our socket on the underlay. */
  readonly address: Ip
  /** UDP port of our socket, and of all peers'. */
  readonly port: number
  /** Ours. */
  readonly subnet: Prefix
  /** Of packets through the device, in octets. */
  readonly mtu: number
}

/** @throws {TypeError} for settings of another backend: a running agent follows no change of its type */
export function udpSettings(config: BackendConfig): UdpConfig {
  if (config.type === 'udp') return config
  throw new TypeError(`settings of ${config.type} for a forwarder over UDP`)
}

/** @throws {ConfigError} when the underlay's MTU leaves too little for the overlay */
export function tunnelSettings(subnet: Prefix, { port }: UdpConfig, underlay: Underlay): TunnelSettings {
  const mtu = mtuOf(underlay) - OVERHEAD
  if (mtu < SMALLEST_MTU) {
    const sum = `${SMALLEST_MTU} for IPv4 and ${OVERHEAD} for UDP around it`
    throw new ConfigError(
      `MTU of ${underlay.link.name}`,
      `at least ${SMALLEST_MTU + OVERHEAD} octets: ${sum}`,
      mtu + OVERHEAD,
    )
  }
  return { address: underlay.address, port, subnet, mtu }
}
