import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** __O_TMPFILE (asm-generic/fcntl.h): with O_DIRECTORY, a file without a name in that folder, which is gone with its last user. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

const NAME = 'netlink.node'

/** Folders that may be written to and executed from, in the order in which they are tried; the first are systemd's (systemd.exec(5)). */
function folders(environment: NodeJS.ProcessEnv): readonly string[] {
  const given = (environment['RUNTIME_DIRECTORY'] ?? '').split(':').filter((folder) => folder.startsWith('/'))
  return [...given, tmpdir(), '/run', '/dev/shm']
}

/** What an addon exports, and the file that it was loaded from for a moment. */
export interface LoadedAddon {
  readonly loaded: unknown
  readonly path: string
}

/** @throws {Error} in the words of dlopen(3) */
export function loadFile(path: string): unknown {
  const target = { exports: {} }
  process.dlopen(target, path)
  return target.exports
}

/**
 * Loads an addon out of a file of its own, so that it does not matter what becomes of another one. Nothing is left of it.
 * @throws {Error} saying of each folder why it would not do
 */
export function loadCopy(bytes: Uint8Array, environment = process.env): LoadedAddon {
  const failures: string[] = []
  for (const folder of folders(environment))
    for (const load of [fromNameless, fromNamed])
      try {
        return load(folder, bytes)
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
      }
  throw new Error(`no folder will do: ${failures.join('; ')}`)
}

/** The loader takes a path that it has seen before for the same library, and descriptors have the numbers of those before them. */
let copies = 0

function fromNameless(folder: string, bytes: Uint8Array): LoadedAddon {
  const file = openSync(folder, O_TMPFILE | constants.O_RDWR, 0o500)
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    const path = `/proc/self/fd/${'./'.repeat(copies++)}${file}`
    return { loaded: loadFile(path), path }
  } finally {
    closeSync(file)
  }
}

/** Some file systems have no nameless files. */
function fromNamed(parent: string, bytes: Uint8Array): LoadedAddon {
  const folder = mkdtempSync(join(parent, 'flanneld-'))
  try {
    const path = join(folder, NAME)
    writeFileSync(path, bytes, { mode: 0o500 })
    return { loaded: loadFile(path), path }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
