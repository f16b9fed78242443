import type { OverlayNetwork } from '../config/network.ts'
import { seenHost, type SeenHost } from '../host/underlay/other-networks.ts'
import type { DaemonOptions } from '../config/options.ts'
import { chooseAgain } from '../host/underlay/follow-interface.ts'
import {
  describeCandidates,
  NoInterfaceError,
  type HostAddresses,
  type InterfaceChoice,
} from '../host/underlay/underlay.ts'
import type { Underlay } from '../kernel/underlay.ts'
import { sameIp, type Family, type Ip } from '../net/ip.ts'
import { prefixContains } from '../net/prefix.ts'
import type { Loop } from '../time/loop.ts'
import type { AgentPorts } from './runtime/ports.ts'
import { untilItWorks } from './runtime/retry.ts'

/** The interface and its address, by family of the overlay. */
export type Underlays = ReadonlyMap<Family, Underlay>

/** The family that has the say in which interface is used: there is no overlay without it. */
export const LEADER: Family = 4

/** At boot, a VPN or a VIP may be there before DHCP has answered: our address is waited for so long, in milliseconds. */
const AWAIT_MS = 10_000
const LOOK_MS = 1_000
/** Router advertisements come seconds after the link is up: a family that has no address yet is waited for so long, in milliseconds. */
const FAMILIES_WAIT_MS = 5_000

export interface OwnUnderlaysInput {
  readonly choice: InterfaceChoice & Pick<DaemonOptions, 'publicIps'>
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'random' | 'log' | 'conditions'>
}

/** Finds the underlay for what is done before there is a lease, and for the lease itself. */
export class OwnUnderlays {
  readonly #choice: InterfaceChoice
  readonly #ports: OwnUnderlaysInput['ports']
  #underlays: Underlays = new Map()
  /** Families without an underlay at the last look, and why. */
  readonly #absent = new Map<Family, NoInterfaceError>()
  readonly #hosts = new Map<Family, SeenHost>()
  /** What our lease says; empty until that is known. */
  #published: readonly Ip[] = []
  /** As last read: none of their addresses is an underlay. Before the first reading, nothing goes over an underlay but questions. */
  #overlays: readonly OverlayNetwork[] = []

  constructor({ choice, ports }: OwnUnderlaysInput) {
    this.#choice = choice
    this.#ports = ports
  }

  /** As last seen. */
  get current(): Underlays {
    return this.#underlays
  }

  /** The host as it was read last, by family. */
  get hosts(): ReadonlyMap<Family, SeenHost> {
    return this.#hosts
  }

  avoid(overlays: readonly OverlayNetwork[]): void {
    this.#overlays = overlays
  }

  /** Tries until there is one for the leading family, and waits for those of the others for a while. */
  async find(families: readonly Family[], loop: Loop): Promise<Underlays> {
    const before = this.#underlays
    const untilMs = this.#ports.clock.monotonicMs() + FAMILIES_WAIT_MS
    const look = (): Promise<Underlays> => this.look(families, loop.signal)
    for (;;) {
      const underlays = await untilItWorks('underlay', look, this.#ports, loop, { effect: 'unready' })
      const isLate = this.#ports.clock.monotonicMs() >= untilMs
      this.#sayAbsent(isLate ? 'incomplete' : 'unready')
      if (underlays.size === families.length || isLate) {
        this.#sayChosen(before)
        return underlays
      }
      await loop.rest(LOOK_MS)
      loop.signal.throwIfAborted()
    }
  }

  /** What keeps a family from its underlay; it goes on being said while a session runs without it. */
  #sayAbsent(effect: 'unready' | 'incomplete'): void {
    for (const [family, error] of this.#absent)
      this.#ports.conditions.fails(`underlay of IPv${family}`, error, effect, {
        says: `underlay of IPv${family}: ${error.message}; looking for it on, and going on without it after ${FAMILIES_WAIT_MS / 1_000} s`,
        level: 'warn',
        saysHolds: false,
        isOfSession: false,
      })
  }

  #sayChosen(before: Underlays): void {
    const known = new Set([...before.values()].map(({ address }) => address.text))
    for (const { link, address, publicIp } of this.#underlays.values())
      if (!known.has(address.text))
        this.#ports.log.info(
          'underlay chosen',
          { iface: link.name, address: address.text, publicIp: publicIp.text, mtu: link.mtu },
          { kind: 'underlay-chosen' },
        )
  }

  /** A session after the first stays on the interface of the one before. @throws {NoInterfaceError | KernelError} */
  async look(families: readonly Family[], signal: AbortSignal): Promise<Underlays> {
    const underlays = await this.#choose(families, this.#underlays, signal)
    this.#underlays = new Map([...this.#underlays, ...underlays])
    return underlays
  }

  async #choose(families: readonly Family[], before: Underlays, signal: AbortSignal): Promise<Underlays> {
    const underlays = new Map<Family, Underlay>()
    const known = [...this.#published, ...[...before.values()].map(({ address }) => address)]
    for (const family of families) {
      const onRead = (host: HostAddresses): void => void this.#hosts.set(family, seenHost(host, family))
      const wanted = { family, leader: LEADER, known, overlays: this.#overlays, onRead }
      const choice = chooseAgain(this.#ports.kernel, this.#choice, before.get(family), wanted, signal)
      const chosen = await choice.catch((error: unknown) => {
        this.#goWithout(family, error)
      })
      if (chosen === undefined) continue
      underlays.set(family, chosen)
      if (this.#absent.delete(family)) this.#ports.conditions.holds(`underlay of IPv${family}`)
    }
    return underlays
  }

  /** One family's want of an address does not keep the others. @throws for the leading family, and what is no such want */
  #goWithout(family: Family, error: unknown): void {
    if (family === LEADER || !(error instanceof NoInterfaceError)) throw error
    this.#absent.set(family, error)
  }

  /** Whether what our lease says may choose another address than was chosen: flags have left that open. */
  isOpen(families: readonly Family[]): boolean {
    return families.some((family) => !this.#choice.publicIps.has(family))
  }

  /**
   * Chooses again, now that it is known what our lease says: an address of that which this host has is kept. One that it may be given in a
   * moment is waited for.
   * @throws {NoInterfaceError | KernelError}
   */
  async keep(published: ReadonlyMap<Family, Ip>, families: readonly Family[], loop: Loop): Promise<Underlays> {
    const before = this.#underlays
    this.#published = [...published.values()]
    const untilMs = this.#ports.clock.monotonicMs() + AWAIT_MS
    for (;;) {
      const underlays = await this.#choose(families, new Map(), loop.signal)
      const missing = await this.#missing(published, underlays, loop.signal)
      if (missing === undefined || this.#ports.clock.monotonicMs() >= untilMs) {
        this.#underlays = underlays
        this.#sayChosen(before)
        return underlays
      }
      this.#sayMissing(missing)
      await loop.rest(LOOK_MS)
    }
  }

  #sayMissing({ text }: Ip): void {
    this.#ports.conditions.fails('lease', `this host does not have ${text}, which it says, yet`, 'unready', {
      says: `PublicIP ${text} of our lease is no address of this host; waiting ${AWAIT_MS / 1_000} s for it`,
      level: 'warn',
      saysHolds: false,
    })
  }

  /** An address of our lease that this host has not, though nothing has come in its place yet: that would be of its network. */
  async #missing(
    published: ReadonlyMap<Family, Ip>,
    underlays: Underlays,
    signal: AbortSignal,
  ): Promise<Ip | undefined> {
    const addresses = await this.#ports.kernel.addresses(signal)
    const isHere = (one: Ip): boolean => addresses.some(({ ip }) => sameIp(ip, one))
    for (const [family, one] of published) {
      const underlay = underlays.get(family)
      if (underlay === undefined || this.#isAskedFor(underlay)) continue
      if (!isHere(one) && !prefixContains(underlay.prefix, one)) return one
    }
    return undefined
  }

  #isAskedFor({ address }: Underlay): boolean {
    return this.#choice.publicIps.has(address.family) || this.#choice.ifaces.includes(address.text)
  }

  /** The interfaces that could be named with --iface, for an error about an address in use; empty: none is known. */
  async candidates(signal: AbortSignal): Promise<string> {
    const found: string[] = []
    for (const family of this.#underlays.keys())
      found.push(await describeCandidates(this.#ports.kernel, family, signal).catch(() => ''))
    return found.filter((text) => text !== '').join('; ')
  }
}
