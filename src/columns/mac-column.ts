import { macFromParts, macHigh, macLow, type Mac } from '../net/mac.ts'
import { halves, mixed, withRoom, words } from './grow.ts'
import type { KeyColumn } from './numbering.ts'

/** Ethernet addresses by number: six octets each. */
export class MacColumn implements KeyColumn<Mac> {
  #high = halves(0)
  #low = words(0)

  set(at: number, mac: Mac): void {
    this.#high = withRoom(this.#high, at, halves)
    this.#low = withRoom(this.#low, at, words)
    this.#high[at] = macHigh(mac)
    this.#low[at] = macLow(mac)
  }

  get(at: number): Mac {
    return macFromParts(this.#high[at] ?? 0, this.#low[at] ?? 0)
  }

  isAt(at: number, mac: Mac): boolean {
    return this.#low[at] === macLow(mac) && this.#high[at] === macHigh(mac)
  }

  hash(mac: Mac): number {
    return mixed(macLow(mac) + mixed(macHigh(mac)))
  }

  hashAt(at: number): number {
    return mixed((this.#low[at] ?? 0) + mixed(this.#high[at] ?? 0))
  }
}
