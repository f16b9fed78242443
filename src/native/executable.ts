import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How the kernel shows the file that packaging/executable/prelude.c makes (memfd_create(2)). */
const MEMORY_FILE = '/memfd:flanneld-netlink (deleted)'
const OWN_FILES = '/proc/self/fd'

/** Name of the addon among what is inside the executable. */
const ASSET = 'netlink.node'

interface Loaded {
  readonly loaded: unknown
  readonly path: string
}

/**
 * How the addon is had in the single executable, where it is no file: out of a memory file, which needs no place to write to; where the
 * kernel refused that one, out of a file that exists for a moment.
 * @returns what the addon exports, and where it came from; undefined outside the executable
 * @throws {Error} saying why it cannot be had
 */
export function addonInside(): Loaded | undefined {
  const sea = process.getBuiltinModule('node:sea')
  if (!sea.isSea()) return undefined
  const descriptor = memoryFile()
  if (descriptor !== undefined) {
    const path = `${OWN_FILES}/${descriptor}`
    try {
      return { loaded: load(path), path: MEMORY_FILE }
    } finally {
      closeSync(descriptor)
    }
  }
  return fromFile(new Uint8Array(sea.getAsset(ASSET)))
}

function load(path: string): unknown {
  const target = { exports: {} }
  process.dlopen(target, path)
  return target.exports
}

function memoryFile(): number | undefined {
  const isOurs = (name: string): boolean => {
    try {
      return readlinkSync(`${OWN_FILES}/${name}`) === MEMORY_FILE
    } catch {
      return false // the descriptor that the folder was read through
    }
  }
  const found = readdirSync(OWN_FILES).find(isOurs)
  return found === undefined ? undefined : Number(found)
}

/** Folders that may be written to and executed from, in the order in which they are tried; the first is systemd's RuntimeDirectory. */
const folders = (): readonly string[] =>
  [process.env['RUNTIME_DIRECTORY'], tmpdir(), '/run', '/dev/shm'].filter((folder) => folder !== undefined)

function fromFile(bytes: Uint8Array): Loaded {
  const failures: string[] = []
  for (const folder of folders()) {
    try {
      return loadFromFile(folder, bytes)
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(`the kernel gives no memory file, and no folder will do: ${failures.join('; ')}`)
}

/** What is loaded stays when its file goes. */
function loadFromFile(parent: string, bytes: Uint8Array): Loaded {
  const folder = mkdtempSync(join(parent, 'flanneld-'))
  try {
    const path = join(folder, ASSET)
    writeFileSync(path, bytes, { mode: 0o500 })
    return { loaded: load(path), path }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
