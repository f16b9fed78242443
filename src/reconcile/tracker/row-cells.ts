import { octets, withRoom } from '../../columns/grow.ts'
import { IpColumn } from '../../columns/ip-column.ts'
import { MacColumn } from '../../columns/mac-column.ts'
import { Numbering } from '../../columns/numbering.ts'
import type { Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { Cells } from './cells.ts'
import type { FdbEntry, NeighbourEntry, RouteAlteration, RouteEntry } from './rows.ts'
import { RouteKeys, type RouteKey } from './route-keys.ts'

/*
 * The rows of the three kernel tables in columns, some twenty octets each: there are tens of thousands, of which hardly any is ever looked
 * at. A row is an object only while somebody holds it. DeltaTracker keeps what it knows of them here.
 */

export type NeighbourKey = Pick<NeighbourEntry, 'ip'>
export type FdbKey = Pick<FdbEntry, 'mac'>
export type { RouteKey } from './route-keys.ts'

export class NeighbourCells implements Cells<NeighbourKey, NeighbourEntry> {
  readonly #ips = new IpColumn()
  readonly #macs = new MacColumn()
  readonly #numbers = new Numbering<Ip>(this.#ips)

  get end(): number {
    return this.#numbers.end
  }

  find({ ip }: NeighbourKey): number {
    return this.#numbers.find(ip)
  }

  add({ ip }: NeighbourKey): number {
    return this.#numbers.add(ip)
  }

  remove(cell: number): void {
    this.#numbers.remove(cell)
  }

  key(cell: number): NeighbourKey {
    return { ip: this.#ips.at(cell) }
  }

  read(cell: number): NeighbourEntry {
    return { ip: this.#ips.at(cell), mac: this.#macs.get(cell) }
  }

  write(cell: number, { mac }: NeighbourEntry): void {
    this.#macs.set(cell, mac)
  }

  isSame(cell: number, { mac }: NeighbourEntry): boolean {
    return this.#macs.isAt(cell, mac)
  }
}

export class FdbCells implements Cells<FdbKey, FdbEntry> {
  readonly #macs = new MacColumn()
  readonly #remotes = new IpColumn()
  readonly #numbers = new Numbering<Mac>(this.#macs)
  #astray = octets(0)

  get end(): number {
    return this.#numbers.end
  }

  find({ mac }: FdbKey): number {
    return this.#numbers.find(mac)
  }

  add({ mac }: FdbKey): number {
    return this.#numbers.add(mac)
  }

  remove(cell: number): void {
    this.#numbers.remove(cell)
  }

  key(cell: number): FdbKey {
    return { mac: this.#macs.get(cell) }
  }

  read(cell: number): FdbEntry {
    const row = { mac: this.#macs.get(cell), remote: this.#remotes.at(cell) }
    return this.#astray[cell] === 1 ? { ...row, astray: true } : row
  }

  write(cell: number, { remote, astray }: FdbEntry): void {
    this.#remotes.set(cell, remote)
    this.#astray = withRoom(this.#astray, cell, octets)
    this.#astray[cell] = astray === undefined ? 0 : 1
  }

  isSame(cell: number, { remote, astray }: FdbEntry): boolean {
    return this.#remotes.isAt(cell, remote) && (this.#astray[cell] === 1) === (astray !== undefined)
  }
}

const ONLINK = 1
const ALTERED = 2

const flagsOf = ({ onlink, alterations }: RouteEntry): number =>
  (onlink ? ONLINK : 0) | (alterations === undefined ? 0 : ALTERED)

export class RouteCells implements Cells<RouteKey, RouteEntry> {
  readonly #keys = new RouteKeys()
  readonly #numbers = new Numbering<RouteKey>(this.#keys)
  #flags = octets(0)
  /** Of the few that somebody has altered. */
  readonly #alterations = new Map<number, readonly RouteAlteration[]>()

  get end(): number {
    return this.#numbers.end
  }

  find(key: RouteKey): number {
    return this.#numbers.find(key)
  }

  add(key: RouteKey): number {
    return this.#numbers.add(key)
  }

  remove(cell: number): void {
    this.#alterations.delete(cell)
    this.#numbers.remove(cell)
  }

  key(cell: number): RouteKey {
    return this.#keys.at(cell)
  }

  read(cell: number): RouteEntry {
    const row = { ...this.#keys.at(cell), onlink: ((this.#flags[cell] ?? 0) & ONLINK) !== 0 }
    const alterations = this.#alterations.get(cell)
    return alterations === undefined ? row : { ...row, alterations }
  }

  write(cell: number, row: RouteEntry): void {
    this.#flags = withRoom(this.#flags, cell, octets)
    this.#flags[cell] = flagsOf(row)
    if (row.alterations === undefined) this.#alterations.delete(cell)
    else this.#alterations.set(cell, row.alterations)
  }

  isSame(cell: number, row: RouteEntry): boolean {
    return this.#flags[cell] === flagsOf(row)
  }
}
