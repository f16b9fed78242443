import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { geteuid, pid } from 'node:process'
import { expect, it } from 'vitest'
import { listenerOf } from '../../../src/native/unix-listener.ts'

it('tells who listens at a Unix socket, or why that cannot be told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'listener-'))
  const path = join(folder, 'socket')
  expect(listenerOf(`@${path}`)).toBe('ECONNREFUSED')
  expect(listenerOf(path)).toBe('ENOENT')
  const server = createServer().listen(path)
  await once(server, 'listening')
  expect(listenerOf(path)).toEqual({ pid, uid: geteuid?.() })
  server.close()
  rmSync(folder, { recursive: true })
})
