import { constants, type Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'

/** Something else than a regular file stands where one should; whoever reads a FIFO or a device may wait for ever. */
export class NoRegularFileError extends Error {
  override readonly name = 'NoRegularFileError'
  /** What it is: `a FIFO`, `a directory` and so on. */
  readonly kind: string

  constructor(path: string, kind: string) {
    super(`${path} is ${kind}`)
    this.kind = kind
  }
}

/** What stands at a path, in place of a regular file; undefined when that is one, or nothing, or cannot be looked at. */
export const obstacleAt = (path: string): Promise<string | undefined> => stat(path).then(kindOf, () => undefined)

function kindOf(found: Stats): string | undefined {
  if (found.isFile()) return undefined
  if (found.isDirectory()) return 'a directory'
  if (found.isFIFO()) return 'a FIFO'
  if (found.isSocket()) return 'a socket'
  return found.isCharacterDevice() ? 'a character device' : 'a block device'
}

/** No file that we read has as much, in octets; a larger one would take our memory. */
const LONGEST = 4 * 1024 * 1024

/**
 * The text of a regular file of 4 MiB at most. Anything else is not opened, or, where it comes into the file's place meanwhile, not waited for.
 * @throws the file system's own error; {NoRegularFileError}
 */
export async function readRegularFile(path: string): Promise<string> {
  refuse(path, kindOf(await stat(path)))
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  try {
    const found = await file.stat()
    refuse(path, kindOf(found) ?? (found.size > LONGEST ? `a file of ${found.size} octets` : undefined))
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

function refuse(path: string, kind: string | undefined): void {
  if (kind !== undefined) throw new NoRegularFileError(path, kind)
}
