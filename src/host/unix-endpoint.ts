import { randomUUID } from 'node:crypto'
import { lstatSync, unlinkSync, type Stats } from 'node:fs'
import { chmod, link, lstat, mkdir, readdir, rename, rm, unlink } from 'node:fs/promises'
import type { Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { makeDirectory } from './files/atomic-file.ts'
import { followLinks } from './files/links.ts'

/** Who listens at a Unix socket, by the kernel's word; the name of the error otherwise, `ECONNREFUSED` for nobody. */
export type ListenerOf = (path: string) => { readonly pid: number } | string

export interface UnixEndpointOptions {
  readonly path: string
  /** Whoever connects there talks to it. */
  readonly server: Server
  readonly listenerOf: ListenerOf
}

/** Root alone may ask. */
const MODE = 0o600
const DIRECTORY_MODE = 0o755
const PRIVATE_MODE = 0o700
/** Octets of a socket's path, with a zero at its end (sun_path, unix(7)). */
const LONGEST_PATH = 107

/** Characters that tell one that is being made from another. */
const ASIDE_LENGTH = 8
/** One is made in milliseconds; after this long its maker has been killed. In milliseconds. */
const ABANDONED_MS = 30_000

/** Something stands in the way that is not ours to remove. */
class InTheWay extends Error {}

/**
 * A Unix socket in the file system, which only its owner may connect to. It is made aside, in a folder that nobody else can enter, and then
 * given its name, so that it never has other permissions, and never takes the name of another: one that a killed process has left is
 * removed, one that somebody listens at, or a file that is no socket, is left alone.
 */
export class UnixEndpoint {
  readonly #options: UnixEndpointOptions
  /** The socket that has the name, as we made it. */
  #own: { readonly target: string; readonly file: Pick<Stats, 'dev' | 'ino'> } | undefined

  constructor(options: UnixEndpointOptions) {
    this.#options = options
  }

  /** Sees to it that the socket stands, and is ours; made anew where somebody has removed it. @returns why it is not; undefined: it is. Never rejects */
  async look(): Promise<string | undefined> {
    try {
      if (!(await this.#stands())) await this.#make()
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Listens no more, and takes the name away, if it is ours still. */
  close(): void {
    const own = this.#own
    this.#own = undefined
    this.#stop()
    try {
      if (own !== undefined && isSame(lstatSync(own.target), own.file)) unlinkSync(own.target)
    } catch {
      // it is gone, or in a place that has become read-only
    }
  }

  #stop(): void {
    if (this.#options.server.listening) this.#options.server.close()
  }

  async #stands(): Promise<boolean> {
    if (this.#own === undefined || !this.#options.server.listening) return false
    const found = await lstatOf(this.#own.target)
    return found !== undefined && isSame(found, this.#own.file)
  }

  async #make(): Promise<void> {
    const { path, server } = this.#options
    this.#own = undefined
    this.#stop()
    const target = await followLinks(path)
    const aside = `${asideOf(target)}${randomUUID().slice(0, ASIDE_LENGTH)}`
    const socket = join(aside, 's')
    if (Buffer.byteLength(socket) > LONGEST_PATH)
      throw new Error(`${target} is longer than a socket's path can be: choose a shorter --status-socket`)
    await makeDirectory(dirname(target), DIRECTORY_MODE)
    await this.#makeWay(target)
    await removeAbandoned(target)
    await mkdir(aside, { mode: PRIVATE_MODE })
    try {
      await listen(server, socket)
      await chmod(socket, MODE)
      const file = await lstat(socket)
      await name(socket, target)
      this.#own = { target, file }
    } catch (error) {
      this.#stop()
      throw error
    } finally {
      await rm(aside, { recursive: true, force: true }).catch(() => undefined)
    }
  }

  /** @throws {InTheWay} */
  async #makeWay(target: string): Promise<void> {
    const found = await lstatOf(target)
    if (found === undefined) return
    if (!found.isSocket()) throw new InTheWay(`${target} is there, and is no socket: remove it`)
    const listener = this.#options.listenerOf(target)
    if (typeof listener !== 'string') {
      const who = listener.pid === 0 ? 'another process' : `another process (pid ${listener.pid})`
      throw new InTheWay(`${who} listens at ${target}: choose another --status-socket, or end that process`)
    }
    if (listener !== 'ECONNREFUSED')
      throw new InTheWay(`${target} cannot be asked whether anybody listens (${listener})`)
    const now = await lstatOf(target)
    if (now !== undefined && isSame(now, found)) await unlink(target)
  }
}

/** Made exclusively: where it takes a moment to see that the name is free, another may have it by then. */
async function name(socket: string, target: string): Promise<void> {
  try {
    await link(socket, target)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw error
    await rename(socket, target) // a file system without hard links
  }
}

/** Rejects with Node's own error. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const settled = (): void => {
      server.off('error', failed)
      server.off('listening', listens)
    }
    const failed = (error: Error): void => {
      settled()
      reject(error)
    }
    const listens = (): void => {
      settled()
      resolve()
    }
    server.on('error', failed).on('listening', listens).listen(path)
  })
}

/** Where the sockets of a path are made aside. */
const asideOf = (target: string): string => join(dirname(target), `.${basename(target)}.`)

/** Removes what processes have left that were killed while they made one. */
async function removeAbandoned(target: string): Promise<void> {
  const start = asideOf(target)
  const names = await readdir(dirname(target)).catch(() => [])
  for (const path of names.map((found) => join(dirname(target), found))) {
    if (!path.startsWith(start) || path.length !== start.length + ASIDE_LENGTH) continue
    const found = await lstat(path).catch(() => undefined)
    if (found?.isDirectory() === true && Date.now() - found.mtimeMs > ABANDONED_MS)
      await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}

const isSame = (a: Pick<Stats, 'dev' | 'ino'>, b: Pick<Stats, 'dev' | 'ino'>): boolean =>
  a.ino === b.ino && a.dev === b.dev

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

const lstatOf = (path: string): Promise<Stats | undefined> =>
  lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
