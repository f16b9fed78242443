import {
  listCandidates,
  NoInterfaceError,
  readHost,
  type Underlay,
  type HostAddresses,
  type InterfaceChoice,
  type Wanted,
} from '../../host/underlay/underlay.ts'
import { followInterface, insistedOn, type Whereabouts } from '../../host/underlay/follow-interface.ts'
import { wayToPeers } from '../../host/underlay/way-to-peers.ts'
import type { RouteState } from '../../kernel/kernel.ts'
import { carriesNothing, type Way } from '../../kernel/underlay.ts'
import type { Ip } from '../../net/ip.ts'
import type { AgentPorts } from '../runtime/ports.ts'

/** What peers and their leases have to do with. */
const networkOf = ({ publicIp, address, prefix, gateways }: Underlay): string =>
  [publicIp, address, prefix, ...gateways].map(({ text }) => text).join(' ')

/** Whether our address on the underlay, its network or its gateways have changed. */
export const hasMoved = (before: Underlay, after: Underlay): boolean => networkOf(before) !== networkOf(after)

/** A renewed DHCP lease takes the address away for a moment; what else is on the interface is no address of ours then. */
const RENUMBER_AFTER_MS = 900
/** What has stood beside our address for so long is no new one in its place, but a VIP or the like. A manager adds before it removes. */
const BESIDE_MS = 60_000
/** A driver that is loaded again, a cable that is plugged in again: peers know us by the old address, so we wait for that first. */
const MOVE_AFTER_MS = 10_000
/** Routes are not reported: while the underlay is lost, they are looked at this often. */
const LOST_LOOK_MS = 1_000

type Lost = Extract<Whereabouts, { is: 'lost' }>

export interface UnderlayWatchInput {
  /** The one in use. */
  readonly underlay: Underlay
  readonly choice: InterfaceChoice
  readonly wanted: Wanted
  /** Where peers are, at the moment: asked for only where the interface itself carries nothing. */
  readonly peers: () => Iterable<Ip>
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'conditions' | 'log'>
}

/**
 * Knows the underlay as it is. With --iface, the interface is chosen again at every look. Otherwise the one in use is kept while it has
 * the address in use, wherever default routes lead; when it has lost that for a while, another is chosen. Of several addresses, the one in
 * use is kept either way.
 */
export class UnderlayWatch {
  readonly #choice: InterfaceChoice
  readonly #wanted: Wanted
  readonly #ports: UnderlayWatchInput['ports']
  readonly #peers: UnderlayWatchInput['peers']
  #current: Underlay
  #routes: readonly RouteState[] = []
  #lostSinceMs: number | undefined
  /** Since when which other addresses stand beside ours, on the monotonic clock; undefined before the first look. */
  #besideSinceMs: ReadonlyMap<string, number> | undefined

  constructor({ underlay, choice, wanted, peers, ports }: UnderlayWatchInput) {
    this.#peers = peers
    this.#current = underlay
    this.#choice = choice
    this.#wanted = wanted
    this.#ports = ports
  }

  /** As last seen. */
  get current(): Underlay {
    return this.#current
  }

  /** Main-table routes of the family at the last look, once: there may be one for each peer, and nobody needs them for long. */
  takeRoutes(): readonly RouteState[] {
    const routes = this.#routes
    this.#routes = []
    return routes
  }

  /** How long the next look can wait if nothing is reported, in milliseconds; undefined: for ever. */
  get nextLookInMs(): number | undefined {
    return this.#lostSinceMs === undefined ? undefined : LOST_LOOK_MS
  }

  /** @throws {NoInterfaceError} while there is none; {KernelError} */
  async look(signal: AbortSignal): Promise<Underlay> {
    const host = await readHost(this.#ports.kernel, this.#choice, this.#wanted, signal)
    this.#routes = host.routes.filter(({ destination }) => destination.family === this.#wanted.family)
    const insisted = insistedOn(host, this.#choice, { ...this.#wanted, known: [this.#current.address] })
    const found = insisted === undefined || this.#isLeftOpen(insisted) ? this.#follow(host) : insisted
    const way = carriesNothing(found.link) ? await this.#wayToPeers(host, signal) : undefined
    this.#sayWay(found, way)
    this.#current = { ...found, way }
    this.#reportLink()
    return this.#current
  }

  #wayToPeers(host: HostAddresses, signal: AbortSignal): Promise<Way> {
    return wayToPeers(this.#ports.kernel, host, this.#wanted.family, this.#peers(), signal)
  }

  #sayWay({ link }: Underlay, way: Way | undefined): void {
    const before = this.#current.way
    if (way === undefined || (before !== undefined && describe(before) === describe(way))) return
    const through = describe(way) || 'none yet'
    this.#ports.log.info('the underlay is no card; its MTU is the smallest of those by which packets to peers leave', {
      iface: link.name,
      through,
      mtu: way.mtu,
    })
  }

  /** Whether --iface asks for the card in use, and not for one of its addresses. */
  #isLeftOpen({ link, address }: Underlay): boolean {
    return link.index === this.#current.link.index && !this.#choice.ifaces.includes(address.text)
  }

  #follow(host: HostAddresses): Underlay {
    const found = followInterface(host, this.#choice, this.#current, this.#wanted)
    if (found.is === 'there') {
      this.#noteBeside(host, found.underlay)
      this.#lostSinceMs = undefined
      this.#ports.conditions.holds(nameOf(this.#wanted))
      return found.underlay
    }
    const successor = this.#successor(found)
    if (successor !== undefined) {
      this.#lostSinceMs = undefined
      this.#ports.conditions.drop(nameOf(this.#wanted))
      return successor
    }
    // While the interface is there, so is the device: it stays as it is until packets flow again.
    if (found.link !== undefined) return { ...this.#current, link: found.link }
    throw new NoInterfaceError(
      `${this.#current.link.name}, the underlay, is gone. Candidates: ${listCandidates(host, this.#wanted.family)}`,
    )
  }

  #noteBeside({ addresses }: HostAddresses, { link }: Underlay): void {
    const before = this.#besideSinceMs
    const sinceMs = before === undefined ? -BESIDE_MS : this.#ports.clock.monotonicMs()
    const texts = addresses.flatMap(({ linkIndex, ip }) => (linkIndex === link.index ? [ip.text] : []))
    this.#besideSinceMs = new Map(texts.map((text) => [text, before?.get(text) ?? sinceMs]))
  }

  /** Whether the address has come in the place of ours, rather than stood beside it, or come for a while as a VIP does. */
  #isSuccessor({ address, prefix }: Underlay): boolean {
    const sinceMs = this.#besideSinceMs?.get(address.text) ?? Infinity
    const isNew = this.#ports.clock.monotonicMs() - sinceMs < BESIDE_MS
    return isNew && prefix.length <= this.#current.prefix.length
  }

  /** Whom to take instead, once it has been lost for long enough. */
  #successor({ renumbered, alternative }: Lost): Underlay | undefined {
    const nowMs = this.#ports.clock.monotonicMs()
    this.#lostSinceMs ??= nowMs
    this.#reportLoss()
    const lostMs = nowMs - this.#lostSinceMs
    if (renumbered !== undefined) {
      const afterMs = this.#isSuccessor(renumbered) ? RENUMBER_AFTER_MS : MOVE_AFTER_MS
      return lostMs >= afterMs ? renumbered : undefined
    }
    return lostMs >= MOVE_AFTER_MS ? alternative : undefined
  }

  /** Whatever stands in the tables, nothing is sent over an interface that is down. */
  #reportLink(): void {
    const { name, up, carrier } = this.#current.link
    const what = `IPv${this.#wanted.family} underlay link`
    if (up && carrier) {
      this.#ports.conditions.holds(what)
      return
    }
    const reason = up ? `${name} has no carrier` : `${name} is down`
    this.#ports.conditions.fails(what, reason, 'unready', {
      says: `${reason}: nothing is sent or received over the underlay`,
      level: 'warn',
      saysHolds: `${name}, the underlay, carries packets again`,
      repeats: false,
    })
  }

  /** For a moment only: packets with a source address that the host does not have are not sent. */
  #reportLoss(): void {
    const { address, link } = this.#current
    const what = `address ${address.text} of ${link.name}`
    this.#ports.conditions.fails(nameOf(this.#wanted), `${what} is gone`, 'unready', {
      toleratedMs: MOVE_AFTER_MS,
      level: 'warn',
      says: `${what} is gone from the underlay; waiting for its return`,
      saysHolds: `${what} is back on the underlay`,
      subject: 'gone', // whichever address it is
      repeats: false,
      atOnce: 1,
    })
  }
}

/** `eth0 (1500), eth1 (9000)` */
const describe = ({ links }: Way): string => links.map(({ name, mtu }) => `${name} (${mtu})`).join(', ')

const nameOf = ({ family }: Wanted): string => `IPv${family} underlay address`
