import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readElf } from '../../../packaging/executable/elf.mjs'
import { preludeFor } from '../../../packaging/executable/prelude.mjs'

const ROOT = join(import.meta.dirname, '../../..')
const EXECUTABLE = join(ROOT, 'dist/flanneld')
const PAGE = 0x1_0000
const MIB = 1024 * 1024

describe('the prelude', () => {
  it.each(['x64', 'arm64'])('recorded for %s is of the source beside it', (arch) => {
    expect(preludeFor(arch).length).toBeGreaterThan(0)
  })
})

describe('the executable as a file', () => {
  const bytes = readFileSync(EXECUTABLE)
  const { machine, entry, entries, loads } = readElf(bytes)

  it('is for this architecture, and no larger than 130 MB', () => {
    expect(machine).toBe(process.arch)
    expect(bytes.length).toBeLessThan(130e6)
  })

  it('has segments in order that do not overlap, each as far into its page in the file as in memory', () => {
    for (const [at, load] of loads.entries()) {
      const before = loads[at - 1]
      if (before !== undefined) expect(load.address).toBeGreaterThanOrEqual(before.address + before.memorySize)
      expect(load.address % load.align).toBe(load.offset % load.align)
      expect(load.offset + load.fileSize).toBeLessThanOrEqual(bytes.length)
    }
  })

  it('has its program headers where old kernels tell programs that they are, in a segment of their own', () => {
    const [first] = loads
    const table = entries.find(({ type }) => type === 6)
    const tableAt = Number(bytes.readBigUInt64LE(32))
    const holder = loads.find((load) => load.offset <= tableAt && tableAt < load.offset + load.fileSize)
    expect(table).toMatchObject({ offset: tableAt, fileSize: 56 * entries.length })
    expect(holder?.address).toBe((first?.address ?? 0) - (first?.offset ?? 0) + (holder?.offset ?? 0))
    expect(holder?.align).toBe(PAGE)
  })

  it('has no segment that can be written to and executed', () => {
    for (const { flags } of loads) expect(flags & 0b011).not.toBe(0b011)
  })

  it('begins in the prelude', () => {
    const code = loads.find(({ address, memorySize }) => address <= entry && entry < address + memorySize)
    expect(code?.memorySize).toBe(preludeFor(process.arch).length)
  })

  it('is understood by other people’s tools', () => {
    expect(execFileSync('readelf', ['-lW', EXECUTABLE], { encoding: 'utf8' })).toMatch(/Requesting program interpreter/)
  })
})

describe('building', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'build-'))
  })
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
  const build = (...args: readonly string[]): unknown =>
    execFileSync(process.execPath, [join(ROOT, 'packaging/build.mjs'), ...args], { cwd: folder, stdio: 'pipe' })

  it('makes the same bytes again, in another folder too', () => {
    const folders = ['one', 'two'].map((name) => join(folder, name))
    for (const each of folders) build('src/main.ts', each)
    const hashes = folders.map((each) =>
      ['flanneld', 'flanneld.cjs', 'netlink.node', 'page.html', 'THIRD-PARTY-LICENSES.txt'].map((name) =>
        hashOf(join(each, name)),
      ),
    )
    expect(hashes[1]).toEqual(hashes[0])
  })

  it('makes an executable that does nothing, to measure ours against', () => {
    const empty = join(folder, 'empty')
    build('--empty', empty)
    expect(execFileSync(empty, { encoding: 'utf8' })).toBe('')
    expect(readFileSync(EXECUTABLE).length - readFileSync(empty).length).toBeLessThan(14 * MIB)
  })

  it('tells for which architecture there is no addon', () => {
    expect(existsSync(join(ROOT, 'src/native/prebuilds/linux-riscv64'))).toBe(false)
    expect(() => build('--arch', 'riscv64')).toThrow(/riscv64/)
  })
})
