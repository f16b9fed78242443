import { once } from 'node:events'
import { mkdtemp, lstat, readdir, rm, symlink, writeFile, chmod, mkdir } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UnixEndpoint } from '../../../src/host/unix-endpoint.ts'
import { listenerOf } from '../../../src/native/unix-listener.ts'

let folder: string
const open: { close(): void }[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unix-endpoint-'))
})

afterEach(async () => {
  for (const one of open.splice(0)) one.close()
  await chmod(folder, 0o700)
  await rm(folder, { recursive: true })
})

/** One that says who it is to whoever connects. */
function endpoint(path: string, says = 'me'): UnixEndpoint {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(says)
  })
  const made = new UnixEndpoint({ path, server, listenerOf })
  open.push(made)
  return made
}

async function heardAt(path: string): Promise<string> {
  const socket = connect(path)
  let heard = ''
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text))
  await once(socket, 'close')
  return heard
}

/** As a killed process leaves it: a socket that nobody listens at. */
async function leaveStale(path: string): Promise<void> {
  const server: Server = createServer().listen(`${path}.then`)
  await once(server, 'listening')
  const { renameSync } = await import('node:fs')
  renameSync(`${path}.then`, path) // closing removes the name that it was given
  server.close()
  await once(server, 'close')
}

describe('a Unix socket in the file system', () => {
  test('is made with its folder, for its owner alone, and goes when it is closed', async () => {
    const path = join(folder, 'flannel/flanneld.sock')
    const made = endpoint(path)
    expect(await made.look()).toBeUndefined()
    const found = await lstat(path)
    expect([found.isSocket(), found.mode & 0o777]).toEqual([true, 0o600])
    expect(await heardAt(path)).toBe('me')
    expect(await made.look()).toBeUndefined()
    expect((await lstat(path)).ino).toBe(found.ino)
    expect(await readdir(join(folder, 'flannel'))).toEqual(['flanneld.sock'])
    made.close()
    expect(await readdir(join(folder, 'flannel'))).toEqual([])
  })

  test('takes over what a killed agent has left', async () => {
    const path = join(folder, 's')
    await leaveStale(path)
    expect(listenerOf(path)).toBe('ECONNREFUSED')
    expect(await endpoint(path).look()).toBeUndefined()
    expect(await heardAt(path)).toBe('me')
  })

  test('is not taken from another that listens there, and is as soon as that ends', async () => {
    const path = join(folder, 's')
    const [first, second] = [endpoint(path, 'first'), endpoint(path, 'second')]
    expect(await first.look()).toBeUndefined()
    expect(await second.look()).toBe(
      `another process (pid ${process.pid}) listens at ${path}: choose another --status-socket, or end that process`,
    )
    expect(await heardAt(path)).toBe('first')
    second.close()
    expect(await heardAt(path)).toBe('first')
    first.close()
    expect(await second.look()).toBeUndefined()
    expect(await heardAt(path)).toBe('second')
  })

  test('of two that are made at once, one has it', async () => {
    const path = join(folder, 's')
    const both = [endpoint(path, '0'), endpoint(path, '1')]
    const problems = await Promise.all(both.map((one) => one.look()))
    const winner = problems.indexOf(undefined)
    expect(problems.filter((problem) => problem === undefined)).toHaveLength(1)
    expect(await heardAt(path)).toBe(String(winner))
    expect(await readdir(folder)).toEqual(['s'])
  })

  test('is made anew where somebody has removed it, and does not take another away with it', async () => {
    const path = join(folder, 's')
    const [first, second] = [endpoint(path, 'first'), endpoint(path, 'second')]
    await first.look()
    await rm(path)
    expect(await first.look()).toBeUndefined()
    expect(await heardAt(path)).toBe('first')
    await rm(path)
    await second.look()
    first.close()
    expect(await heardAt(path)).toBe('second')
  })

  test('leaves a file, a folder and a link alone that stand in its place', async () => {
    const at = (name: string): string => join(folder, name)
    await writeFile(at('file'), 'precious')
    await mkdir(at('folder'))
    await symlink(at('nowhere'), at('link'))
    expect(await endpoint(at('file')).look()).toBe(`${at('file')} is there, and is no socket: remove it`)
    expect(await endpoint(at('folder')).look()).toBe(`${at('folder')} is there, and is no socket: remove it`)
    expect(await endpoint(at('link')).look()).toBeUndefined() // root's links and ours are followed
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true)
    expect(await heardAt(at('nowhere'))).toBe('me')
  })

  test('says why it cannot be made', async () => {
    const long = join(folder, 'x'.repeat(120))
    expect(await endpoint(long).look()).toBe(
      `${long} is longer than a socket's path can be: choose a shorter --status-socket`,
    )
    expect(await endpoint('/proc/self/x/s').look()).toMatch(/ENOENT/)
    await writeFile(join(folder, 'file'), '')
    expect(await endpoint(join(folder, 'file/s')).look()).toMatch(/ENOTDIR|EEXIST/)
    expect(await readdir(folder)).toEqual(['file'])
  })

  test('removes what was left of one that was killed while it was made, once that is old', async () => {
    const path = join(folder, 's')
    const [old, fresh] = [join(folder, '.s.01234567'), join(folder, '.s.89abcdef')]
    await Promise.all([mkdir(old), mkdir(fresh)])
    const { utimes } = await import('node:fs/promises')
    await utimes(old, 1, 1)
    await endpoint(path).look()
    expect((await readdir(folder)).sort()).toEqual(['.s.89abcdef', 's'])
  })
})
