import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findAddon } from '../../../src/native/load.ts'
import { loadCopy } from '../../../src/native/private-copy.ts'
import { runScript } from './child.ts'

const ADDON = findAddon('').path
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netlink-copy-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

describe('the addon of a running process', () => {
  it('works on when the file that it came from is overwritten in place', async () => {
    const path = join(directory, 'netlink.node')
    copyFileSync(ADDON, path)
    const ended = await runScript(`
      const { writeFileSync } = await import('node:fs')
      const { addon: copied } = findAddon(${JSON.stringify(path)})
      writeFileSync(${JSON.stringify(path)}, Buffer.alloc(1))
      const socket = copied.open(ROUTE)
      copied.send(socket, refused(1), 32)
      say(drain(socket))
      copied.close(socket)`)
    expect(ended).toMatchObject({ code: 0, signal: null, said: [1] })
  })

  it('is loaded once, however often it is asked for', () => {
    const path = join(directory, 'netlink.node')
    copyFileSync(ADDON, path)
    expect(findAddon(path).addon).toBe(findAddon(path).addon)
  })

  it('leaves nothing in the folders that it is copied to, of which there may be several', () => {
    const bytes = readFileSync(ADDON)
    const { path } = loadCopy(bytes, { RUNTIME_DIRECTORY: `/nonexistent:${directory}` })
    expect(path).toMatch(/^\/proc\/self\/fd\/[./]*\d+$/)
    expect(readdirSync(directory)).toEqual([])
  })

  it('is loaded from where it is when no folder takes a copy', async () => {
    const path = join(directory, 'netlink.node')
    copyFileSync(ADDON, path)
    const ended = await runScript(`
      const { dlopen } = process
      process.dlopen = (target, file, ...more) => {
        if (file !== ${JSON.stringify(path)}) throw new Error(file + ': failed to map segment from shared object')
        return dlopen.call(process, target, file, ...more)
      }
      const { addon: direct } = findAddon(${JSON.stringify(path)})
      say(typeof direct.open)`)
    expect(ended).toMatchObject({ code: 0, said: ['function'] })
  })
})
