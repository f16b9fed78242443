import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findAddon } from '../../../src/native/load.ts'

const DEADLINE_MS = 20_000

it(
  'the addon ends the process also while a thread of it hangs in a system call, as a name lookup may',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'exit-'))
    try {
      const fifo = join(directory, 'nobody-writes-here')
      expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
      const program = `
      require('node:fs').open(${JSON.stringify(fifo)}, 'r', () => undefined)
      setTimeout(() => require(${JSON.stringify(findAddon().path)}).exit(3), 100)
    `
      const { status, signal } = spawnSync(process.execPath, ['-e', program], { timeout: DEADLINE_MS })
      expect({ status, signal }).toEqual({ status: 3, signal: null })
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
  DEADLINE_MS + 5_000,
)

it('the addon takes nothing but a number for an exit code', () => {
  const program = `require(${JSON.stringify(findAddon().path)}).exit('3')`
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toContain('ERR_INVALID_ARG_TYPE')
})
