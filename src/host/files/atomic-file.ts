import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, truncate } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { followLinks } from './links.ts'
import { isMountPoint } from './mounts.ts'
import { NoRegularFileError, obstacleAt } from './regular-file.ts'

/** Permissions of a file, and of its directory when that has to be made. */
export interface FileModes {
  readonly file: number
  readonly directory: number
}

const PUBLIC: FileModes = { file: 0o644, directory: 0o755 }

/** How often a file is written aside when somebody has removed it there, taking it for a leftover. */
const ATTEMPTS = 3

/**
 * Puts `text` at `path` so that a reader sees either the old file or the whole new one, also after a power cut: written aside,
 * flushed, renamed. Missing directories are made. Links are followed that are root's or ours. A file that is itself a mount
 * cannot be replaced, and is written in place.
 * @throws the file system's own error, {NoRegularFileError} for what must not be replaced, {ForeignLinkError}; nothing is left behind then
 */
export async function writeFileAtomically(path: string, text: string, modes: FileModes = PUBLIC): Promise<void> {
  const target = await followLinks(path)
  const obstacle = await obstacleAt(target)
  if (obstacle !== undefined) throw new NoRegularFileError(path, obstacle)
  await makeDirectory(dirname(target), modes.directory)
  for (let attempt = 1; ; attempt++)
    try {
      await replaceFile(target, text, modes)
      return
    } catch (error) {
      if (await isMountPoint(target)) {
        await writeInPlace(target, text)
        return
      }
      if (!(error instanceof Error) || codeOf(error) !== 'ENOENT' || attempt === ATTEMPTS) throw error
    }
}

async function replaceFile(target: string, text: string, modes: FileModes): Promise<void> {
  const aside = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`)
  try {
    const file = await open(aside, 'wx', modes.file)
    try {
      await file.chmod(modes.file)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, target)
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined) // what went wrong first is what matters
    throw error
  }
}

/** What is shorter than before is cut after it is written: at no moment is there nothing. */
async function writeInPlace(target: string, text: string): Promise<void> {
  const file = await open(target, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const bytes = Buffer.from(text)
    await file.write(bytes, 0, bytes.length, 0)
    await file.truncate(bytes.length)
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * As `mkdir -p`. Node's own `recursive` calls a read-only file system "no such file or directory", and tries for ever where the kernel
 * says that below a directory that stands, as in /proc.
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const parent = dirname(path)
  let failure = await failureToMake(path, mode)
  if (failure !== undefined && codeOf(failure) === 'ENOENT' && parent !== path) {
    await makeDirectory(parent, mode)
    failure = await failureToMake(path, mode)
  }
  if (failure !== undefined) throw failure
}

/** Undefined when it is made, or something of that name stands there. */
async function failureToMake(path: string, mode: number): Promise<Error | undefined> {
  try {
    await mkdir(path, { mode })
    return undefined
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return codeOf(error) === 'EEXIST' ? undefined : error
  }
}

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined)

/** Length of a UUID in text (RFC 9562 §4). */
const UUID_LENGTH = 36

/** Paths of what {@link writeFileAtomically} left beside it when it was killed; none where the directory cannot be read. */
export async function findTemporaryFiles(named: string): Promise<readonly string[]> {
  const path = await followLinks(named).catch(() => named)
  const [start, end] = [`.${basename(path)}.`, '.tmp']
  const isTemporary = (name: string): boolean =>
    name.startsWith(start) && name.endsWith(end) && name.length === start.length + UUID_LENGTH + end.length
  const names = await readdir(dirname(path)).catch(() => [])
  return names.filter(isTemporary).map((name) => join(dirname(path), name))
}

/** Removes what {@link findTemporaryFiles} finds. Whatever cannot be removed stays. */
export async function removeTemporaryFiles(path: string): Promise<void> {
  for (const file of await findTemporaryFiles(path)) await removeFile(file).catch(() => undefined)
}

/** A file is written aside in milliseconds; after this long its writer has been killed. In milliseconds. */
const ABANDONED_MS = 30_000
const WRITTEN_ASIDE = /^\..+\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/

/** Removes what {@link writeFileAtomically} left in a folder whenever it was killed, and nothing that it is just writing. */
export async function removeAbandonedFiles(folder: string, nowMs = Date.now()): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const path of names.filter((name) => WRITTEN_ASIDE.test(name)).map((name) => join(folder, name))) {
    const writtenMs = await lstat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => nowMs,
    )
    if (writtenMs < nowMs - ABANDONED_MS) await rm(path, { force: true }).catch(() => undefined)
  }
}

/**
 * Removes the file; there being none is success. Of a link that is root's or ours what it leads to goes, and the link stays; a file that is
 * itself a mount is emptied.
 * @throws the file system's own error
 */
export async function removeFile(path: string): Promise<void> {
  const target = await followLinks(path).catch(() => path)
  try {
    await rm(target, { force: true })
  } catch (error) {
    if (!(await isMountPoint(target))) throw error
    await truncate(target)
  }
}
