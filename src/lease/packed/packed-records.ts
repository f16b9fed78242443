import { halves, longs, octets, unsignedWords, withRoom } from '../../columns/grow.ts'
import type { PeerRecord, Revision } from '../lease.ts'
import { readPlainValue, writePlainValue, type PlainValue, type PlainVtep } from '../plain/plain-value.ts'
import type { LeaseRecord } from '../store.ts'

/** Longest value of a rejected record to keep, in UTF-16 units. */
const LONGEST_KEPT = 1_024

/** How the value of a slot is kept. Behind the last of these: plain, with a backend's type. */
const [NOTHING, AS_TEXT, AS_DIGEST, PLAIN] = [0, 1, 2, 3]
/** So many types of backends are told apart; there are six. */
const MOST_TYPES = 200

const [HAS_VTEP, HAS_ETCD_LEASE, HAS_VNI, SAYS_NO_IPV6] = [1, 2, 4, 8]

/**
 * Records by slot, each in some thirty octets where its value is plain (plain-value.ts): enough to see whether it is still the same, and to
 * judge it again. Of a longer value that was rejected only a digest is kept, so that nobody can fill our memory with rubbish. The price:
 * that one is not judged again before it is written again.
 */
export class PackedRecords {
  #how = octets(0)
  #marks = octets(0)
  #created = longs(0)
  #modified = longs(0)
  #etcdLease = longs(0)
  #publicIp = unsignedWords(0)
  #vni = unsignedWords(0)
  #macHigh = halves(0)
  #macLow = unsignedWords(0)
  /** Key, and `Node` of a plain value, else the value or its digest. */
  readonly #keys: string[] = []
  readonly #texts: (string | undefined)[] = []
  /** Ids that are no 64 bits in decimal digits; etcd has none. */
  readonly #otherEtcdLeases = new Map<number, string>()
  readonly #types: string[] = []

  /** @param isRejected a rejected record that is too long is not kept */
  set(slot: number, record: PeerRecord & Partial<LeaseRecord>, isRejected: boolean): void {
    const { key, value } = record
    this.#grow(slot)
    this.#keys[slot] = key
    this.#marks[slot] = 0
    this.setRevisions(slot, record)
    const plain = readPlainValue(value)
    const type = plain === undefined ? -1 : this.#typeNumber(plain.backendType)
    if (plain !== undefined && type >= 0) this.#setPlain(slot, plain, type)
    else if (isRejected && value.length > LONGEST_KEPT) this.#setText(slot, AS_DIGEST, digestOf(value))
    else this.#setText(slot, AS_TEXT, value)
  }

  /** It was written again, and says the same. */
  setRevisions(slot: number, record: PeerRecord & Partial<LeaseRecord>): void {
    this.#created[slot] = record.createRevision
    this.#modified[slot] = record.modRevision
    this.#setEtcdLease(slot, record.etcdLeaseId)
  }

  clear(slot: number): void {
    this.#keys[slot] = ''
    this.#setText(slot, NOTHING, undefined)
    this.#otherEtcdLeases.delete(slot)
  }

  key(slot: number): string {
    return this.#keys[slot] ?? ''
  }

  createRevision(slot: number): Revision {
    return this.#created[slot] ?? 0n
  }

  modRevision(slot: number): Revision {
    return this.#modified[slot] ?? 0n
  }

  /** Undefined: it was rejected, and is too long to keep. */
  record(slot: number): PeerRecord | undefined {
    const value = this.#value(slot)
    if (value === undefined) return undefined
    const etcdLeaseId = this.#etcdLeaseId(slot)
    return {
      key: this.key(slot),
      value,
      createRevision: this.createRevision(slot),
      modRevision: this.modRevision(slot),
      ...(etcdLeaseId !== undefined && { etcdLeaseId }),
    }
  }

  /** The value counts as well as the revisions: an etcd that was wiped or restored gives the same revisions to other values. */
  isSame(slot: number, record: PeerRecord): boolean {
    return (
      this.#modified[slot] === record.modRevision &&
      this.#created[slot] === record.createRevision &&
      (this.#how[slot] === AS_DIGEST ? this.#texts[slot] === digestOf(record.value) : this.saysSame(slot, record.value))
    )
  }

  /** Whether that is the value of a slot, which is kept. */
  saysSame(slot: number, value: string): boolean {
    const how = this.#how[slot] ?? NOTHING
    if (how === AS_TEXT) return this.#texts[slot] === value
    const plain = how >= PLAIN ? readPlainValue(value) : undefined
    return plain !== undefined && this.#saysPlain(slot, plain)
  }

  #saysPlain(slot: number, { publicIp, saysNoIpv6, backendType, vtep, node }: PlainValue): boolean {
    return (
      this.#publicIp[slot] === publicIp &&
      this.#texts[slot] === node &&
      this.#has(slot, SAYS_NO_IPV6) === saysNoIpv6 &&
      this.#types[(this.#how[slot] ?? 0) - PLAIN] === backendType &&
      (vtep === undefined ? !this.#has(slot, HAS_VTEP) : this.#has(slot, HAS_VTEP) && this.#saysVtep(slot, vtep))
    )
  }

  #saysVtep(slot: number, { vni, macHigh, macLow }: PlainVtep): boolean {
    return this.#vniOf(slot) === vni && this.#macHigh[slot] === macHigh && this.#macLow[slot] === macLow
  }

  #vniOf(slot: number): number | undefined {
    return this.#has(slot, HAS_VNI) ? this.#vni[slot] : undefined
  }

  #has(slot: number, mark: number): boolean {
    return ((this.#marks[slot] ?? 0) & mark) !== 0
  }

  #mark(slot: number, mark: number): void {
    this.#marks[slot] = (this.#marks[slot] ?? 0) | mark
  }

  #value(slot: number): string | undefined {
    const how = this.#how[slot] ?? NOTHING
    if (how === AS_TEXT) return this.#texts[slot]
    if (how < PLAIN) return undefined
    const vtep = this.#has(slot, HAS_VTEP)
      ? { vni: this.#vniOf(slot), macHigh: this.#macHigh[slot] ?? 0, macLow: this.#macLow[slot] ?? 0 }
      : undefined
    return writePlainValue({
      publicIp: this.#publicIp[slot] ?? 0,
      saysNoIpv6: this.#has(slot, SAYS_NO_IPV6),
      backendType: this.#types[how - PLAIN] ?? '',
      vtep,
      node: this.#texts[slot],
    })
  }

  #setPlain(slot: number, { publicIp, saysNoIpv6, vtep, node }: PlainValue, type: number): void {
    this.#setText(slot, PLAIN + type, node === undefined ? undefined : apart(node))
    this.#publicIp[slot] = publicIp
    if (saysNoIpv6) this.#mark(slot, SAYS_NO_IPV6)
    if (vtep === undefined) return
    this.#mark(slot, vtep.vni === undefined ? HAS_VTEP : HAS_VTEP | HAS_VNI)
    this.#vni[slot] = vtep.vni ?? 0
    this.#macHigh[slot] = vtep.macHigh
    this.#macLow[slot] = vtep.macLow
  }

  #setText(slot: number, how: number, text: string | undefined): void {
    this.#how[slot] = how
    this.#texts[slot] = text
  }

  #typeNumber(type: string): number {
    const known = this.#types.indexOf(type)
    if (known >= 0 || this.#types.length === MOST_TYPES) return known
    return this.#types.push(type) - 1
  }

  #setEtcdLease(slot: number, id: string | undefined): void {
    if (this.#otherEtcdLeases.size > 0) this.#otherEtcdLeases.delete(slot)
    this.#marks[slot] = (this.#marks[slot] ?? 0) & ~HAS_ETCD_LEASE
    if (id === undefined) return
    this.#mark(slot, HAS_ETCD_LEASE)
    if (!DECIMAL.test(id) || (id.length === LARGEST.length && id > LARGEST)) this.#otherEtcdLeases.set(slot, id)
    else this.#etcdLease[slot] = BigInt(id)
  }

  #etcdLeaseId(slot: number): string | undefined {
    if (!this.#has(slot, HAS_ETCD_LEASE)) return undefined
    return this.#otherEtcdLeases.get(slot) ?? String(this.#etcdLease[slot] ?? 0n)
  }

  #grow(slot: number): void {
    if (slot < this.#how.length) return
    this.#how = withRoom(this.#how, slot, octets)
    this.#marks = withRoom(this.#marks, slot, octets)
    this.#created = withRoom(this.#created, slot, longs)
    this.#modified = withRoom(this.#modified, slot, longs)
    this.#etcdLease = withRoom(this.#etcdLease, slot, longs)
    this.#publicIp = withRoom(this.#publicIp, slot, unsignedWords)
    this.#vni = withRoom(this.#vni, slot, unsignedWords)
    this.#macHigh = withRoom(this.#macHigh, slot, halves)
    this.#macLow = withRoom(this.#macLow, slot, unsignedWords)
  }
}

/** A number as it is written in decimal digits, and the largest that is of 64 bits with a sign. */
const [DECIMAL, LARGEST] = [/^(?:0|[1-9]\d{0,18})$/, '9223372036854775807']

/** A text of its own in the place of a part, with which V8 would keep the whole. */
function apart(part: string): string {
  const units: number[] = []
  for (let at = 0; at < part.length; at++) units.push(part.charCodeAt(at))
  return String.fromCharCode(...units)
}

/**
 * Length and 32-bit FNV-1a over UTF-16 units (RFC 9923 has the constants). Not proof against design, and it need not be: who can choose
 * two values with one digest for his own lease, both of them rejected, gains nothing.
 */
function digestOf(text: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return `${text.length}:${hash >>> 0}`
}
