// The machine code of prelude.c for each architecture: recorded in this folder, since a build is to work without a compiler.
//
//   node packaging/executable/prelude.mjs [arch]   compile and record; for another architecture than this one with CC=<cross compiler>
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readElf } from './elf.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))
const SOURCE = join(HERE, 'prelude.c')
const FLAGS = [
  ...['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fPIC', '-fno-stack-protector'],
  ...['-fno-asynchronous-unwind-tables', '-nostdlib', '-static'],
  '-Wl,--build-id=none,-Ttext=0,--sort-section=name,-z,noexecstack,-e,_start',
]

const codePath = (arch) => join(HERE, `prelude-${arch}.bin`)
const hashPath = (arch) => join(HERE, `prelude-${arch}.sha256`)

export const preludeHash = () => createHash('sha256').update(readFileSync(SOURCE)).digest('hex')

/** @throws {Error} when none is recorded for that architecture, or one that was made of another source */
export function preludeFor(arch) {
  const recorded = readFileSync(hashPath(arch), 'utf8').trim()
  if (recorded !== preludeHash()) throw new Error(`${codePath(arch)} is not of this prelude.c: run ${process.argv[1]}`)
  return readFileSync(codePath(arch))
}

/** What the linker has put into the one executable segment. */
function compile(cc) {
  const folder = mkdtempSync(join(tmpdir(), 'prelude-'))
  try {
    const output = join(folder, 'prelude')
    const { status } = spawnSync(cc, [...FLAGS, SOURCE, '-o', output], { stdio: 'inherit' })
    if (status !== 0) throw new Error(`${cc} failed`)
    const bytes = readFileSync(output)
    const { machine, loads } = readElf(bytes)
    const code = loads.find(({ flags }) => (flags & 1) !== 0)
    return { machine, code: bytes.subarray(code.offset, code.offset + code.fileSize) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function record(arch = process.arch) {
  const { machine, code } = compile(process.env['CC'] ?? 'cc')
  if (machine !== arch) throw new Error(`the compiler is for ${machine}, not for ${arch}: set CC`)
  writeFileSync(codePath(arch), code)
  writeFileSync(hashPath(arch), `${preludeHash()}\n`)
  console.log(`${codePath(arch)}: ${code.length} bytes`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) record(...process.argv.slice(2))
