import { atOnce } from '../../../src/time/slices.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { EchoSocket } from '../../../src/probe/echo-socket.ts'
import { Prober } from '../../../src/probe/asking/prober.ts'
import type { ReachChange } from '../../../src/probe/reach.ts'
import type { Reach } from '../../../src/probe/reach.ts'
import { FakeIcmp } from '../../fake/fake-icmp.ts'

export const MTU = 1450
export const OWN = ip('10.1.0.0')

/** A prober whose clock stands in the hand of the test, among peers of a made-up network. */
export class ProbeWorld {
  nowMs = 1_000_000
  readonly icmp: FakeIcmp
  readonly prober: Prober
  readonly changes: ReachChange[] = []
  readonly #socket: EchoSocket
  /** Turns that were taken. */
  turns = 0
  #nextMs = 0

  constructor(random: () => number = () => 0.5) {
    const clock = { monotonicMs: () => this.nowMs, sleep: () => Promise.resolve() }
    this.icmp = new FakeIcmp(clock)
    let drawn = 0
    this.prober = new Prober({
      clock,
      random,
      entropy: (octets) => Uint8Array.from({ length: octets }, () => (drawn++ * 37) & 0xff),
      onChanges: (changes) => void this.changes.push(...changes),
    })
    const socket = this.icmp.open(4)
    if ('why' in socket) throw new Error(socket.why)
    this.#socket = socket
    this.begin()
  }

  begin(mtu = MTU): void {
    atOnce(this.prober.settingWay(4, { socket: this.#socket, from: OWN, underlayFrom: ip('192.168.0.1'), mtu }))
    this.#nextMs = this.nowMs
  }

  /** Peer number `n`, from 1: 10.1.n.0 at 192.168.0.n. */
  join(n: number, publicIp = publicIpOf(n)): void {
    const peer = { publicIp: ip(publicIp), subnet: prefix(`${addressOf(n)}/24`), node: `node-${n}` }
    this.prober.setPeer({ key: keyOf(n), family: 4, address: ip(addressOf(n)), peer })
    this.#nextMs = this.nowMs
  }

  leave(n: number): void {
    this.prober.removePeer(keyOf(n), 4)
  }

  reach(n: number): Reach | undefined {
    return this.prober.book.reach(keyOf(n), 4)?.reach
  }

  /** Has turns whenever they are asked for, for so long. */
  pass(ms: number, isOver: () => boolean = () => false): void {
    const endMs = this.nowMs + ms
    while (!isOver()) {
      if (this.#nextMs > endMs) break
      this.nowMs = Math.max(this.nowMs, this.#nextMs)
      this.turns++
      this.#nextMs = this.nowMs + this.prober.turn()
    }
    if (!isOver()) this.nowMs = endMs
  }

  /** How long it takes until it is so, in milliseconds. @throws when it is not within a time */
  until(what: string, isSo: () => boolean, withinMs = 60_000): number {
    const beganMs = this.nowMs
    this.pass(withinMs, isSo)
    if (!isSo()) throw new Error(`not ${what} within ${withinMs} ms`)
    return this.nowMs - beganMs
  }

  /** The turn that somebody has asked for is due at once. */
  wake(): void {
    this.#nextMs = this.nowMs
  }
}

export const addressOf = (n: number): string => `10.${1 + (n >> 8)}.${n & 255}.0`
export const publicIpOf = (n: number): string => `192.168.${n >> 8}.${n & 255}`
export const keyOf = (n: number): string => `10.${1 + (n >> 8)}.${n & 255}.0-24`
