import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { fakeStatusServer } from '../../fake/fake-status-server.ts'
import { samplePeer, samplePeers } from '../../fake/status-samples.ts'

const PROGRAM = join(import.meta.dirname, '../../../dist/flanneld.cjs')

/** `flanneld ping` with these arguments, of an agent that ends after so many answers. */
async function pinged(answers: number, ...args: readonly string[]): Promise<readonly [number, string, string]> {
  let asked = 0
  const server = await fakeStatusServer({
    '/v1/probe': (_, response) => {
      if (++asked > answers) response.destroy()
      else response.end(JSON.stringify(samplePeers([samplePeer(2)])))
    },
  })
  onTestFinished(() => server.close())
  const child = spawn(process.execPath, [PROGRAM, 'ping', 'host-2', '--socket', server.socket, ...args])
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return [Number((await ended)[0]), stdout, stderr]
}

test('ping says what it counted when the agent ends meanwhile, and why it ends', async () => {
  const [code, stdout, stderr] = await pinged(2, '-c9')
  expect(code).toBe(1)
  expect(stdout).toMatch(
    /^(host-2 .*: answers in .*\n){2}host-2 .*: asked 2 times, answered 2, in full 2; round trip .*\n$/,
  )
  expect(stderr).toMatch(/^flanneld ping: no agent answers: /m)
})

test('ping of an agent that never answers has nothing to sum up', async () => {
  expect(await pinged(0, '-c9')).toEqual([1, '', expect.stringMatching(/^flanneld ping: no agent answers: /m)])
})

test.each([['-c1'], ['-c', '1'], ['-c=1'], ['--count=1']])('ping %s asks once', async (...args) => {
  const [code, stdout] = await pinged(9, ...args)
  expect([code, stdout.split('\n').length]).toEqual([0, 3])
})
