import { constants } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { writeFileAtomically } from './atomic-file.ts'
import { followLinks } from './links.ts'

/**
 * Writes to a path that a person has named, as a shell's `>` would, but a file as a whole: symbolic links are followed that are root's or
 * ours, a device or a FIFO is written to. A FIFO that nobody reads is an error: waiting for a reader could last for ever.
 * @throws the file system's own error; one of ours for a block device or a socket; {NoRegularFileError} for a directory; {ForeignLinkError}
 */
export async function writeOutputFile(path: string, text: string): Promise<void> {
  await followLinks(path)
  const found = await statOf(path)
  if (found === undefined) await writeFileAtomically(path, text)
  else if (found.isCharacterDevice() || found.isFIFO()) await writeInto(path, text)
  else if (found.isFile()) await writeRegular(path, text)
  else if (found.isDirectory()) await writeFileAtomically(path, text)
  else throw new Error('it is neither a file nor a character device nor a FIFO')
}

/** Links below /proc/PID/fd, such as /dev/stdout, may lead to a file that has no name any more, or another name. */
async function writeRegular(path: string, text: string): Promise<void> {
  const [opened, target] = [await stat(path), await realpath(path).catch(() => undefined)]
  const named = target === undefined ? undefined : await statOf(target)
  if (target !== undefined && named?.ino === opened.ino && named.dev === opened.dev && !isOpenFile(path))
    await writeFileAtomically(target, text)
  else await writeInto(path, text, constants.O_APPEND)
}

/** Whoever has it open goes on writing there; replaced, it would lose what comes after, and what was before. */
const isOpenFile = (path: string): boolean => /^\/(?:dev\/(?:stdout|stderr|fd\/)|proc\/)/.test(path)

async function writeInto(path: string, text: string, flags = 0): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY | flags)
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}

const statOf = (path: string) =>
  stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
