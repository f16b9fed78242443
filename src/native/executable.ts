import { closeSync, readdirSync, readlinkSync } from 'node:fs'
import { loadCopy, loadFile, type LoadedAddon } from './private-copy.ts'

/** How the kernel shows the file that packaging/executable/prelude.c makes (memfd_create(2)). */
const MEMORY_FILE = '/memfd:flanneld-netlink (deleted)'
const OWN_FILES = '/proc/self/fd'

/** Name of the addon among what is inside the executable. */
const ASSET = 'netlink.node'

/**
 * How the addon is had in the single executable, where it is no file: out of a memory file, which needs no place to write to; where the
 * kernel refused that one, out of a file that exists for a moment.
 * @returns what the addon exports, and where it came from; undefined outside the executable
 * @throws {Error} saying why it cannot be had
 */
export function addonInside(): LoadedAddon | undefined {
  const sea = process.getBuiltinModule('node:sea')
  if (!sea.isSea()) return undefined
  const descriptor = memoryFile()
  if (descriptor !== undefined) {
    const path = `${OWN_FILES}/${descriptor}`
    try {
      return { loaded: loadFile(path), path: MEMORY_FILE }
    } finally {
      closeSync(descriptor)
    }
  }
  return loadWithoutMemoryFile(new Uint8Array(sea.getAsset(ASSET)))
}

function loadWithoutMemoryFile(bytes: Uint8Array): LoadedAddon {
  try {
    return loadCopy(bytes)
  } catch (error) {
    throw new Error(`the kernel gives no memory file, and ${error instanceof Error ? error.message : String(error)}`)
  }
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
