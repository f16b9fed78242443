import { lstat, readlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { geteuid } from 'node:process'

/** A symbolic link of another user stands on the way to a file: it would have us write wherever that user likes. */
export class ForeignLinkError extends Error {
  override readonly name = 'ForeignLinkError'

  constructor(link: string, uid: number) {
    super(`the link ${link} belongs to user ${uid}, and is not followed`)
  }
}

/** As many links the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40
const ROOT = 0

/** Links there lead to what a process has open, whatever their text says (proc(5)). */
const isMagic = (path: string): boolean => path.startsWith('/proc/')

/**
 * Where a path leads that is to be written to, as far as something of it is there. Links are followed that root, or we ourselves, or the
 * owner of `/` has made, which in a user namespace is what root is outside.
 * @returns a path without links in it, but below /proc
 * @throws {ForeignLinkError}; the file system's own error, ELOOP for a circle
 */
export async function followLinks(path: string, euid = geteuid?.() ?? ROOT): Promise<string> {
  const trusted = new Set([ROOT, euid, (await lstat('/')).uid])
  let links = 0
  let done = '/'
  let todo = partsOf(resolve(path))
  while (todo.length > 0) {
    const [next = '', ...rest] = todo
    const at = join(done, next)
    const found = isMagic(at) ? undefined : await lookAt(at)
    if (found === 'nothing') return join(at, ...rest)
    if (found?.isSymbolicLink() !== true) [done, todo] = [at, rest]
    else {
      if (!trusted.has(found.uid)) throw new ForeignLinkError(at, found.uid)
      if (++links > MOST_LINKS) throw Object.assign(new Error(`ELOOP: too many links, '${path}'`), { code: 'ELOOP' })
      todo = [...partsOf(resolve(dirname(at), await readlink(at))), ...rest]
      done = '/'
    }
  }
  return done
}

const partsOf = (path: string): readonly string[] => path.split('/').filter((part) => part !== '')

const lookAt = (path: string) =>
  lstat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'nothing' as const
    throw error
  })
