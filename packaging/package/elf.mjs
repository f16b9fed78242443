import { readElf } from '../executable/elf.mjs'

/** Others' names of the machines that we build for, by Node's. */
const MACHINES = {
  x64: { debian: 'amd64', uname: 'x86_64', oci: 'amd64', node: 'x64' },
  arm64: { debian: 'arm64', uname: 'aarch64', oci: 'arm64', node: 'arm64' },
}

const PT_DYNAMIC = 2
const DT_NEEDED = 1
const DT_STRTAB = 5
const DT_VERNEED = 0x6ffffffe
const DT_VERNEEDNUM = 0x6fffffff

/**
 * What an executable asks of the machine that runs it: its architecture, the libraries it needs and the versions it needs of them.
 * @param bytes an ELF file of 64 bits, little endian (System V ABI; LSB for the versions)
 * @throws {Error} for anything else
 */
export function requirementsOf(bytes, path) {
  const { machine, entries, loads } = readElf(bytes, path)
  const dynamic = readDynamic(bytes, entries)
  const offsetOf = (at) => {
    const segment = loads.find(({ address, fileSize }) => at >= address && at < address + fileSize)
    return segment === undefined ? undefined : at - segment.address + segment.offset
  }
  const strings = offsetOf(dynamic.find(({ tag }) => tag === DT_STRTAB)?.value ?? -1)
  const text = (at) => bytes.toString('latin1', strings + at, bytes.indexOf(0, strings + at))
  const needed = dynamic.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => text(value))
  const first = offsetOf(dynamic.find(({ tag }) => tag === DT_VERNEED)?.value ?? -1)
  const count = dynamic.find(({ tag }) => tag === DT_VERNEEDNUM)?.value ?? 0
  const versions = first === undefined ? [] : readVersions(bytes, first, count, text)
  return {
    machine: MACHINES[machine],
    needed,
    glibc: highest(versions, 'GLIBC_'),
    glibcxx: highest(versions, 'GLIBCXX_'),
  }
}

function readDynamic(bytes, segments) {
  const segment = segments.find(({ type }) => type === PT_DYNAMIC)
  if (segment === undefined) return []
  return Array.from({ length: segment.fileSize / 16 }, (_, index) => {
    const at = segment.offset + index * 16
    return { tag: Number(bytes.readBigInt64LE(at)), value: Number(bytes.readBigUInt64LE(at + 8)) }
  })
}

/** The section of needed versions: one record per library, and behind each a chain of names. */
function readVersions(bytes, first, count, text) {
  const names = []
  for (let at = first, left = count; left > 0; left -= 1) {
    for (let entry = at + bytes.readUInt32LE(at + 8), rest = bytes.readUInt16LE(at + 2); rest > 0; rest -= 1) {
      names.push(text(bytes.readUInt32LE(entry + 8)))
      entry += bytes.readUInt32LE(entry + 12)
    }
    at += bytes.readUInt32LE(at + 12)
  }
  return names
}

/** `2.28` of GLIBC_2.2.5 and GLIBC_2.28; undefined when there is none. */
function highest(names, prefix) {
  const versions = names
    .filter((name) => name.startsWith(prefix) && /^\d/.test(name.slice(prefix.length)))
    .map((name) => name.slice(prefix.length).split('.').map(Number))
  versions.sort((a, b) => a[0] - b[0] || (a[1] ?? 0) - (b[1] ?? 0) || (a[2] ?? 0) - (b[2] ?? 0))
  return versions.at(-1)?.join('.')
}
