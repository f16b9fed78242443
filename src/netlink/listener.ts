import type { KernelChange, KernelOp } from '../kernel/kernel.ts'
import type { Prefix } from '../net/prefix.ts'
import { readAddress } from './codec/address.ts'
import { MessageBuffer } from './codec/buffer.ts'
import { ChangeQueue } from './change-queue.ts'
import { echoFilter } from './echo-filter.ts'
import { Echoes } from './echoes.ts'
import { EAGAIN } from './codec/errors.ts'
import { readLink } from './codec/link.ts'
import type { NetlinkAddon } from '../native/load.ts'
import { neighbourLink, readNeighbour } from './codec/neighbour.ts'
import { DecodeError, MessageCursor } from './codec/reader.ts'
import { isRouteOn, readDestination, readRoute } from './codec/route.ts'
import { readRule } from './codec/rule.ts'
import { NetlinkSocket } from './socket.ts'
import { NLM_F, RTM, RTNLGRP } from './codec/uapi.ts'

const GROUPS = [
  ...[RTNLGRP.LINK, RTNLGRP.IPV4_IFADDR, RTNLGRP.IPV6_IFADDR, RTNLGRP.IPV4_RULE, RTNLGRP.IPV6_RULE],
  ...[RTNLGRP.NEIGH, RTNLGRP.IPV4_ROUTE, RTNLGRP.IPV6_ROUTE],
]

/** A notification is one object; the largest is a link with all its attributes, a few KB. */
const LARGEST_BYTES = 32_768
/** Read at once: of entries of tables, some hundreds. */
const RECEIVE_BYTES = 2 * LARGEST_BYTES
/**
 * Read at most to reach the end of a socket's queue, in so many pieces, or datagrams where nothing is made of them. More than the buffer
 * holds, so that only a writer who never rests is left unfinished.
 */
const MOST_PIECES = 1_000
const MOST_WAITING = 50_000

const OTHER_ROUTES: KernelChange = { kind: 'other-routes' }

/** What a subscription is about, as its reader wants it at the time. */
export interface Subscription {
  /** The links whose table entries are told of. */
  readonly watched: () => readonly number[]
  /** Whether it is told that other links' routes have changed. */
  readonly otherRoutes: () => boolean
  /** Destinations of foreign routes that are told of. */
  readonly isOfInterest: (destination: Prefix) => boolean
  /** Called when reports were lost; must not throw. */
  readonly onLost?: () => void
}

/** One subscription to the kernel's notifications. Losing some is reported as `overrun` and never ends it. */
export class ChangeListener {
  readonly queue = new ChangeQueue()
  readonly #socket: NetlinkSocket
  readonly #about: Subscription
  readonly #echoes = new Echoes()
  readonly #cursor = new MessageCursor(new MessageBuffer(RECEIVE_BYTES))

  /**
   * The subscription stands when this returns.
   * @param ownPortId the socket whose own table writes are not to be reported
   * @throws {KernelError}
   */
  constructor(addon: NetlinkAddon, bufferBytes: number, ownPortId: number, about: Subscription) {
    this.#about = about
    this.#socket = new NetlinkSocket(addon, bufferBytes)
    this.#socket.filter(echoFilter(ownPortId))
    for (const group of GROUPS) this.#socket.join(group)
    this.#socket.poll((status) => {
      if (status < 0) this.#overrun()
      else this.#receive(1) // others have their turn before the next
    })
  }

  /** These are written now: their echo is no news. */
  expect(ops: readonly KernelOp[]): void {
    this.#echoes.expect(ops)
  }

  /** Reads what waits in the socket: the kernel reports a change before it acknowledges the request for it. */
  catchUp(): void {
    if (!this.#socket.isClosed()) this.#receive(MOST_PIECES)
  }

  close(): void {
    this.#socket.close()
    this.queue.end()
  }

  #receive(most: number): void {
    for (let pieces = 0; pieces < most; pieces++) {
      const length = this.#socket.receiveAll(this.#cursor.buffer, LARGEST_BYTES)
      if (length === -EAGAIN) return
      if (length < 0 || !this.#read(length)) {
        this.#overrun()
        return
      }
    }
  }

  /** What still waits is older than the snapshot that an overrun calls for, and would contradict it. */
  #overrun(): void {
    this.#about.onLost?.()
    for (let stale = 0; stale < MOST_WAITING; stale++) if (this.#socket.receive(this.#cursor.buffer) === -EAGAIN) break
    this.queue.overrun()
  }

  #isEcho(): boolean {
    return isOfNeighbours(this.#cursor) && this.#echoes.has(this.#cursor)
  }

  /** @returns false when they could not be read: whatever they said is lost */
  #read(length: number): boolean {
    try {
      this.#cursor.start(length)
      while (this.#cursor.next()) {
        const change = this.#isEcho() ? undefined : readChange(this.#cursor, this.#about)
        if (change !== undefined) this.queue.push(change)
      }
      return true
    } catch (error) {
      if (error instanceof DecodeError) return false
      throw error
    }
  }
}

const isOfNeighbours = ({ type }: MessageCursor): boolean => type === RTM.NEWNEIGH || type === RTM.DELNEIGH

/**
 * The change a notification tells of; undefined for other links' table entries and for what we do not follow. NLM_F_REPLACE is all that
 * is said of a route in whose place another one has been put.
 */
export function readChange(message: MessageCursor, about: Subscription): KernelChange | undefined {
  switch (message.type) {
    case RTM.NEWNEIGH:
    case RTM.DELNEIGH: {
      if (!about.watched().includes(neighbourLink(message))) return undefined
      const change = readNeighbour(message)
      return change && { ...change, gone: message.type === RTM.DELNEIGH }
    }
    case RTM.NEWROUTE:
    case RTM.DELROUTE:
      return readRouteChange(message, about)
    case RTM.NEWLINK:
    case RTM.DELLINK: {
      const link = readLink(message)
      return link && { kind: 'link', link, gone: message.type === RTM.DELLINK }
    }
    case RTM.NEWADDR:
    case RTM.DELADDR: {
      const address = readAddress(message)
      return address && { kind: 'address', address, gone: message.type === RTM.DELADDR }
    }
    case RTM.NEWRULE:
    case RTM.DELRULE: {
      const rule = readRule(message)
      return rule && { kind: 'rules', family: rule.family }
    }
    default:
      return undefined
  }
}

function readRouteChange(message: MessageCursor, about: Subscription): KernelChange | undefined {
  const gone = message.type === RTM.DELROUTE
  const isTold = isRouteOn(message, about.watched()) || (!gone && (message.flags & NLM_F.REPLACE) !== 0)
  const route = isTold || about.otherRoutes() ? readRoute(message) : undefined
  if (isTold && route !== undefined) return { kind: 'route', route, gone }
  const destination = readDestination(message)
  if (destination !== undefined && about.isOfInterest(destination)) return { kind: 'foreign-route', destination }
  return route && OTHER_ROUTES
}
