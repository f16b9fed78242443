import { ipFromWords, type Family, type Ip } from '../net/ip.ts'
import { mixed, octets, withRoom, words } from './grow.ts'
import type { KeyColumn } from './numbering.ts'

/** The family of what stands there; 0: nothing does. */
const NONE = 0

/** Addresses by number: five octets each, seventeen as soon as one of them is IPv6. */
export class IpColumn implements KeyColumn<Ip> {
  #family = octets(0)
  #first = words(0)
  /** The further three words of each, once there is an IPv6 address. */
  #further = words(0)

  set(at: number, ip: Ip | undefined): void {
    this.#family = withRoom(this.#family, at, octets)
    this.#first = withRoom(this.#first, at, words)
    this.#family[at] = ip?.family ?? NONE
    this.#first[at] = ip?.word0 ?? 0
    if (ip?.family === 6) this.#setFurther(at * 3, ip)
  }

  #setFurther(at: number, { word1, word2, word3 }: Ip): void {
    this.#further = withRoom(this.#further, Math.max(at + 2, this.#family.length * 3 - 1), words)
    this.#further[at] = word1
    this.#further[at + 1] = word2
    this.#further[at + 2] = word3
  }

  get(at: number): Ip | undefined {
    const family = this.#family[at]
    const first = this.#first[at] ?? 0
    if (family === 4) return ipFromWords(4, first)
    return family === 6 ? ipFromWords(6, first, this.#word(at, 0), this.#word(at, 1), this.#word(at, 2)) : undefined
  }

  /** Undefined: there is none. */
  familyAt(at: number): Family | undefined {
    const family = this.#family[at]
    return family === 4 || family === 6 ? family : undefined
  }

  /** @throws {RangeError} when there is none */
  at(at: number): Ip {
    const ip = this.get(at)
    if (ip === undefined) throw new RangeError(`there is no address ${at}`)
    return ip
  }

  isAt(at: number, ip: Ip | undefined): boolean {
    const family = this.#family[at] ?? NONE
    if (family !== (ip?.family ?? NONE)) return false
    if (ip === undefined || this.#first[at] !== ip.word0) return ip === undefined
    return (
      family === 4 ||
      (this.#word(at, 2) === ip.word3 && this.#word(at, 1) === ip.word2 && this.#word(at, 0) === ip.word1)
    )
  }

  hash(ip: Ip | undefined): number {
    return ip === undefined ? 0 : ip.family === 4 ? mixed(ip.word0) : hashOf(ip.word0, ip.word1, ip.word2, ip.word3)
  }

  hashAt(at: number): number {
    const family = this.#family[at] ?? NONE
    if (family === NONE) return 0
    const first = this.#first[at] ?? 0
    return family === 4 ? mixed(first) : hashOf(first, this.#word(at, 0), this.#word(at, 1), this.#word(at, 2))
  }

  #word(at: number, number: number): number {
    return this.#further[at * 3 + number] ?? 0
  }
}

const hashOf = (word0: number, word1: number, word2: number, word3: number): number =>
  mixed(mixed(mixed(mixed(word0) + word1) + word2) + word3)
