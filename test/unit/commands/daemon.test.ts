import { execFileSync, spawnSync, type SpawnSyncOptions, type SpawnSyncReturns } from 'node:child_process'
import { closeSync, fstatSync, lstatSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
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

/** Starts it with whatever is put in place of its subnet file: it ends by itself. */
const start = ({ env, ...options }: SpawnSyncOptions = {}): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [PROGRAM, `--subnet-file=${path}`, '--node-id=a'], {
    ...options,
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    timeout: 20_000,
  })

describe('the daemon', () => {
  it.each(OBSTACLES)('refuses %s in place of its subnet file at once, and leaves it alone', (kind, put) => {
    put()
    const before = lstatSync(path)
    const { status, stderr } = start()
    expect(stderr.split('\n').at(-2)).toBe(
      `flanneld: --subnet-file: expected a regular file, or none yet, and not ${kind}, found ${JSON.stringify(path)}`,
    )
    expect(status).toBe(2)
    expect(lstatSync(path)).toMatchObject({ ino: before.ino, mode: before.mode })
  })

  it('writes all of its log as JSON where it is asked to, and why it ends as well', () => {
    mkdirSync(path)
    const env = { FLANNELD_LOG_FORMAT: 'json', FLANNELD_VMODULE: 'x=1' }
    const { status, stderr } = start({ env })
    const lines = stderr.trimEnd().split('\n')
    expect(lines.map((line) => Object.keys(JSON.parse(line) as object).slice(0, 3))).toEqual(
      lines.map(() => ['time', 'level', 'message']),
    )
    const [first, , last] = lines.map((line) => JSON.parse(line) as unknown)
    expect(first).toMatchObject({ level: 'info', message: expect.stringMatching(/^flanneld .* starts$/) as unknown })
    expect(last).toMatchObject({
      level: 'error',
      message: expect.stringMatching(/^--subnet-file: expected/) as unknown,
    })
    expect({ status, lines: lines.length }).toEqual({ status: 2, lines: 3 })
  })

  it('leaves the time to the journal where that is its standard error, and only there', () => {
    mkdirSync(path)
    const log = join(folder, 'stderr')
    const fd = openSync(log, 'w')
    const { dev, ino } = fstatSync(fd)
    start({ env: { JOURNAL_STREAM: `${dev}:${ino}` }, stdio: ['ignore', 'ignore', fd] })
    closeSync(fd)
    expect(readFileSync(log, 'utf8')).toMatch(/^(<\d>)?info flanneld /)
    expect(start({ env: { JOURNAL_STREAM: `${dev}:${ino}` } }).stderr).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z info flanneld /,
    )
  })
})
