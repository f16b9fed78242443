import { execFileSync, spawnSync } from 'node:child_process'
import { lstatSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const PROGRAM = join(import.meta.dirname, '../../../dist/flanneld.cjs')

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'daemon-'))
  path = join(folder, 'subnet.env')
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** What somebody has put there, and what it is. */
const OBSTACLES: readonly (readonly [kind: string, put: () => unknown])[] = [
  ['a FIFO', () => execFileSync('mkfifo', [path])],
  ['a directory', () => execFileSync('mkdir', [path])],
  ['a character device', () => execFileSync('ln', ['-s', '/dev/null', path])],
]

describe('the daemon', () => {
  it.each(OBSTACLES)('refuses %s in place of its subnet file at once, and leaves it alone', (kind, put) => {
    put()
    const before = lstatSync(path)
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, `--subnet-file=${path}`, '--node-id=a'], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(stderr.split('\n').at(-2)).toBe(
      `flanneld: --subnet-file: expected a regular file, or none yet, and not ${kind}, found ${JSON.stringify(path)}`,
    )
    expect(status).toBe(2)
    expect(lstatSync(path)).toMatchObject({ ino: before.ino, mode: before.mode })
  })
})
