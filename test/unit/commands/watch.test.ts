import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { fakeStatusServer } from '../../fake/fake-status-server.ts'
import { samplePeer, samplePeers } from '../../fake/status-samples.ts'
import { waitFor } from '../../lab/wait-for.ts'

const PROGRAM = join(import.meta.dirname, '../../../dist/flanneld.cjs')

test('--watch looks again and again, goes on while no agent answers, and ends when it is stopped', async () => {
  let looks = 0
  const server = await fakeStatusServer({
    '/v1/peers': (_, response) => {
      looks++
      if (looks === 2) response.destroy()
      else response.end(JSON.stringify(samplePeers([samplePeer(looks)])))
    },
  })
  onTestFinished(() => server.close())
  const child = spawn(process.execPath, [PROGRAM, 'peers', '--watch', '--socket', server.socket])
  onTestFinished(() => void child.kill('SIGKILL'))
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text))
  const ended = once(child, 'close')
  await waitFor('the third look', () => /^host-3 /m.test(shown))
  child.kill('SIGINT')
  expect((await ended)[0]).toBe(0)
  expect(shown).toMatch(/^host-1 [^]*^no agent answers: [^]*^host-3 /m)
})
