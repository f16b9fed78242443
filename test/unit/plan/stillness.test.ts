import { pbkdf2 } from 'node:crypto'
import { open } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { isReadingFiles } from '../../../src/plan/stillness.ts'
import { waitFor } from '../../lab/wait-for.ts'

it('a file that is being closed is waited for, however busy the threads are that close it', async () => {
  const file = await open('/proc/self/status')
  const hash = promisify(pbkdf2)
  const busy = Array.from({ length: 12 }, () => hash('a', 'b', 100_000, 64, 'sha512'))
  const state = { isClosed: false }
  const closing = file.close().then(() => {
    state.isClosed = true
  })
  for (let turn = 0; turn < 20 && !state.isClosed; turn++) {
    expect(isReadingFiles()).toBe(true)
    await setImmediate()
  }
  await Promise.all([closing, ...busy])
  await waitFor('nothing of files', () => !isReadingFiles())
})
