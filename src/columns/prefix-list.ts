import type { Prefix } from '../net/prefix.ts'
import { PrefixColumn } from './prefix-column.ts'

/** Networks in a row, as numbers: each is an object only while somebody looks at it. */
export class PrefixList implements Iterable<Prefix> {
  readonly #column = new PrefixColumn()
  #length = 0

  push(prefix: Prefix): void {
    this.#column.set(this.#length++, prefix)
  }

  *[Symbol.iterator](): Generator<Prefix> {
    for (let at = 0; at < this.#length; at++) yield this.#column.at(at)
  }
}
