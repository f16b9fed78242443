import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sourcesHash } from '../../../packaging/addon.mjs'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const NATIVE = 'src/netlink/native'
const PREBUILT = `${NATIVE}/prebuilds/linux-${process.arch}`
const hasPrebuilt = existsSync(join(ROOT, PREBUILT, 'netlink.node'))
const hasCompiler = spawnSync('cc', ['--version']).status === 0

let clone: string

/** `npm install`'s part in a clone of its own. */
function install(environment: NodeJS.ProcessEnv = {}) {
  const withoutNodeGyp = { ...process.env, npm_config_node_gyp: undefined }
  const script = join(clone, 'packaging/addon.mjs')
  return spawnSync(process.execPath, [script], { encoding: 'utf8', env: { ...withoutNodeGyp, ...environment } })
}

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'netlink-install-'))
  mkdirSync(join(clone, 'packaging'))
  cpSync(join(ROOT, 'packaging/addon.mjs'), join(clone, 'packaging/addon.mjs'))
  cpSync(join(ROOT, NATIVE), join(clone, NATIVE), { recursive: true, filter: (path) => !path.includes('/build') })
})

afterEach(() => {
  rmSync(clone, { recursive: true })
})

describe.runIf(hasPrebuilt)('the prebuilt addon', () => {
  it('was built from the sources beside it', () => {
    expect(readFileSync(join(ROOT, PREBUILT, 'sources.sha256'), 'utf8').trim()).toBe(sourcesHash())
  })

  it('is small, since it stands in the repository', () => {
    expect(statSync(join(ROOT, PREBUILT, 'netlink.node')).size).toBeLessThan(64 * 1024)
  })

  it('is used as it is, without a compiler', () => {
    const { status, stdout } = install({ PATH: '/nonexistent' })
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('prebuilt') as string })
    expect(existsSync(join(clone, NATIVE, 'build'))).toBe(false)
  })
})

describe('installing from changed sources', () => {
  beforeEach(() => {
    appendFileSync(join(clone, NATIVE, 'netlink.c'), '\n/* changed */\n')
  })

  it('says that a compiler is missing when it is', () => {
    const { status, stderr } = install({ PATH: '/nonexistent', CC: '' })
    expect(status).toBe(1)
    expect(stderr).toContain('built from other sources')
    expect(stderr).toContain('no C compiler')
  })

  it.runIf(hasCompiler)('compiles once, and is content with that the next time', () => {
    const first = install()
    // Where there are no headers either, saying so is all that can be asked.
    if (first.status !== 0) expect(first.stderr).toContain('no Node headers')
    else {
      expect(first.stdout).toContain('compiled')
      expect(existsSync(join(clone, NATIVE, 'build/Release/netlink.node'))).toBe(true)
      expect(install().stdout).toContain('already compiled')
    }
  })
})
