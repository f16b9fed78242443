import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compileTo, recordFault, sourcesHash } from '../../../packaging/addon.mjs'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const NATIVE = 'src/native'
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

  it('is the one that was recorded; of another it is said, and it is neither used nor packed', () => {
    const folder = join(clone, PREBUILT)
    expect(recordFault(folder)).toBeUndefined()
    // One octet of what nothing needs to load it.
    const bytes = readFileSync(join(folder, 'netlink.node'))
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    writeFileSync(join(folder, 'netlink.node'), bytes)
    expect(recordFault(folder)).toBe('it is not the one that was recorded')
    const { status, stderr } = install({ PATH: '/nonexistent', CC: '' })
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('not the one that was') as string,
    })
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

/** What compiled an ELF file (its section .comment). */
const compilerOf = (file: string): string =>
  /GCC: \([^)]*\) [\d.]+/.exec(readFileSync(file, 'latin1'))?.[0] ?? 'another'

describe.each([
  ['x64', process.arch === 'x64' ? 'cc' : 'x86_64-linux-gnu-gcc'],
  ['arm64', process.arch === 'arm64' ? 'cc' : 'aarch64-linux-gnu-gcc'],
])('the recorded addon for %s', (arch, cc) => {
  it('is, octet by octet, what its compiler makes of the sources', (context) => {
    const recorded = join(ROOT, NATIVE, `prebuilds/linux-${arch}/netlink.node`)
    const fresh = join(clone, 'fresh/netlink.node')
    const obstacle = compileTo(fresh, cc)
    context.skip(obstacle !== undefined, obstacle)
    const [ours, theirs] = [compilerOf(fresh), compilerOf(recorded)]
    context.skip(ours !== theirs, `recorded with ${theirs}, here is ${ours}`)
    expect(readFileSync(fresh).equals(readFileSync(recorded))).toBe(true)
  })
})

describe.runIf(hasPrebuilt)('installing what npm has packed: the bundle without its sources', () => {
  const beside = (): string => join(clone, 'dist/netlink.node')
  const pack = (addon: Buffer): void => {
    rmSync(join(clone, NATIVE, 'load.ts'))
    mkdirSync(join(clone, 'dist'))
    writeFileSync(join(clone, 'dist/flanneld.cjs'), '')
    writeFileSync(beside(), addon)
  }
  const addonIn = (folder: string): Buffer => readFileSync(join(ROOT, folder, 'netlink.node'))

  it('leaves an addon that loads where it is, also where the package has none for this machine besides', () => {
    pack(addonIn(PREBUILT))
    rmSync(join(clone, NATIVE, 'prebuilds'), { recursive: true })
    const { status, stdout } = install({ PATH: '/nonexistent' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'netlink addon: using the one beside the bundle\n' })
  })

  it('puts the prebuilt one in the place of one for another machine, without a compiler', () => {
    pack(Buffer.from('for another machine'))
    expect(install({ PATH: '/nonexistent' }).status).toBe(0)
    expect(readFileSync(beside())).toEqual(addonIn(PREBUILT))
  })

  it('fails where neither loads and nothing can be compiled', () => {
    pack(Buffer.from('for another machine'))
    writeFileSync(join(clone, PREBUILT, 'netlink.node'), 'this neither')
    const { status, stderr } = install({ PATH: '/nonexistent', CC: '' })
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('no C compiler') as string })
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
