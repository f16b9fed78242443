import { prefixOf, type Prefix } from '../net/prefix.ts'
import { mixed, octets, withRoom } from './grow.ts'
import { IpColumn } from './ip-column.ts'
import type { KeyColumn } from './numbering.ts'

/** Networks by number: six octets each, eighteen as soon as one of them is IPv6. */
export class PrefixColumn implements KeyColumn<Prefix> {
  readonly #bases = new IpColumn()
  #lengths = octets(0)

  set(at: number, { base, length }: Prefix): void {
    this.#lengths = withRoom(this.#lengths, at, octets)
    this.#bases.set(at, base)
    this.#lengths[at] = length
  }

  /** @throws {RangeError} when there is none */
  at(at: number): Prefix {
    return prefixOf(this.#bases.at(at), this.#lengths[at] ?? 0)
  }

  isAt(at: number, { base, length }: Prefix): boolean {
    return this.#lengths[at] === length && this.#bases.isAt(at, base)
  }

  hash({ base, length }: Prefix): number {
    return mixed(this.#bases.hash(base) + length)
  }

  hashAt(at: number): number {
    return mixed(this.#bases.hashAt(at) + (this.#lengths[at] ?? 0))
  }
}
