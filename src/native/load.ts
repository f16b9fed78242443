import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addonInside } from './executable.ts'
import { loadCopy } from './private-copy.ts'

declare const isSocketHandle: unique symbol

/** A socket of the addon; closed by `close`, by garbage collection, or with its thread. */
export interface SocketHandle {
  readonly [isSocketHandle]: true
}

/**
 * What netlink.c exports. Numbers below zero are negated errnos. Wrong arguments throw a TypeError or RangeError, a closed
 * socket throws `ERR_SOCKET_CLOSED`.
 */
export interface NetlinkAddon {
  readonly open: (protocol: number) => SocketHandle | number
  readonly portId: (socket: SocketHandle) => number
  readonly setOption: (socket: SocketHandle, level: number, option: number, value: number | Uint8Array) => number
  /** `program`: classic BPF instructions of 8 bytes (linux/filter.h). */
  readonly attachFilter: (socket: SocketHandle, program: Uint8Array) => number
  readonly send: (socket: SocketHandle, bytes: Uint8Array, length: number) => number
  /** Length of the datagram; greater than `bytes.length` if it was cut. */
  readonly receive: (socket: SocketHandle, bytes: Uint8Array) => number
  /**
   * Octets of all datagrams that wait, one behind the other on multiples of 4, for as long as there are `room` octets left for another. One
   * that was cut is EMSGSIZE; what goes wrong behind others is told by the next call.
   */
  readonly receiveAll: (socket: SocketHandle, bytes: Uint8Array, room: number) => number
  /** Calls back with 0 when there is something to receive, with a negated errno when the socket has failed; without callback, stops. */
  readonly poll: (socket: SocketHandle, callback?: (status: number) => void) => number
  readonly close: (socket: SocketHandle) => void
}

/** What icmp.c exports; errors as in {@link NetlinkAddon}. */
export interface IcmpAddon extends Pick<NetlinkAddon, 'setOption' | 'attachFilter' | 'close'> {
  /** Only a raw one hears what others ask (raw(7)); one that is not is for whom `net.ipv4.ping_group_range` lets have it (icmp(7)). */
  readonly openIcmp: (family: 4 | 6, isRaw: boolean) => SocketHandle | number
  /** When it was sent, in microseconds on the wall clock. `from` is empty, and `ifIndex` 0, where routes are to say. */
  readonly sendIcmp: (
    socket: SocketHandle,
    bytes: Uint8Array,
    to: Uint8Array,
    from: Uint8Array,
    ifIndex: number,
  ) => number
  /** Frames of one EtherType on one interface, with their headers (packet(7)); sent by {@link NetlinkAddon.send}. */
  readonly openPacket: (protocol: number, ifIndex: number) => SocketHandle | number
  /** How many packets, or what is said against those sent, it has put into `bytes`: `Packet` of icmp.c, 192 octets each. */
  readonly receivePackets: (socket: SocketHandle, bytes: Uint8Array, errors: boolean) => number
}

declare const isForwarderHandle: unique symbol

/** A forwarder of the addon, with its device; both go with `closeForwarder`, with garbage collection, or with its thread. */
export interface ForwarderHandle {
  readonly [isForwarderHandle]: true
}

/** What udp/udp.c exports, as `UdpForwarder` uses it; errors as in {@link NetlinkAddon}. */
export interface ForwarderAddon {
  readonly openForwarder: (name: string, isPlain: boolean) => ForwarderHandle | number
  readonly forwarderName: (forwarder: ForwarderHandle) => string
  /** Address, port, our subnet, its length, MTU. */
  readonly startForwarder: (forwarder: ForwarderHandle, settings: Uint32Array) => number
  readonly setForwarderMtu: (forwarder: ForwarderHandle, mtu: number) => void
  /** Subnet, its length and address of each. */
  readonly setForwarderPeers: (forwarder: ForwarderHandle, rows: Uint32Array) => number
  /** As forwarder.h has them: of all, then of each peer. */
  readonly forwarderCounts: (forwarder: ForwarderHandle) => Float64Array
  /** An errno; 0 while it is well. */
  readonly forwarderFailure: (forwarder: ForwarderHandle) => number
  readonly stopForwarder: (forwarder: ForwarderHandle) => void
  readonly closeForwarder: (forwarder: ForwarderHandle) => void
}

/** The whole addon: netlink, ICMP, forwarders, and what else only C can do. */
export interface Addon extends NetlinkAddon, IcmpAddon, ForwarderAddon {
  /** Ends the process at once, as `_exit(2)` does: nothing is run and nobody is waited for. */
  readonly exit: (code: number) => never
  /** One datagram to a Unix socket, without waiting; `address` is a path, or a zero byte and an abstract name (unix(7)). */
  readonly sendUnix: (address: Uint8Array, bytes: Uint8Array) => number
  /** Process and user that listen at a Unix stream socket, without waiting; `address` as for `sendUnix`. */
  readonly listenerOf: (address: Uint8Array) => readonly [pid: number, uid: number] | number
  /** A descriptor that listens and answers nobody; see netlink.c. `address` as for `sendUnix`. */
  readonly listenUnix: (address: Uint8Array, sendBuffer: number, backlog: number) => number
  /** Sends one away who waits at it. */
  readonly dismiss: (descriptor: number) => number
  /** Whether something was given back to the kernel of what malloc(3) keeps after it was freed. */
  readonly releaseMemory: () => boolean
  /** Whether V8 has been asked to collect all that is garbage, which it does a little at a time. */
  readonly collectGarbage: () => boolean
  /** Octets as characters of Latin-1, without a copy where this Node can do that: they have to stay for as long as the process runs. */
  readonly textIn: (bytes: Uint8Array) => string
}

const FUNCTIONS = [
  'open',
  'portId',
  'setOption',
  'attachFilter',
  'send',
  'receive',
  'receiveAll',
  'poll',
  'close',
  'exit',
  'sendUnix',
  'listenerOf',
  'listenUnix',
  'dismiss',
  'releaseMemory',
  'collectGarbage',
  'textIn',
  'openIcmp',
  'sendIcmp',
  'openPacket',
  'receivePackets',
  'openForwarder',
  'forwarderName',
  'startForwarder',
  'setForwarderMtu',
  'setForwarderPeers',
  'forwarderCounts',
  'forwarderFailure',
  'stopForwarder',
  'closeForwarder',
] as const

const isAddon = (value: unknown): value is Addon =>
  typeof value === 'object' &&
  value !== null &&
  FUNCTIONS.every((name) => typeof Reflect.get(value, name) === 'function')

/** The addon was found nowhere, or nowhere in a form that this Node loads. */
export class AddonError extends Error {
  override readonly name = 'AddonError'
}

/** Folder of this file as a module, or of the bundle it was built into (CommonJS, where `import.meta` is empty). */
const here = typeof __dirname === 'string' ? __dirname : dirname(fileURLToPath(import.meta.url))

function candidates(override: string | undefined): readonly string[] {
  if (override !== undefined && override !== '') return [override]
  const places = ['.', 'build/Release', `prebuilds/linux-${process.arch}`]
  return places.map((place) => join(here, place, 'netlink.node'))
}

/** Where an addon came from: a path, or in the executable the name of its memory file. */
interface Found {
  readonly addon: Addon
  readonly path: string
}

/** By its path. */
const loadedBefore = new Map<string, Addon>()

/** The executable's own, once it has been looked for; it can be had once. */
let inside: Found | string | undefined

/**
 * Loads the addon: `FLANNELD_NETLINK_ADDON` if set, else the one inside the executable, beside the bundle, compiled, prebuilt, in this order.
 * @throws {AddonError} naming every path tried and why it would not do
 */
export function loadAddon(override = process.env['FLANNELD_NETLINK_ADDON']): Addon {
  return findAddon(override).addon
}

/** {@link loadAddon}, telling also which file it is. */
export function findAddon(override = process.env['FLANNELD_NETLINK_ADDON']): Found {
  const tried: string[] = []
  if (override === undefined || override === '') {
    inside ??= findInside()
    if (typeof inside === 'object') return inside
    if (inside !== undefined) tried.push(`inside the executable: ${inside}`)
  }
  const require = createRequire(join(here, 'netlink.node'))
  for (const path of candidates(override)) {
    const loaded = existsSync(path) ? tryToLoad(require, path) : 'not there'
    if (typeof loaded !== 'string') return { addon: loaded, path }
    tried.push(`${path}: ${loaded}`)
  }
  throw new AddonError(`no usable netlink addon (npm install makes one):\n  ${tried.join('\n  ')}`)
}

function findInside(): Found | string | undefined {
  try {
    const found = addonInside()
    return found && (isAddon(found.loaded) ? { addon: found.loaded, path: found.path } : NO_ADDON)
  } catch (error) {
    return messageOf(error)
  }
}

function tryToLoad(require: NodeJS.Require, path: string): Addon | string {
  try {
    const loaded: unknown = loadedBefore.get(path) ?? loadPrivately(path) ?? require(path)
    if (!isAddon(loaded)) return NO_ADDON
    loadedBefore.set(path, loaded)
    return loaded
  } catch (error) {
    return messageOf(error)
  }
}

/**
 * Out of a copy: who overwrites a file in place, as `cp` does, overwrites what each process that has loaded it is executing.
 * @returns undefined where no folder takes a copy to be executed (noexec), or it is no addon
 */
function loadPrivately(path: string): unknown {
  try {
    return loadCopy(readFileSync(path)).loaded
  } catch {
    return undefined
  }
}

const NO_ADDON = 'not a netlink addon'

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
