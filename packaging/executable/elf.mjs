// What an executable needs beside its own segments to become ours: two more of them, without any tool. ELF-64, little-endian (elf(5)).
//
// The program header table moves to the end of the file, as two more entries do not fit where it is. The kernel finds it by the file's
// header, but tells the program where it is in memory by adding its place in the file to where the file begins in memory (before 5.18;
// AT_PHDR, getauxval(3)). So every new segment lies as far behind the first one in memory as in the file.

const TYPE = { load: 1, note: 4, table: 6 }
const FLAGS = { execute: 1, read: 4 }
const MACHINES = { 62: 'x64', 183: 'arm64' }
const [HEADER_SIZE, ENTRY_SIZE] = [64, 56]
/** The largest page of any Linux on x86-64 or arm64. */
const PAGE = 0x1_0000

const roundUp = (value, to) => Math.ceil(value / to) * to

function readEntry(bytes, at) {
  const number = (offset) => Number(bytes.readBigUInt64LE(at + offset))
  return {
    type: bytes.readUInt32LE(at),
    flags: bytes.readUInt32LE(at + 4),
    offset: number(8),
    address: number(16),
    fileSize: number(32),
    memorySize: number(40),
    align: number(48),
  }
}

function writeEntry(bytes, at, { type, flags, offset, address, fileSize, memorySize = fileSize, align }) {
  bytes.writeUInt32LE(type, at)
  bytes.writeUInt32LE(flags, at + 4)
  for (const [index, value] of [offset, address, address, fileSize, memorySize, align].entries())
    bytes.writeBigUInt64LE(BigInt(value), at + 8 + 8 * index)
}

/** A note as ELF has it: sizes, type 0, a name and its bytes, each padded to four. */
function note(name, content) {
  const owner = Buffer.from(`${name}\0`)
  const head = Buffer.alloc(12)
  head.writeUInt32LE(owner.length, 0)
  head.writeUInt32LE(content.length, 4)
  return Buffer.concat([head, padded(owner, 4), padded(content, 4)])
}

const padded = (bytes, to) => Buffer.concat([bytes, Buffer.alloc(roundUp(bytes.length, to) - bytes.length)])

/**
 * Machine (as Node names it), entry point and segments of an executable or shared library.
 * @param path how to call it in the error
 * @throws {Error} for what this module does not understand
 */
export function readElf(bytes, path = 'the file') {
  if (bytes.length < HEADER_SIZE) throw new Error(`${path}: expected an ELF file, found ${bytes.length} bytes`)
  const [magic, wordSize, order] = [bytes.toString('latin1', 0, 4), bytes[4], bytes[5]]
  const machine = MACHINES[bytes.readUInt16LE(18)]
  if (magic !== '\x7fELF' || wordSize !== 2 || order !== 1 || machine === undefined)
    throw new Error(`${path}: expected an ELF file of 64 bits, little-endian, for x86-64 or arm64`)
  const tableAt = Number(bytes.readBigUInt64LE(32))
  const entries = Array.from({ length: bytes.readUInt16LE(56) }, (_, at) => readEntry(bytes, tableAt + at * ENTRY_SIZE))
  return { machine, entry: Number(bytes.readBigUInt64LE(24)), entries, loads: entries.filter(isLoad) }
}

const isLoad = ({ type }) => type === TYPE.load

/**
 * The executable without symbols and section headers, with a note and with code that runs before its own.
 * @param bytes the file
 * @param blob name and bytes of the note
 * @param prelude machine code (prelude.c), with room for three numbers that it has to know; `addon`: what it is handed
 */
export function extendElf(bytes, { blob, prelude, addon }) {
  const { entry, entries, loads } = readElf(bytes)
  const base = loads[0].address - loads[0].offset
  const ownSize = Math.max(...loads.map(({ offset, fileSize }) => offset + fileSize))
  const ownEnd = Math.max(...loads.map(({ address, memorySize }) => address + memorySize)) - base
  const tableAt = roundUp(Math.max(ownSize, ownEnd), PAGE)
  const table = Buffer.alloc((entries.length + 3) * ENTRY_SIZE)
  const noted = note(blob.name, blob.bytes)
  const data = Buffer.concat([padded(table, 16), padded(noted, 16), addon])
  const noteAt = tableAt + roundUp(table.length, 16)
  const codeAt = tableAt + roundUp(data.length, PAGE)
  const segment = (type, flags, offset, fileSize, align) => ({
    ...{ type, flags, offset, address: base + offset, fileSize, align },
  })
  const added = [
    segment(TYPE.load, FLAGS.read, tableAt, data.length, PAGE),
    segment(TYPE.load, FLAGS.read | FLAGS.execute, codeAt, prelude.length, PAGE),
    segment(TYPE.note, FLAGS.read, noteAt, noted.length, 4),
  ]
  const moved = entries.map((each) =>
    each.type === TYPE.table ? segment(TYPE.table, FLAGS.read, tableAt, table.length, 8) : each,
  )
  for (const [at, each] of [...moved, ...added].entries()) writeEntry(data, at * ENTRY_SIZE, each)
  const file = Buffer.alloc(codeAt + prelude.length)
  bytes.copy(file, 0, 0, ownSize)
  data.copy(file, tableAt)
  const addonAt = tableAt + data.length - addon.length
  informed(prelude, codeAt, { entry: entry - base, addonAt, addonSize: addon.length }).copy(file, codeAt)
  writeHeader(file, { entry: base + codeAt, tableAt, count: moved.length + added.length })
  return file
}

/** What stands in struct place of prelude.c before it is written. */
const PLACE = Buffer.from('flanneld' + '\0'.repeat(16))

/** The prelude with the numbers in it (struct place of prelude.c): two distances from there, and a size. */
function informed(prelude, codeAt, { entry, addonAt, addonSize }) {
  const code = Buffer.from(prelude)
  const placeAt = code.indexOf(PLACE)
  if (placeAt < 0 || code.indexOf(PLACE, placeAt + 1) >= 0) throw new Error('expected one place in the prelude')
  const distances = [entry, addonAt].map((offset) => offset - (codeAt + placeAt))
  for (const [at, value] of [...distances, addonSize].entries()) code.writeBigInt64LE(BigInt(value), placeAt + 8 * at)
  return code
}

/** The section headers are gone with what they named: nothing that runs a program looks at them. */
function writeHeader(file, { entry, tableAt, count }) {
  file.writeBigUInt64LE(BigInt(entry), 24)
  file.writeBigUInt64LE(BigInt(tableAt), 32)
  file.writeBigUInt64LE(0n, 40)
  file.writeUInt16LE(HEADER_SIZE, 52)
  file.writeUInt16LE(ENTRY_SIZE, 54)
  file.writeUInt16LE(count, 56)
  file.fill(0, 58, 64)
}
