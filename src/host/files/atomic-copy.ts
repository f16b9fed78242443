import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, lstat, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makeDirectory } from './atomic-file.ts'
import { NoRegularFileError } from './regular-file.ts'

/** Octets that are compared at a time. */
const PIECE = 1024 * 1024
const DIRECTORY_MODE = 0o755

/**
 * Puts a copy of a file at `target`, so that whoever opens or runs that finds the former one or the whole new one, and whoever runs the former
 * one keeps it (open(2), ETXTBSY). A link at `target` is replaced and never followed: where it leads to may be another file in this mount
 * namespace than on the host. Missing directories are made. Nothing is written where the same octets stand already, with the same mode.
 * @returns whether it was written
 * @throws the file system's own error; {NoRegularFileError} for what must not be replaced; nothing is left behind then
 */
export async function copyFileAtomically(source: string, target: string, mode: number): Promise<boolean> {
  if (await isSame(source, target, mode)) return false
  await makeDirectory(dirname(target), DIRECTORY_MODE)
  const aside = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`)
  try {
    await copyFile(source, aside, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    const file = await open(aside, 'r+')
    try {
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, target)
    return true
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined) // what went wrong first is what matters
    throw error
  }
}

const PERMISSIONS = 0o7777

async function isSame(source: string, target: string, mode: number): Promise<boolean> {
  const found = await lstat(target).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined || found.isSymbolicLink()) return false
  if (found.isDirectory()) throw new NoRegularFileError(target, 'a directory')
  if (!found.isFile()) throw new NoRegularFileError(target, 'no regular file')
  return (found.mode & PERMISSIONS) === mode && (await haveSameOctets(source, target))
}

async function haveSameOctets(one: string, other: string): Promise<boolean> {
  const files = await openAll([one, other])
  try {
    const sizes = await Promise.all(files.map(async (file) => (await file.stat()).size))
    const [size = 0] = sizes
    if (sizes.some((each) => each !== size)) return false
    for (let at = 0; at < size; at += PIECE) {
      const [a, b] = await Promise.all(files.map((file) => pieceOf(file, at)))
      if (a === undefined || b === undefined || !a.equals(b)) return false
    }
    return true
  } finally {
    for (const file of files) await file.close()
  }
}

async function openAll(paths: readonly string[]): Promise<readonly FileHandle[]> {
  const files: FileHandle[] = []
  try {
    for (const path of paths) files.push(await open(path, constants.O_RDONLY | constants.O_NONBLOCK))
    return files
  } catch (error) {
    for (const file of files) await file.close()
    throw error
  }
}

async function pieceOf(file: FileHandle, at: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE), 0, PIECE, at)
  return buffer.subarray(0, bytesRead)
}
