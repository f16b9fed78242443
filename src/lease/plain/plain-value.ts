/*
 * The value of nearly all leases: of a node that has IPv4 alone, written just as we and upstream's versions write it, to the last octet. It
 * is read without JSON, kept as a few numbers, and written again when somebody looks. Whatever is written otherwise is left to `codec.ts`.
 */

import { macFromParts } from '../../net/mac.ts'

/** What such a value says. */
export interface PlainValue {
  /** Address in network byte order, as an unsigned number of 32 bits. */
  readonly publicIp: number
  /** Whether it says that there is no `PublicIPv6`; v0.6 did not know of any. */
  readonly saysNoIpv6: boolean
  readonly backendType: string
  /** Undefined: the backend publishes nothing of its node. */
  readonly vtep: PlainVtep | undefined
  /** The members of `Node` as they are written; undefined: it has none. */
  readonly node: string | undefined
}

/** BackendData of vxlan. */
export interface PlainVtep {
  /** Undefined: it says none, as v0.6 did not. */
  readonly vni: number | undefined
  /** The first two octets of the VtepMAC, and the other four. */
  readonly macHigh: number
  readonly macLow: number
}

const HEAD = '{"PublicIP":"'
const NO_IPV6 = ',"PublicIPv6":null'
const TYPE = ',"BackendType":"'
const DATA = ',"BackendData":{'
const VNI = '"VNI":'
const MAC = '"VtepMAC":"'
const NODE = ',"Node":{'

/** The members of Node as we write them, in printable ASCII without anything that JSON escapes. */
const MEMBERS = /^"ID":"([ !#-[\]-~]*)","Hostname":"([ !#-[\]-~]*)"(?:,"Earlier":"[ !#-[\]-~]*")?$/
const TYPE_NAME = /^[a-z][a-z-]{0,30}$/

/** The last value that was read or written: it is mostly asked for again at once. */
let last: { readonly text: string; readonly value: PlainValue | undefined } | undefined

/** Undefined: it is written in another way. */
export function readPlainValue(text: string): PlainValue | undefined {
  if (last?.text !== text) last = { text, value: parsePlainValue(text) }
  return last.value
}

function parsePlainValue(value: string): PlainValue | undefined {
  const text = new Reader(value)
  if (!text.skip(HEAD)) return undefined
  const publicIp = text.ipv4()
  if (publicIp === undefined || !text.skip('"')) return undefined
  const saysNoIpv6 = text.skip(NO_IPV6)
  if (!text.skip(TYPE)) return undefined
  const backendType = text.upToQuote()
  if (backendType === undefined || (backendType !== 'vxlan' && !TYPE_NAME.test(backendType))) return undefined
  const hasVtep = text.skip(DATA)
  const vtep = hasVtep ? readVtep(text) : undefined
  const node = text.skip(NODE) ? text.upTo('}}') : undefined
  if (hasVtep !== (vtep !== undefined) || !text.endsWith('}')) return undefined
  return node !== undefined && !MEMBERS.test(node) ? undefined : { publicIp, saysNoIpv6, backendType, vtep, node }
}

function readVtep(text: Reader): PlainVtep | undefined {
  const saysVni = text.skip(VNI)
  const vni = saysVni ? text.decimal(MOST_VNI) : undefined
  if (saysVni && (vni === undefined || !text.skip(','))) return undefined
  if (!text.skip(MAC)) return undefined
  const macHigh = text.octets(2)
  const macLow = macHigh === undefined || !text.skip(':') ? undefined : text.octets(4)
  return macHigh === undefined || macLow === undefined || !text.skip('"}') ? undefined : { vni, macHigh, macLow }
}

/** 24 bits (RFC 7348 section 5). */
const MOST_VNI = 0xffffff

/** The way back: the very text that was read. */
export function writePlainValue(value: PlainValue): string {
  const text = textOf(value)
  last = { text, value }
  return text
}

function textOf({ publicIp, saysNoIpv6, backendType, vtep, node }: PlainValue): string {
  const head = `${HEAD}${quad(publicIp)}"${saysNoIpv6 ? NO_IPV6 : ''}${TYPE}${backendType}"`
  return `${head}${vtep === undefined ? '' : dataOf(vtep)}${node === undefined ? '' : `${NODE}${node}}`}}`
}

const dataOf = ({ vni, macHigh, macLow }: PlainVtep): string =>
  `${DATA}${vni === undefined ? '' : `${VNI}${vni},`}${MAC}${macFromParts(macHigh, macLow)}"}`

const quad = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`

/** Who wrote it. */
export function plainNode(node: string): { readonly id: string; readonly hostname: string } {
  const [, id = '', hostname = ''] = MEMBERS.exec(node) ?? []
  return { id, hostname }
}

const [ZERO, NINE, SMALL_A, SMALL_F, DOT, COLON] = [0x30, 0x39, 0x61, 0x66, 0x2e, 0x3a]

/** Reads a text from its beginning, in ASCII. What is not there is undefined, and ends the reading. */
export class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Whether these characters come next; they are passed over. */
  skip(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false
    this.#at += expected.length
    return true
  }

  /** Whether these characters come next, and nothing behind them. */
  endsWith(expected: string): boolean {
    return this.#at + expected.length === this.#text.length && this.skip(expected)
  }

  /** A decimal number as it is written without need of a second way: no sign, no leading zeros. */
  decimal(most: number): number | undefined {
    const from = this.#at
    let value = 0
    for (;;) {
      const digit = this.#text.charCodeAt(this.#at) - ZERO
      if (!(digit >= 0 && digit <= 9)) break
      value = value * 10 + digit
      this.#at++
      if (value > most) return undefined
    }
    const digits = this.#at - from
    return digits === 0 || (digits > 1 && this.#text.charCodeAt(from) === ZERO) ? undefined : value
  }

  /** A dotted quad, as an unsigned number. */
  ipv4(): number | undefined {
    let value = 0
    for (let octet = 0; octet < 4; octet++) {
      if (octet > 0 && this.#text.charCodeAt(this.#at++) !== DOT) return undefined
      const part = this.decimal(255)
      if (part === undefined) return undefined
      value = value * 256 + part
    }
    return value
  }

  /** Octets in small hexadecimal digits with colons between them, four at most, as an unsigned number. */
  octets(count: number): number | undefined {
    let value = 0
    for (let octet = 0; octet < count; octet++) {
      if (octet > 0 && this.#text.charCodeAt(this.#at++) !== COLON) return undefined
      const [high, low] = [digitOf(this.#text.charCodeAt(this.#at)), digitOf(this.#text.charCodeAt(this.#at + 1))]
      if (high < 0 || low < 0) return undefined
      this.#at += 2
      value = value * 256 + high * 16 + low
    }
    return value
  }

  /** What stands before the next quotation mark, which is passed over. */
  upToQuote(): string | undefined {
    const end = this.#text.indexOf('"', this.#at)
    return end < 0 ? undefined : this.#pass(end, 1)
  }

  /** What stands before this ending of the text, of which the first character is passed over. */
  upTo(ending: string): string | undefined {
    const end = this.#text.length - ending.length
    return end < this.#at || !this.#text.endsWith(ending) ? undefined : this.#pass(end, 1)
  }

  #pass(end: number, more: number): string {
    const passed = this.#text.slice(this.#at, end)
    this.#at = end + more
    return passed
  }
}

function digitOf(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO
  return code >= SMALL_A && code <= SMALL_F ? code - SMALL_A + 10 : -1
}
