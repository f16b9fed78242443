import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BANNER, LEAST_NODE } from '../../../packaging/bundle/old-node.mjs'
import packageJson from '../../../package.json' with { type: 'json' }

/** What the program does; no Node before 16.11 can read it. */
const PROGRAM = "class Runs { static { console.log('runs', process.argv[2]) } }"

let folder: string
const at = (name: string): string => join(folder, name)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'old-node-'))
  writeFileSync(at('program.cjs'), `${BANNER}\n${PROGRAM}\n`, { mode: 0o755 })
  symlinkSync('/bin/sh', at('sh'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** A Node that says so when it is asked for its version, and can run nothing. */
function install(version: string): void {
  writeFileSync(at('node'), `#!/bin/sh\n[ "$1" = --version ] || { echo SyntaxError >&2; exit 1; }\necho ${version}\n`)
  chmodSync(at('node'), 0o755)
}

const run = (file = at('program.cjs'), args: readonly string[] = ['x']) =>
  spawnSync(file, args, { encoding: 'utf8', env: { PATH: folder } })

const refusal = (found: string): object => ({
  status: 1,
  stdout: '',
  stderr: `flanneld: this needs Node.js 20.19 or later, and here is ${found}: install that, or take the executable, which has one inside (dist/flanneld)\n`,
})

describe('the bundle', () => {
  it('says the same least version as package.json', () => {
    expect(packageJson.engines.node).toBe(`>=${LEAST_NODE.join('.')}`)
  })

  it.each(['v0.10.48', 'v4.9.1', 'v12.22.12', 'v18.20.8', 'v20.0.0', 'v20.9.0', 'v20.18.3'])(
    'ends with one sentence on Node %s, which may not even be able to read it',
    (version) => {
      install(version)
      expect(run()).toMatchObject(refusal(version))
    },
  )

  it('ends with the same sentence where there is no Node', () => {
    expect(run()).toMatchObject(refusal('none'))
  })

  it('ends with it also where an old Node is told to run it', () => {
    writeFileSync(at('old.cjs'), "Object.defineProperty(process.versions, 'node', { value: '18.20.8' })")
    const args = ['--require', at('old.cjs'), at('program.cjs')]
    expect(run(process.execPath, args)).toMatchObject(refusal('v18.20.8'))
  })

  it('runs on this one, by its name and by that of Node', () => {
    symlinkSync(process.execPath, at('node'))
    expect(run()).toMatchObject({ status: 0, stdout: 'runs x\n', stderr: '' })
    expect(run(process.execPath, [at('program.cjs'), 'x'])).toMatchObject({ status: 0, stdout: 'runs x\n' })
  })

  it.each(['v20.19.0', 'v20.20.2', 'v22.0.0', 'v24.11.1', 'v100.0.0'])('takes Node %s for new enough', (version) => {
    install(version)
    expect(run().stderr).toBe('SyntaxError\n')
  })
})
