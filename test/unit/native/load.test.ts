import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AddonError, findAddon, loadAddon } from '../../../src/native/load.ts'

const LOADER = fileURLToPath(new URL('../../../src/native/load.ts', import.meta.url))

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netlink-load-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

describe('the loader, run from sources', () => {
  it('finds the addon that installing left', () => {
    expect(findAddon('').path).toMatch(/src\/native\/(build\/Release|prebuilds\/linux-\w+)\/netlink\.node$/)
  })

  it('takes the one it is told, and no other', () => {
    const path = join(directory, 'mine.node')
    expect(() => loadAddon(path)).toThrow(AddonError)
    copyFileSync(findAddon('').path, path)
    expect(findAddon(path).path).toBe(path)
    vi.stubEnv('FLANNELD_NETLINK_ADDON', path)
    expect(findAddon().path).toBe(path)
    vi.unstubAllEnvs()
  })

  it('says what is wrong with a file that does not load', () => {
    const path = join(directory, 'text.node')
    writeFileSync(path, 'this is no shared object')
    expect(() => loadAddon(path)).toThrow(
      new RegExp(`^no usable netlink addon .*\\n  ${path}: (?!not there).*text\\.node`),
    )
  })

  it('does not take just any module', () => {
    const path = join(directory, 'other.cjs')
    writeFileSync(path, 'module.exports = { open() {} }')
    expect(() => loadAddon(path)).toThrow(`${path}: not a netlink addon`)
  })
})

describe('the loader, in a CommonJS bundle', () => {
  const bundle = (): string => {
    const outfile = join(directory, 'bundle.cjs')
    const entry = `import { findAddon } from ${JSON.stringify(LOADER)}; process.stdout.write(findAddon().path)`
    buildSync({
      stdin: { contents: entry, resolveDir: directory },
      bundle: true,
      format: 'cjs',
      platform: 'node',
      outfile,
      logLevel: 'silent',
    })
    return outfile
  }

  it('finds the addon beside the bundle', () => {
    copyFileSync(findAddon('').path, join(directory, 'netlink.node'))
    expect(execFileSync(process.execPath, [bundle()], { encoding: 'utf8' })).toBe(join(directory, 'netlink.node'))
  })

  it('names every path it tried when there is none', () => {
    mkdirSync(join(directory, 'build'))
    const { status, stderr } = spawnSync(process.execPath, [bundle()], { encoding: 'utf8' })
    expect(status).toBe(1)
    for (const place of ['netlink.node', 'build/Release/netlink.node', `prebuilds/linux-${process.arch}/netlink.node`])
      expect(stderr).toContain(`${join(directory, place)}: not there`)
  })
})
