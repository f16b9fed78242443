import type { Backend, OwnSubnet } from '../../backend/backend.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Family } from '../../net/ip.ts'
import type { EchoSocket } from '../../probe/echo-socket.ts'
import type { Way } from '../../probe/asking/peer-book.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { whyNotAsked } from './suspension.ts'

/** What peers of one family are asked over. */
export interface ProbedFamily extends OwnSubnet {
  readonly routesOn: Backend['routesOn']
  /** Of our device, as it is at the moment; undefined: there is none. */
  readonly deviceName: () => string | undefined
}

export interface FamilyWaysInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'conditions' | 'openProbe'>
  readonly own: readonly ProbedFamily[]
  readonly underlay: (family: Family) => Underlay | undefined
}

/** A socket that could not be had is tried for again after this long, in milliseconds. */
const REOPEN_MS = 60_000

/** Knows of each family whether its peers can be asked at present, and how. */
export class FamilyWays {
  readonly #input: FamilyWaysInput
  readonly #sockets = new Map<Family, EchoSocket>()
  readonly #reopenMs = new Map<Family, number>()
  readonly #mtus = new Map<Family, number>()
  readonly #why = new Map<Family, string>()

  constructor(input: FamilyWaysInput) {
    this.#input = input
  }

  /** Of what carries containers' packets, in octets: from then on there is something to ask over. */
  setMtu(family: Family, mtu: number): void {
    this.#mtus.set(family, mtu)
  }

  /** Why the peers of some family are not asked; undefined: all are. */
  get why(): string | undefined {
    return this.#why.size === 0 ? undefined : [...this.#why.values()].join('; ')
  }

  /** How the peers of a family can be asked now; undefined: not at all. */
  look(own: ProbedFamily): Way | undefined {
    const { family } = own.overlay
    const found = this.#find(own)
    if ('why' in found) this.#why.set(family, found.why)
    else this.#why.delete(family)
    return 'why' in found ? undefined : found
  }

  #find({ overlay: { family }, subnet, routesOn, deviceName }: ProbedFamily): Way | { readonly why: string } {
    const { conditions } = this.#input.ports
    if (routesOn === 'nowhere') return { why: 'how peers are reached is not the business of this backend' }
    const why = whyNotAsked(conditions.all(), family, deviceName())
    if (why !== undefined) return { why }
    const [mtu, underlay] = [this.#mtus.get(family), this.#input.underlay(family)]
    if (mtu === undefined || underlay === undefined) return { why: `IPv${family} is not set up yet` }
    const socket = this.#socket(family)
    if (socket === undefined) return { why: `there is no ICMP socket for IPv${family}` }
    const underlayFrom = underlay.address
    return { socket, mtu, underlayFrom, from: routesOn === 'device' ? subnet.base : underlayFrom }
  }

  #socket(family: Family): EchoSocket | undefined {
    const { openProbe, conditions, clock } = this.#input.ports
    const open = this.#sockets.get(family)
    if (open !== undefined || clock.monotonicMs() < (this.#reopenMs.get(family) ?? 0)) return open
    const opened = openProbe(family)
    const what = `probes over IPv${family}`
    if ('why' in opened) {
      this.#reopenMs.set(family, clock.monotonicMs() + REOPEN_MS)
      const says = `peers are not asked whether packets arrive over IPv${family}: ${opened.why}`
      conditions.fails(what, opened.why, 'none', { says, level: 'warn', repeats: false })
      return undefined
    }
    conditions.holds(what)
    this.#sockets.set(family, opened)
    return opened
  }

  /** When another attempt to have a socket is due, on the monotonic clock; Infinity: none is. */
  get nextMs(): number {
    const nowMs = this.#input.ports.clock.monotonicMs()
    const waiting = [...this.#reopenMs].filter(([family, ms]) => !this.#sockets.has(family) && ms > nowMs)
    return Math.min(Number.POSITIVE_INFINITY, ...waiting.map(([, ms]) => ms))
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }
}
