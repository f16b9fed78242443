import { getSystemErrorName } from 'node:util'
import { loadAddon, type ForwarderAddon, type ForwarderHandle } from './load.ts'

/** A TUN device (linux/if_tun.h) that goes with whoever has it: with {@link close}, with its handle, with the process. */
export interface Tun {
  readonly name: string
  /** Ends what forwards its packets; twice is nothing. */
  readonly close: () => void
  readonly handle: ForwarderHandle
}

/** Of a forwarder; addresses are numbers, most significant octet first. */
export interface ForwarderSettings {
  /** Of the socket, and of this host for peers. */
  readonly address: number
  /** Of the socket, and of all peers'. */
  readonly port: number
  /** Base of our subnet, which the device has as its address: ICMP errors come from it. */
  readonly own: number
  readonly ownLength: number
  /** Of packets through the device, in octets. */
  readonly mtu: number
}

/** In the order in which forwarder.h counts. */
const COUNTS = [
  'sentPackets',
  'sentOctets',
  'receivedPackets',
  'receivedOctets',
  'icmpErrors',
  'icmpErrorsWithheld',
  'systemCalls',
  'outNotIpv4',
  'outMalformed',
  'outNoPeer',
  'outExpired',
  'outTooBig',
  'outFailed',
  'inNotIpv4',
  'inMalformed',
  'inStranger',
  'inForeignSource',
  'inNotForUs',
  'inExpired',
  'inFailed',
] as const

/**
 * What a forwarder has counted since its device was opened. `sent` and `received` are of the overlay's packets; those that `out…` and `in…`
 * count were dropped: out of what containers sent, and out of what came from the underlay.
 */
export type ForwarderTotals = Readonly<Record<(typeof COUNTS)[number], number>>

/** Numbers for each peer in {@link ForwarderCounters.peers}: packets and octets sent, packets and octets received, packets refused. */
export const NUMBERS_OF_PEER = 5

export interface ForwarderCounters {
  readonly totals: ForwarderTotals
  /** In the order of the rows of the last `setPeers`; of a peer that stayed they go on. */
  readonly peers: Float64Array
}

/**
 * Packets of a device to peers as UDP datagrams and back, by threads of its own that need nothing of the event loop.
 * ICMP errors reach containers where the device's setting `accept_local` is 1.
 */
export interface UdpForwarder {
  /**
   * Three numbers for each: base of its subnet, length of the prefix, PublicIP. In place of all before, in one step.
   * @throws {RangeError} when there is no prefix of that length
   */
  readonly setPeers: (rows: Uint32Array) => void
  readonly setMtu: (mtu: number) => void
  readonly counters: () => ForwarderCounters
  /** Name of the error with which it has ended of itself: `ENODEV` when somebody has deleted its device; undefined: it has not. */
  readonly failure: () => string | undefined
  /** Waits for its threads, closes its socket; the device stays. Twice is nothing. */
  readonly stop: () => void
}

/**
 * Makes a device of a name, or of a pattern with `%d`; takes one that is there and that no process has.
 * @param isPlain without what the kernel does for speed, as on kernels that do it not
 * @returns the name of the error otherwise: `ENOENT` where there is no /dev/net/tun, `EPERM` and `EACCES` where we may not, `EBUSY` for a
 * device that another process has, `EINVAL` for one of another kind
 */
export function openTun(name: string, isPlain = false): Tun | string {
  const addon = loadAddon()
  const handle = addon.openForwarder(name, isPlain)
  if (typeof handle === 'number') return getSystemErrorName(handle)
  return {
    name: addon.forwarderName(handle),
    handle,
    close: () => {
      addon.closeForwarder(handle)
    },
  }
}

/**
 * Opens a socket and begins to forward; what a forwarder of the same device has known of peers before is known to it.
 * @returns the name of the error otherwise: `EADDRINUSE`, `EADDRNOTAVAIL`; `EALREADY` while another one forwards
 */
export function startForwarder(
  { handle }: Tun,
  { address, port, own, ownLength, mtu }: ForwarderSettings,
): UdpForwarder | string {
  const addon = loadAddon()
  const status = addon.startForwarder(handle, Uint32Array.of(address, port, own, ownLength, mtu))
  return status < 0 ? getSystemErrorName(status) : forwarderOf(addon, handle)
}

function forwarderOf(addon: ForwarderAddon, handle: ForwarderHandle): UdpForwarder {
  return {
    setPeers: (rows) => {
      const status = addon.setForwarderPeers(handle, rows)
      if (status < 0) throw new Error(`peers of the forwarder: ${getSystemErrorName(status)}`)
    },
    setMtu: (mtu) => {
      addon.setForwarderMtu(handle, mtu)
    },
    counters: () => decode(addon.forwarderCounts(handle)),
    failure: () => {
      const errno = addon.forwarderFailure(handle)
      return errno === 0 ? undefined : getSystemErrorName(-errno)
    },
    stop: () => {
      addon.stopForwarder(handle)
    },
  }
}

const decode = (counts: Float64Array): ForwarderCounters => ({
  totals: totalsOf((what) => counts[COUNTS.indexOf(what)] ?? 0),
  peers: counts.subarray(COUNTS.length),
})

const totalsOf = (of: (what: (typeof COUNTS)[number]) => number): ForwarderTotals => ({
  sentPackets: of('sentPackets'),
  sentOctets: of('sentOctets'),
  receivedPackets: of('receivedPackets'),
  receivedOctets: of('receivedOctets'),
  icmpErrors: of('icmpErrors'),
  icmpErrorsWithheld: of('icmpErrorsWithheld'),
  systemCalls: of('systemCalls'),
  outNotIpv4: of('outNotIpv4'),
  outMalformed: of('outMalformed'),
  outNoPeer: of('outNoPeer'),
  outExpired: of('outExpired'),
  outTooBig: of('outTooBig'),
  outFailed: of('outFailed'),
  inNotIpv4: of('inNotIpv4'),
  inMalformed: of('inMalformed'),
  inStranger: of('inStranger'),
  inForeignSource: of('inForeignSource'),
  inNotForUs: of('inNotForUs'),
  inExpired: of('inExpired'),
  inFailed: of('inFailed'),
})
