/** Writes the few requests that are not left to etcd3: fields that say nothing (0, false, no octets) are left out, as proto3 has it. */
export class WireWriter {
  readonly #pieces: Buffer[] = []

  octets(field: number, value: Uint8Array | undefined): this {
    if (value === undefined || value.length === 0) return this
    this.#pieces.push(varint(BigInt(field << 3) | 2n), varint(BigInt(value.length)), Buffer.from(value))
    return this
  }

  int64(field: number, value: bigint | undefined): this {
    if (value === undefined || value === 0n) return this
    this.#pieces.push(varint(BigInt(field << 3)), varint(BigInt.asUintN(64, value)))
    return this
  }

  boolean(field: number, value: boolean | undefined): this {
    return this.int64(field, value === true ? 1n : 0n)
  }

  finish(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}

function varint(value: bigint): Buffer {
  const octets: number[] = []
  let left = value
  for (; left > 0x7fn; left >>= 7n) octets.push(Number(left & 0x7fn) | 0x80)
  return Buffer.from([...octets, Number(left)])
}
