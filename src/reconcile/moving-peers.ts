import { NO_ENTRIES, NO_ROWS, type LinkRows, type PeerEntries } from './entries.ts'
import { gatewayRows } from './gateway-guides.ts'
import type { LinkTables } from './link-tables.ts'
import { PeerColumns } from './peer-columns.ts'
import type { ShownRow } from './shown-row.ts'

/*
 * What peers want on which of the two links, our device and the underlay's, and how they go over from one to the other without a moment in
 * which they are not reached. The reconciler tells it of peers; it tells the links' tables.
 */

const underlayRows = ({ onUnderlay }: PeerEntries): LinkRows =>
  onUnderlay.length === 0 ? NO_ROWS : { ...NO_ROWS, routes: onUnderlay }

const isDirect = ({ onUnderlay }: PeerEntries): boolean => onUnderlay.length > 0

const rowsOf = (entries: PeerEntries): LinkRows => (isDirect(entries) ? underlayRows(entries) : entries.onDevice)

/** What a peer had on the link that it has left. */
interface Left {
  readonly entries: PeerEntries
  /** It stood altogether, and is put right as if the peer were there still. Otherwise what stands of it is kept. */
  readonly isWanted: boolean
}

type Tables = Pick<LinkTables, 'shown' | 'change' | 'keep' | 'mayStand' | 'isSettled' | 'replacedElsewhere'>

/** What each peer wants, and on which link. What it has left stays until it has arrived, however often it turns back on its way. */
export class MovingPeers {
  readonly #device: Tables
  readonly #underlay: Tables
  readonly #peers = new PeerColumns()
  /** What peers had on one link that have moved to the other: kept until what they have there stands. */
  readonly #leaving = new Map<string, Left>()

  constructor(device: Tables, underlay: Tables) {
    this.#device = device
    this.#underlay = underlay
  }

  get size(): number {
    return this.#peers.size
  }

  entriesOf(peer: string): PeerEntries {
    return this.#peers.get(peer) ?? NO_ENTRIES
  }

  /** What a peer wants on the link that it is reached over, or on its way to, and whether it is there. */
  rowsOf(peer: string): Iterable<ShownRow> {
    const entries = this.entriesOf(peer)
    return this.#linkOf(entries).shown(rowsOf(entries))
  }

  /** Whether a peer is reached, or about to be, without a tunnel. */
  isDirect(peer: string): boolean {
    return isDirect(this.entriesOf(peer))
  }

  /** Sets, changes or (undefined) gives up what one peer needs. */
  set(peer: string, entries: PeerEntries | undefined): void {
    const before = this.entriesOf(peer)
    if (entries === undefined) this.#endMove(peer)
    if (entries !== undefined && isDirect(before) !== isDirect(entries)) this.#move(peer, before, entries)
    else this.#stay(peer, before, entries ?? NO_ENTRIES)
    if (entries === undefined) this.#peers.delete(peer)
    else this.#peers.set(peer, entries)
  }

  /** The peer needs something else on the link that it is reached over, or on its way to. */
  #stay(peer: string, before: PeerEntries, after: PeerEntries): void {
    const left = this.#leaving.get(peer)
    if (left !== undefined && isDirect(left.entries))
      this.#device.change(peer, gatewayRows(before.onDevice), gatewayRows(after.onDevice))
    this.#linkOf(before).change(peer, rowsOf(before), rowsOf(after))
  }

  #move(peer: string, before: PeerEntries, after: PeerEntries): void {
    const [from, to] = [this.#linkOf(before), this.#linkOf(after)]
    const left = this.#leaving.get(peer)
    const keeps = this.#leave(peer, before, left)
    if (keeps && !isDirect(after)) this.#device.change(peer, NO_ROWS, gatewayRows(after.onDevice))
    if (left === undefined) {
      to.change(peer, NO_ROWS, rowsOf(after))
      return
    }
    if (from === this.#device) from.change(peer, gatewayRows(before.onDevice), NO_ROWS)
    if (!left.isWanted) to.keep(rowsOf(left.entries), false)
    to.change(peer, left.isWanted ? rowsOf(left.entries) : NO_ROWS, rowsOf(after))
    // what is on its way to the other link may have been put in its place by now: it is written again, and the other goes after that
    if (keeps) to.replacedElsewhere(rowsOf(after).routes)
  }

  /**
   * Leaves the link that the peer was reached over, or was on its way to. What stands there altogether is still looked after; of anything
   * else, what may stand is kept.
   * @returns whether anything is kept until the peer has arrived
   */
  #leave(peer: string, before: PeerEntries, left: Left | undefined): boolean {
    const [link, rows] = [this.#linkOf(before), rowsOf(before)]
    const isWanted = left === undefined && this.#stands(before)
    const keeps = isWanted || left?.isWanted === false || link.mayStand(rows)
    if (!isWanted) link.change(peer, rows, NO_ROWS)
    if (!isWanted && keeps) link.keep(rows, true)
    if (keeps) this.#leaving.set(peer, { entries: before, isWanted })
    else this.#leaving.delete(peer)
    return keeps
  }

  #linkOf(entries: PeerEntries): Tables {
    return isDirect(entries) ? this.#underlay : this.#device
  }

  #stands(entries: PeerEntries): boolean {
    const rows = rowsOf(entries)
    return rows.routes.length > 0 && this.#linkOf(entries).isSettled(rows)
  }

  /** Gives up what the peer had on the link that it has left. */
  #endMove(peer: string): void {
    const left = this.#leaving.get(peer)
    if (left === undefined) return
    this.#leaving.delete(peer)
    const [link, rows] = [this.#linkOf(left.entries), rowsOf(left.entries)]
    if (left.isWanted) link.change(peer, rows, NO_ROWS)
    else link.keep(rows, false)
    if (isDirect(left.entries)) this.#device.change(peer, gatewayRows(this.entriesOf(peer).onDevice), NO_ROWS)
  }

  /**
   * Lets go what peers have left that have arrived. The kernel has put the new routes in place of those of the same destination and
   * metric, whatever their link.
   */
  endMoves(): void {
    for (const [peer, left] of this.#leaving) {
      const now = this.entriesOf(peer)
      if (!this.#linkOf(now).isSettled(rowsOf(now))) continue
      this.#endMove(peer)
      this.#linkOf(left.entries).replacedElsewhere(rowsOf(left.entries).routes)
    }
  }
}
